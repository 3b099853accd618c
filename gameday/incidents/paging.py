"""Taking an incident's pages to people: what is said, and through whose pager."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from gameday.incidents.calls import PagerCall
from gameday.incidents.duties import Act, Duty, urgency
from gameday.incidents.state import IncidentState
from gameday.model.notification import Notification, always, notification
from gameday.model.page import Links, Page
from gameday.ports import Pager
from gameday.quantity import duration

LinkOf = Callable[[str, str, datetime], str]
"""(incident, view, when it was paged) → the URL of its deeplink."""

NOBODY = "no pager is configured; it stands in the list of incidents"

MOST_NAMED = 50
"""Incidents that a shared page names; the list it leads to has them all."""

HOUR = timedelta(hours=1)
"""The long window of the first page branch: what burned where the alert does not say."""


@dataclass(frozen=True, slots=True)
class Burn:
    """How an incident's budget burned when it was paged.

    Attributes:
        window: the long window of the branch that fired, in real time.
        rate: how many times too fast; None: nobody measured it.
    """

    window: timedelta = HOUR
    rate: float | None = None


async def labelled(incident: IncidentState) -> Burn:
    """Return what the alert's own labels say of the burn."""
    try:
        return Burn(duration(incident.first.told.labels.get("long_window", "")))
    except ValueError:
        return Burn()


class Paging:
    """The pagers by role, and the links that their pages carry.

    Args:
        pagers: per role (``on-call``, ``rota``, ``drill on-call``); a role without one sees its
            pages in the list of incidents and is not called.
        link_of: makes the deeplinks.
        incident_url: makes the URL of an incident for people; api_url: for programs.
        list_url: makes the URL of the list of a service's incidents.
        burn: measures how the budget burns.
    """

    def __init__(
        self,
        pagers: Mapping[str, Pager],
        *,
        link_of: LinkOf = lambda *_: "",
        incident_url: Callable[[str], str] = lambda _: "",
        api_url: Callable[[str], str] = lambda _: "",
        list_url: Callable[[str], str] = lambda _: "",
        burn: Callable[[IncidentState], Awaitable[Burn]] = labelled,
    ) -> None:
        self._pagers = dict(pagers)
        self._link_of = link_of
        self._incident_url = incident_url
        self._api_url = api_url
        self._list_url = list_url
        self._burn = burn

    def reaches(self, role: str) -> bool:
        """Return whether a role has a pager."""
        return role in self._pagers

    async def page(
        self, call: PagerCall, *, is_wanted: Callable[[], bool] = always
    ) -> Sequence[Mapping[str, Any]]:
        """Page the role; return what was accepted, for each part of the call in its order.

        Args:
            is_wanted: whether anybody still has to be woken by it, asked before each try.

        Raises:
            NotWanted: nobody had any more before it was tried.
            DriverError: it could not be.
        """
        lead, duty = call.lead, call.duty
        pager = self._pagers.get(duty.to)
        if pager is None:
            return [{"accepted": NOBODY} for _ in call.parts]
        page = self._page(lead, await self._burn(lead))
        said = self._notification(lead, page, replace(duty, keys=(call.key,)))
        sent = replace(said, is_wanted=is_wanted)
        receipt = await pager.page(self._told_together(sent, call) if call.is_shared else sent)
        accepted = "; ".join((f"{receipt.pager} accepted it", *receipt.notes))
        pages = [page, *(self._page(one, Burn()) for one, _ in call.parts[1:])]
        return [{"accepted": accepted, "page": p.model_dump(mode="json")} for p in pages]

    async def acknowledge(self, call: PagerCall) -> str:
        """Tell the pagers of these pages that somebody has it."""
        for pager, sent in self._sent(call.lead, call.duty):
            await pager.acknowledge(sent)
        return "the pagers know that somebody has it"

    async def resolve(self, call: PagerCall) -> str:
        """Tell the pagers of these pages that it is over."""
        for pager, sent in self._sent(call.lead, call.duty):
            await pager.resolve(sent)
        return "the pagers know that it is over"

    def _sent(self, incident: IncidentState, duty: Duty) -> Sequence[tuple[Pager, Notification]]:
        page = self._page(incident, Burn())
        return [
            (
                self._pagers[held.to],
                replace(
                    self._notification(
                        incident, page, Duty("", Act.PAGE, held.to, "", held.level, (held.key,))
                    ),
                    urgency=urgency(incident, duty),
                ),
            )
            for held in incident.held
            if held.key in duty.keys and held.to in self._pagers
        ]

    def _told_together(self, sent: Notification, call: PagerCall) -> Notification:
        """Return the lead's page as one of all that the call tells of."""
        lead, ids = call.lead, call.told
        more = len(ids) - MOST_NAMED
        named = ", ".join(ids[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
        summary = (
            f"{len(ids)} incidents of {lead.service}, {lead.severity}, in one page;"
            f" the first: {lead.summary}"
        )
        return replace(
            sent,
            summary=summary,
            incident=self._list_url(lead.service),
            details={**sent.details, "incidents": len(ids), "told_of": named},
        )

    def _page(self, incident: IncidentState, burn: Burn) -> Page:
        def link(view: str) -> str:
            return self._link_of(incident.id, view, incident.paged_at)

        labels = incident.first.told.labels
        return Page(
            incident=self._api_url(incident.id),
            service=incident.service,
            slo=incident.slo,
            alert=incident.first.told.name,
            burn_rate=burn.rate,
            window=labels.get("long_window", ""),
            fired_at=incident.starts_at,
            burn_from=min(incident.starts_at, incident.paged_at) - burn.window,
            burn_until=incident.paged_at,
            links=Links(
                red=link("red"),
                traces=link("traces"),
                profile=link("profile"),
                runbook=link("runbook"),
            ),
            summary=incident.summary,
            drill=incident.drill is not None,
        )

    def _notification(self, incident: IncidentState, page: Page, duty: Duty) -> Notification:
        labels = incident.first.told.labels
        said = {
            "severity": incident.severity,
            "burn_rate": page.burn_rate or labels.get("burn_rate", ""),
            "alerts": len(incident.firings),
            "why": duty.why,
            "remarks": "; ".join(incident.first.told.remarks),
        }
        # Once the real rota is woken, it is no drill to them.
        is_drill = page.drill and duty.to == "drill on-call"
        said_of = notification(
            page.model_copy(update={"drill": is_drill}),
            key=duty.keys[0],
            source="gameday",
            incident=self._incident_url(incident.id),
            details={k: v for k, v in said.items() if v != ""},
        )
        return replace(said_of, urgency=urgency(incident, duty))
