"""The service's incidents, as its console shows them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gameday.incidents.alerts import instant
from gameday.incidents.engine import Engine
from gameday.incidents.paging import LinkOf
from gameday.model.page import Finding, Step
from gameday.model.runbook import Runbook
from gameday.model.signals import Deploy
from gameday.ports import Role
from gameday.quantity import duration
from gameday.server.console.subject import VIEWS, Row, View, said_of
from gameday.server.gate import Gate
from gameday.server.sessions import Visitor
from scoring.timeline import Fact, Kind

HOUR = timedelta(hours=1)
"""The long window of the first page branch: what burned where the alert does not say."""

BEFORE = timedelta(minutes=30)
"""How far back the deploy timeline goes."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """What is looked up beside an incident.

    Attributes:
        runbook: alert → its runbook; slower: SLO → from when on a request breaks it.
        time_scale: SLO → how many times faster its time runs.
    """

    runbook: Callable[[str], Runbook | None]
    slower: Callable[[str], timedelta]
    time_scale: Callable[[str], Awaitable[float]]


class GateDoors:
    """The tokens of the service as doors of its console."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def enter(self, secret: str) -> Visitor | None:
        """Return whose token this is."""
        token = await self._gate.recognise(f"Bearer {secret}")
        return Visitor(token.id, token.role, token.name) if token else None

    async def known(self, id: str) -> Visitor | None:
        """Return who came in with this token, while it is in force."""
        token = await self._gate.by_id(id)
        return Visitor(token.id, token.role, token.name) if token else None


class ServedIncidents:
    """The incidents of the engine."""

    acting = frozenset({Role.RESPONDER, Role.FACILITATOR})
    is_single = False

    def __init__(
        self, engine: Engine, *, link_of: LinkOf, templates: Mapping[str, str], lookup: Lookup
    ) -> None:
        self._engine = engine
        self._link_of = link_of
        self._templates = templates
        self._lookup = lookup

    async def listed(self, *, limit: int, only_open: bool) -> Sequence[Row]:
        """Return incidents, newest first."""
        return [
            Row(r.id, r.service, r.slo, r.severity, r.state, r.opened_at, r.drill is not None)
            for r in await self._engine.listed(limit=limit, only_open=only_open)
        ]

    async def view(self, incident: str) -> View:
        """Return an incident as it stands now."""
        state = await self._engine.state(incident)
        labels = state.first.told.labels
        long = labels.get("long_window", "")
        scale = await self._lookup.time_scale(state.slo)
        window = _window(long) / scale
        alert = state.first.told.name
        runbook = self._lookup.runbook(alert)
        named = state.first.told.annotations.get("runbook_url", "")
        told = f"; the alert names {named}" if named else ""
        return View(
            id=state.id,
            summary=state.summary,
            service=state.service,
            slo=state.slo,
            alert=alert,
            severity=state.severity,
            state=str(state.state),
            is_open=state.is_open,
            is_drill=state.drill is not None,
            fired_at=state.starts_at,
            paged_at=state.reopened_at or state.paged_at,
            now=state.now,
            window=long,
            burn_from=state.starts_at - window,
            short=max(timedelta(seconds=5), min(window, HOUR / scale) / 12),
            slower=self._lookup.slower(state.slo),
            acked_at=state.acked_at,
            cleared_at=state.cleared_at,
            closed_at=state.closed_at,
            phases=state.phases,
            said=said_of(state.events),
            roles=state.roles,
            runbook=runbook,
            runbook_missing=f"no runbook here belongs to the alert {alert!r}{told}",
            tools={
                v: self._link_of(state.id, v, state.paged_at)
                for v in VIEWS
                if self._templates.get(v)
            },
            takes=frozenset(
                {"ack", "finding", "tick", "mitigate", "note", "close", "merge", "role"}
            ),
        )

    async def pulse(self, incident: str) -> str:
        """Return state, alerts that fire, words, and who is late."""
        state = await self._engine.state(incident)
        return f"{state.state}/{state.firing}/{len(state.events)}/{len(state.late)}"

    async def deploys(self, incident: str) -> Sequence[Deploy]:
        """Return the deploys of the service and of whatever the trace accuses, oldest first."""
        state = await self._engine.state(incident)
        trace = said_of(state.events).findings.get(Step.TRACE)
        services = {state.service, *_accused(trace)}
        since = state.starts_at - BEFORE
        facts = [f for s in sorted(services) for f in await self._engine.deploys(s)]
        found = [_deploy(f) for f in facts if f.happened_at >= since]
        return sorted(found, key=lambda d: d.deployed_at)

    async def opened(self, incident: str, view: str, by: Visitor) -> None:
        """Put an opening on record."""
        await self._engine.opened(incident, view, by=by.name)

    async def acknowledge(self, incident: str, by: Visitor) -> None:
        """Acknowledge it."""
        await self._say(incident, Kind.ACKNOWLEDGED, {}, by)

    async def report(self, incident: str, finding: Finding, by: Visitor) -> None:
        """Put a finding on record."""
        await self._say(incident, Kind.FINDING, finding.model_dump(mode="json"), by)

    async def tick(self, incident: str, step: str, by: Visitor, *, done: bool, note: str) -> None:
        """Put a runbook step on record."""
        data = {"step": step, "done": done, "note": note}
        await self._say(incident, Kind.RUNBOOK_STEP, data, by)

    async def mitigate(
        self, incident: str, name: str, parameters: Mapping[str, str], by: Visitor
    ) -> tuple[bool, str]:
        """Put on record that somebody did it; the service itself does nothing to anybody."""
        words = " ".join([name, *(f"{k}={v}" for k, v in parameters.items())])
        data = {"name": name, "parameters": dict(parameters), "ok": True, "detail": words}
        await self._say(incident, Kind.MITIGATION_APPLIED, data, by)
        return True, words

    async def note(self, incident: str, text: str, by: Visitor) -> None:
        """Put a note on record."""
        await self._say(incident, Kind.NOTED, {"text": text}, by)

    async def close(self, incident: str, word: str, text: str, by: Visitor) -> None:
        """Close it."""
        kind = Kind.FALSE_ALARM if word == "false-alarm" else Kind.RESOLVED
        await self._say(incident, kind, {"text": text, "anyway": False}, by)

    async def merge(self, incident: str, into: str, by: Visitor) -> None:
        """Close it, because another incident is the same trouble."""
        await self._say(incident, Kind.MERGED, {"into": into}, by)

    async def take(self, incident: str, role: str, by: Visitor) -> None:
        """Take a role."""
        await self._say(incident, Kind.ROLE_TAKEN, {"role": role, "name": by.name}, by)

    async def _say(self, incident: str, kind: str, data: Mapping[str, object], by: Visitor) -> None:
        await self._engine.say(incident, kind, data, by=by.name, source="responder")


def _window(nominal: str) -> timedelta:
    try:
        return duration(nominal)
    except ValueError:
        return HOUR


def _accused(trace: Finding | None) -> set[str]:
    if trace is None:
        return set()
    return {str(s) for s in (trace.detail.get("service"), trace.detail.get("downstream")) if s}


def _deploy(fact: Fact) -> Deploy:
    d = fact.data
    at: datetime = instant(d.get("deployed_at")) or fact.happened_at
    return Deploy(
        service=str(d.get("service")),
        revision=str(d.get("revision")),
        deployed_at=at,
        region=str(d.get("region")) if d.get("region") else None,
        summary=str(d.get("summary") or ""),
    )
