"""Taking an incident's pages to people: what is said, and through whose pager."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from gameday.incidents.duties import Duty
from gameday.incidents.state import IncidentState
from gameday.model.notification import Notification, Severity
from gameday.model.page import Links
from gameday.ports import Pager
from scoring.timeline import Kind

LinkOf = Callable[[str, str, datetime], str]
"""(incident, view, when it was paged) → the URL of its deeplink."""

NOBODY = "no pager is configured; it stands in the list of incidents"


class Paging:
    """The pagers by role, and the links that their pages carry.

    Args:
        pagers: per role (``on-call``, ``rota``, ``drill on-call``); a role without one sees its
            pages in the list of incidents and is not called.
        link_of: makes the deeplinks.
        incident_url: makes the URL of an incident for people.
    """

    def __init__(
        self,
        pagers: Mapping[str, Pager],
        *,
        link_of: LinkOf = lambda *_: "",
        incident_url: Callable[[str], str] = lambda _: "",
    ) -> None:
        self._pagers = dict(pagers)
        self._link_of = link_of
        self._incident_url = incident_url

    async def page(self, incident: IncidentState, duty: Duty) -> str:
        """Page the role; return what was accepted. `DriverError` where it could not be."""
        pager = self._pagers.get(duty.to)
        if pager is None:
            return NOBODY
        receipt = await pager.page(self._notification(incident, duty.to, duty.level, duty.why))
        return "; ".join((f"{receipt.pager} accepted it", *receipt.notes))

    async def acknowledge(self, incident: IncidentState) -> str:
        """Tell every pager that was used that somebody has it."""
        for pager, notification in self._sent(incident):
            await pager.acknowledge(notification)
        return "the pagers know that somebody has it"

    async def resolve(self, incident: IncidentState) -> str:
        """Tell every pager that was used that it is over."""
        for pager, notification in self._sent(incident):
            await pager.resolve(notification)
        return "the pagers know that it is over"

    def _sent(self, incident: IncidentState) -> Sequence[tuple[Pager, Notification]]:
        sent = {
            (str(w.data["to"]), int(w.data.get("level", 1)))
            for w in incident.events
            if w.kind == Kind.PAGE_DELIVERED
        }
        return [
            (self._pagers[to], self._notification(incident, to, level, ""))
            for to, level in sorted(sent)
            if to in self._pagers
        ]

    def _notification(self, incident: IncidentState, to: str, level: int, why: str) -> Notification:
        def link(view: str) -> str:
            return self._link_of(incident.id, view, incident.paged_at)

        # A tool that has an incident open takes the same key for nothing new, and would wake
        # nobody a second time.
        key = incident.id if level <= 1 else f"{incident.id}/{level}"
        first = incident.first.told
        details = {
            "alert": first.name,
            "slo": incident.slo,
            "severity": incident.severity,
            "window": first.labels.get("long_window", ""),
            "burn_rate": first.labels.get("burn_rate", ""),
            "alerts": len(incident.firings),
            "why": why,
        }
        return Notification(
            key=key,
            summary=incident.summary,
            service=incident.service,
            source="gameday",
            links=Links(
                red=link("red"),
                traces=link("traces"),
                profile=link("profile"),
                runbook=link("runbook"),
            ),
            severity=Severity.CRITICAL,
            happened_at=incident.starts_at,
            incident=self._incident_url(incident.id),
            # Once the real rota is woken, it is no drill to them.
            drill=incident.drill is not None and to == "drill on-call",
            details={k: v for k, v in details.items() if v != ""},
        )
