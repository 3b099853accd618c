"""Whose page it is: a drill's, or a real incident's. Pure, and in doubt it is real.

gameday never silences. A page belongs to a drill only while its run goes on, only for the SLO the
scenario breaks on purpose (or one it names as collateral), and only from the fault until the alert
has to have cleared.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from gameday.incidents.alerts import Alert
from gameday.model.severity import IncidentSeverity


@dataclass(frozen=True, slots=True)
class Drill:
    """What a run that goes on explains.

    Attributes:
        service: the scenario's; collateral alerts may come from any.
        since: when its first fault was put in.
        until: when its last fault is gone at the latest, and the predicted reset after that.
        severity: the scenario's; None: it is not known.
        is_disposable: whether nobody is on call for its target: nothing there outlives a drill.
    """

    run: str
    service: str
    slo: str
    collateral: frozenset[str]
    since: datetime
    until: datetime
    severity: IncidentSeverity | None = None
    is_disposable: bool = False

    def explains(self, alert: Alert) -> bool:
        """Return whether this alert is what the drill does."""
        if not self.since <= alert.earliest or not alert.received_at <= self.until:
            return False
        if alert.slo == self.slo:
            return alert.service == self.service
        return alert.slo in self.collateral


def routed(alert: Alert, drills: Iterable[Drill]) -> Alert:
    """Return the alert with the drill that explains it, or as the real one that it is."""
    for drill in drills:
        if drill.explains(alert):
            until = None if drill.is_disposable else drill.until
            return replace(alert, drill=drill.run, drill_until=until)
    return alert
