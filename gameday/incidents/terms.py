"""On what terms an engine serves incidents: the service's own, or those of one drill."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gameday.incidents.alerts import Alert
from gameday.incidents.duties import Share
from gameday.incidents.routing import Drill
from gameday.incidents.state import IncidentState
from scoring.timeline import Fact


class Mitigator(Protocol):
    """Does to a system what a responder asks for."""

    async def mitigate(self, name: str, parameters: Mapping[str, str]) -> str:
        """Do it and return what was done; `DriverError` or `StoreError`: it was not."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What differs between the engine of a run and that of `gameday serve`.

    Attributes:
        run: the run whose drill this engine is of; None: it serves real incidents.
        has_duties: whether it does any; else it only takes words.
        drills: the runs that go on, as of now; asked for every webhook, so it must be quick.
        is_disposable: whether nobody is on call for what this run plays on.
        escalates: whether a drill that nobody answers wakes the real rota.
        mitigator: who performs the mitigations of this run's incidents; None: they are what people
            say they did.
        heard: told of every alert that comes through this engine's own webhook, known or new.
        beat: told when the watchdog was heard, likewise.
        on_real: told about a real incident that opens while a drill goes on.
    """

    run: str | None = None
    has_duties: bool = True
    drills: Callable[[], Sequence[Drill]] = tuple
    is_disposable: bool = False
    escalates: bool = False
    mitigator: Mitigator | None = None
    heard: Callable[[Fact], None] | None = None
    beat: Callable[[datetime], None] | None = None
    on_real: Callable[[IncidentState], None] | None = None

    def keeps(self, alert: Alert) -> bool:
        """Return whether an alert is somebody's: on a disposable target only a drill's is."""
        return alert.drill is not None or not self.is_disposable

    def share(self) -> Share:
        """Return which incidents' duties fall to the engine now."""
        going_on = frozenset(d.run for d in self.drills())
        return Share(self.run, going_on, self.escalates)

    def drill(self, run: str | None) -> Drill | None:
        """Return the drill of a run that goes on; None: there is none."""
        return next((d for d in self.drills() if d.run == run), None) if run else None
