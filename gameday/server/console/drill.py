"""A drill's one incident, as its console shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from gameday.errors import PlanRefused, SpecError
from gameday.incidents import Incident
from gameday.incidents.engine import NoSuchIncident
from gameday.incidents.state import RECOVERED_WITHIN, Phase, State
from gameday.model.page import Finding, Page, Step
from gameday.model.runbook import Runbook
from gameday.model.signals import Deploy
from gameday.ports import Role
from gameday.server.console.subject import Row, View, said_of
from gameday.server.sessions import Visitor
from gameday.spec.runbook import parse_runbook
from scoring.funnel import TARGETS
from scoring.timeline import Fact, Kind, Timeline

NAME = "drill"
"""The id of a drill's incident in URLs: it is the only one."""

SHOWN = (
    Kind.PAGE_RECEIVED,
    Kind.PAGE_RESOLVED,
    Kind.ACKNOWLEDGED,
    Kind.LINK_OPENED,
    Kind.FINDING,
    Kind.RUNBOOK_STEP,
    Kind.MITIGATION_STARTED,
    Kind.MITIGATION_APPLIED,
    "incident.noted",
)
"""What the on-call may see of the timeline. Whatever else is in it tells of the fault."""


class DrillIncidents:
    """The incident of one run."""

    acting = frozenset({Role.RESPONDER})
    is_single = True
    # A facilitator who acknowledges would be measured in place of the on-call.

    def __init__(self, incident: Incident) -> None:
        self._incident = incident
        self._runbook: Runbook | None = None
        self._runbook_missing = ""
        try:
            self._runbook = parse_runbook(incident.runbook, "runbook.md")
        except SpecError as error:
            self._runbook_missing = f"the runbook cannot be read: {error}"

    async def listed(self, *, limit: int, only_open: bool) -> Sequence[Row]:
        """Return the incident once there is a page."""
        if self._incident.page_sent is None:
            return ()
        v = await self.view(NAME)
        return (Row(v.id, v.service, v.slo, v.severity, v.state, v.paged_at, v.is_drill),)

    async def view(self, incident: str) -> View:
        """Return the incident as the on-call may see it."""
        page = self._page(incident)
        timeline = self._incident.timeline
        facts = timeline.of_kind(*SHOWN)
        said = said_of(facts)
        acked = timeline.first(Kind.ACKNOWLEDGED)
        cleared = _cleared(timeline)
        state = State.TRIGGERED
        if cleared is not None:
            state = State.RECOVERED
        elif said.is_mitigated:
            state = State.MITIGATED
        elif acked is not None:
            state = State.ACKNOWLEDGED
        return View(
            id=NAME,
            summary=page.summary,
            service=page.service,
            slo=page.slo,
            alert=page.alert,
            severity="SEV-2",
            state=str(state),
            is_open=True,
            is_drill=page.drill,
            fired_at=page.fired_at,
            paged_at=page.burn_until,
            now=self._incident.now(),
            window=page.window,
            burn_rate=page.burn_rate,
            burn_from=page.burn_from,
            short=self._incident.rate_window,
            slower=self._incident.latency_limit or timedelta(0),
            acked_at=acked.happened_at if acked else None,
            cleared_at=cleared.happened_at if cleared else None,
            phases=_phases(timeline, page, acked, cleared),
            said=said,
            roles={"on-call": "on-call"} if acked else {},
            runbook=self._runbook,
            runbook_missing=self._runbook_missing,
            takes=frozenset({"ack", "finding", "tick", "mitigate", "note"}),
            acts_for_you=True,
        )

    async def pulse(self, incident: str) -> str:
        """Return the facts that the on-call could see, counted, and the phases that are late."""
        if self._incident.page_sent is None:
            return "no page"
        seen = len(self._incident.timeline.of_kind(*SHOWN, Kind.ALERT_RESOLVED, Kind.ALERT_FIRED))
        view = await self.view(NAME)
        late = sum(1 for p in view.phases if p.at is None and p.is_late(view.now))
        return f"{seen}/{late}"

    async def deploys(self, incident: str) -> Sequence[Deploy]:
        """Return the deploy timeline."""
        return await self._incident.deploys()

    async def opened(self, incident: str, view: str, by: Visitor) -> None:
        """Put an opening on record; blame has no deeplink and leaves no mark."""
        self._page(incident)
        self._incident.open_link(view)

    async def acknowledge(self, incident: str, by: Visitor) -> None:
        """Acknowledge the page."""
        self._page(incident)
        self._incident.acknowledge()

    async def report(self, incident: str, finding: Finding, by: Visitor) -> None:
        """Put a finding on record."""
        self._page(incident)
        self._incident.report(finding)

    async def tick(self, incident: str, step: str, by: Visitor, *, done: bool, note: str) -> None:
        """Tick a runbook step."""
        self._page(incident)
        self._incident.tick(step, done=done, note=note)

    async def mitigate(
        self, incident: str, name: str, parameters: Mapping[str, str], by: Visitor
    ) -> tuple[bool, str]:
        """Do it to the target."""
        self._page(incident)
        return await self._incident.mitigate(name, parameters)

    async def note(self, incident: str, text: str, by: Visitor) -> None:
        """Put a note on record."""
        self._page(incident)
        self._incident.note(text)

    async def close(self, incident: str, word: str, text: str, by: Visitor) -> None:
        """Refuse: the run ends by itself."""
        raise PlanRefused("a drill's incident is closed by its run, when the alert has cleared")

    async def merge(self, incident: str, into: str, by: Visitor) -> None:
        """Refuse: a drill has one incident."""
        raise PlanRefused("a drill has one incident, and it is closed by its run")

    async def take(self, incident: str, role: str, by: Visitor) -> None:
        """Refuse: a drill has one on-call."""
        raise PlanRefused("in a drill there is one on-call, and nobody takes another role")

    def _page(self, incident: str) -> Page:
        page = self._incident.page_sent
        if incident != NAME or page is None:
            raise NoSuchIncident("there is no page yet")
        return page


def _cleared(timeline: Timeline) -> Fact | None:
    """Return the fact that cleared the last page branch; None while one fires."""
    fired = [f for f in timeline.of_kind(Kind.ALERT_FIRED) if f.data.get("severity") != "ticket"]
    ended = [f for f in timeline.of_kind(Kind.ALERT_RESOLVED) if f.data.get("severity") != "ticket"]
    return ended[-1] if fired and len(ended) >= len(fired) else None


def _phases(
    timeline: Timeline, page: Page, acked: Fact | None, cleared: Fact | None
) -> tuple[Phase, ...]:
    at = {"acked": acked.happened_at if acked else None}
    for step in (Step.RED, Step.TRACE, Step.PROFILE, Step.BLAME):
        found = [f for f in timeline.of_kind(Kind.FINDING) if f.data.get("step") == step]
        at[str(step)] = found[0].happened_at if found else None
    worked = [f for f in timeline.of_kind(Kind.MITIGATION_APPLIED) if f.data.get("ok")]
    at["mitigated"] = worked[0].happened_at if worked else None
    paged_at = page.burn_until
    phases = [
        Phase(name, "on-call", at[name], paged_at + target if target else None)
        for name, target in TARGETS.items()
        if name in at
    ]
    recovered = cleared.happened_at if cleared else None
    return (*phases, Phase("recovered", "on-call", recovered, paged_at + RECOVERED_WITHIN))
