"""The engine's incidents, as a console shows them: the service's, or those of one drill."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from gameday.incidents.engine import Engine, NoSuchIncident
from gameday.incidents.lookup import Lookup
from gameday.incidents.paging import HOUR, LinkOf, labelled
from gameday.incidents.state import IncidentState
from gameday.model.page import Finding, Step
from gameday.model.signals import Deploy
from gameday.ports import Role
from gameday.server.console.subject import VIEWS, Row, Tried, View, said_of
from gameday.server.gate import Denied
from gameday.server.sessions import Visitor
from scoring.effect import mitigation_effects
from scoring.expectation import Expectation
from scoring.run_facts import RunFacts
from scoring.timeline import Fact, Kind, Timeline

FactsOf = Callable[[str], Sequence[Fact]]
"""(run) → all its facts; may block."""

SHORTEST = timedelta(seconds=5)
"""Rates look back no less: a scrape or two."""

IN_A_DRILL = frozenset({"ack", "finding", "tick", "mitigate", "note"})
"""What a drill's incident takes while its run goes on, which closes it itself."""

ALWAYS = IN_A_DRILL | {"close", "merge", "role"}


class EngineIncidents:
    """The incidents of an engine.

    Args:
        link_of: makes the deeplinks that lead to tools elsewhere.
        facts_of: reads what a drill has measured, by which its mitigations are judged.
        only: the run whose incidents are shown; None: all are.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        link_of: LinkOf,
        lookup: Lookup,
        facts_of: FactsOf,
        only: str | None = None,
    ) -> None:
        self._engine = engine
        self._link_of = link_of
        self._lookup = lookup
        self._facts_of = facts_of
        self._only = only

    @property
    def acting(self) -> frozenset[Role]:
        """The roles that may change incidents at all."""
        # A facilitator who answers a drill would be measured in place of the on-call.
        return frozenset({Role.RESPONDER} if self._only else {Role.RESPONDER, Role.FACILITATOR})

    @property
    def is_single(self) -> bool:
        """Whether there is one incident to wait for: a drill's."""
        return self._only is not None

    async def listed(self, *, limit: int, only_open: bool) -> Sequence[Row]:
        """Return incidents, newest first."""
        found = await self._engine.listed(limit=limit, only_open=only_open)
        return [
            Row(r.id, r.service, r.slo, r.severity, r.state, r.opened_at, r.drill is not None)
            for r in found
            if self._only in (None, r.drill)
        ]

    async def view(self, incident: str) -> View:
        """Return an incident as it stands now; `NoSuchIncident` where there is none."""
        state = await self._state(incident)
        scale = await self._lookup.time_scale(state.slo)
        window = (await labelled(state)).window / scale
        told = state.first.told
        named = told.annotations.get("runbook_url", "")
        elsewhere = f"; the alert names {named}" if named else ""
        is_performed = self._engine.is_performed(state)
        said = said_of(state.events)
        return View(
            id=state.id,
            summary=state.summary,
            service=state.service,
            slo=state.slo,
            alert=told.name,
            severity=state.severity,
            state=str(state.state),
            is_open=state.is_open,
            is_drill=state.drill is not None,
            fired_at=state.starts_at,
            paged_at=state.again_at or state.paged_at,
            now=state.now,
            window=told.labels.get("long_window", ""),
            burn_rate=_burn_rate(state.events),
            remarks=told.remarks,
            burn_from=min(state.starts_at, state.paged_at) - window,
            short=max(SHORTEST, min(window, HOUR / scale) / 12),
            slower=self._lookup.slower(state.slo),
            acked_at=state.acked_at,
            cleared_at=state.cleared_at,
            closed_at=state.closed_at,
            phases=state.phases,
            said=replace(said, mitigations=await self._judged(state, said.mitigations)),
            roles=state.roles,
            runbook=self._lookup.runbook(told.name),
            runbook_missing=f"no runbook here belongs to the alert {told.name!r}{elsewhere}",
            tools={
                v: self._link_of(state.id, v, state.paged_at)
                for v in VIEWS
                if self._lookup.destinations.is_chosen(v)
            },
            takes=IN_A_DRILL if is_performed else ALWAYS,
            acting=self.acting - ({Role.FACILITATOR} if is_performed else set()),
            acts_for_you=is_performed,
        )

    async def pulse(self, incident: str) -> str:
        """Return a text that is another one whenever a page would look different."""
        state = await self._state(incident)
        tried = await self._judged(state, said_of(state.events).mitigations)
        effects = ",".join(str(one.effect.effect) if one.effect else "" for one in tried)
        return f"{state.state}/{state.firing}/{len(state.events)}/{len(state.late)}/{effects}"

    async def _judged(self, state: IncidentState, tried: Sequence[Tried]) -> tuple[Tried, ...]:
        """Return what was tried in a drill with what it did to users, as the scorecard judges."""
        if state.drill is None or not any(one.ok for one in tried):
            return tuple(tried)
        timeline = Timeline.of(await asyncio.to_thread(self._facts_of, state.drill))
        found = mitigation_effects(RunFacts(timeline, Expectation(state.slo, "")))
        effects = {(one.name, one.applied_at): one for one in found}
        return tuple(replace(one, effect=effects.get((one.name, one.at))) for one in tried)

    async def deploys(self, incident: str) -> Sequence[Deploy]:
        """Return what went live before and during it, oldest first."""
        return await self._lookup.deploys(await self._state(incident))

    async def opened(self, incident: str, view: str, by: Visitor) -> None:
        """Put on record that a responder opened one of its views."""
        if await self._may(incident, by):
            await self._engine.opened(incident, view, by=by.name)

    async def acknowledge(self, incident: str, by: Visitor) -> None:
        """Put on record that somebody has it."""
        await self._say(incident, Kind.ACKNOWLEDGED, {}, by)

    async def report(self, incident: str, finding: Finding, by: Visitor) -> None:
        """Put the finding of one step on record."""
        await self._say(incident, Kind.FINDING, finding.model_dump(mode="json"), by)

    async def hint(self, incident: str, step: Step, by: Visitor) -> None:
        """Put on record that the machine's reading of one step was asked for; once is enough."""
        await self._refuse_unless_may(incident, by)
        if step not in (await self.view(incident)).said.hints:
            await self._say(incident, Kind.HINT_ASKED, {"step": str(step)}, by)

    async def tick(self, incident: str, step: str, by: Visitor, *, done: bool, note: str) -> None:
        """Put on record that a runbook step was done, or skipped and why."""
        data = {"step": step, "done": done, "note": note}
        await self._say(incident, Kind.RUNBOOK_STEP, data, by)

    async def mitigate(
        self, incident: str, name: str, parameters: Mapping[str, str], by: Visitor
    ) -> tuple[bool, str]:
        """Have it done, or put on record that somebody did it; return (whether it worked, what)."""
        if self._engine.is_performed(await self._state(incident)):
            await self._refuse_unless_may(incident, by)
            fact = await self._engine.mitigate(incident, name, parameters, by=by.name)
            return bool(fact.data["ok"]), str(fact.data["detail"])
        words = " ".join([name, *(f"{k}={v}" for k, v in parameters.items())])
        data = {"name": name, "parameters": dict(parameters), "ok": True, "detail": words}
        await self._say(incident, Kind.MITIGATION_APPLIED, data, by)
        return True, words

    async def note(self, incident: str, text: str, by: Visitor) -> None:
        """Put a sentence on record."""
        await self._say(incident, Kind.NOTED, {"text": text}, by)

    async def close(self, incident: str, word: str, text: str, by: Visitor) -> None:
        """Close it: ``resolve`` or ``false-alarm``."""
        kind = Kind.FALSE_ALARM if word == "false-alarm" else Kind.RESOLVED
        await self._say(incident, kind, {"text": text, "anyway": False}, by)

    async def merge(self, incident: str, into: str, by: Visitor) -> None:
        """Close it, because another incident is the same trouble."""
        await self._say(incident, Kind.MERGED, {"into": into}, by)

    async def take(self, incident: str, role: str, by: Visitor) -> None:
        """Put on record that somebody is commander, on-call or scribe from now on."""
        await self._say(incident, Kind.ROLE_TAKEN, {"role": role, "name": by.name}, by)

    async def _say(self, incident: str, kind: str, data: Mapping[str, object], by: Visitor) -> None:
        await self._refuse_unless_may(incident, by)
        await self._engine.say(incident, kind, data, by=by.name, source="responder")

    async def _state(self, incident: str) -> IncidentState:
        state = await self._engine.state(incident)
        if self._only not in (None, state.drill):
            raise NoSuchIncident(f"there is no incident {incident!r} of this drill")
        return state

    async def _may(self, incident: str, by: Visitor) -> bool:
        is_performed = self._engine.is_performed(await self._state(incident))
        return by.role is not Role.FACILITATOR or not is_performed

    async def _refuse_unless_may(self, incident: str, by: Visitor) -> None:
        if not await self._may(incident, by):
            raise Denied(403, "a facilitator does not answer in place of a drill's on-call")


def _burn_rate(events: Sequence[Fact]) -> float | None:
    pages = [f.data.get("page") or {} for f in events if f.kind == Kind.PAGE_DELIVERED]
    return next((p["burn_rate"] for p in pages if p.get("burn_rate") is not None), None)
