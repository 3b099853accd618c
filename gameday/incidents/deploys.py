"""Deploys that the engine was told of, as the deploy timeline of an incident."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from gameday.diagnosis.changes import recent
from gameday.incidents.alerts import instant
from gameday.incidents.engine import Engine
from gameday.incidents.state import IncidentState
from gameday.model.page import Step
from gameday.model.signals import Deploy
from scoring.timeline import Fact, Kind

BEFORE = timedelta(minutes=30)
"""How far back the deploy timeline goes; what was live by then is told as well."""

BACK = timedelta(days=7)
"""How far back a source is asked for what was live then: most services are deployed once a week."""


async def told_deploys(engine: Engine, incident: IncidentState) -> Sequence[Deploy]:
    """Return the deploys of the service and of whatever the trace accuses, oldest first."""
    services = {incident.service, *_accused(incident.events)}
    since = incident.starts_at - BEFORE
    facts = [f for s in sorted(services) for f in await engine.deploys(s)]
    return recent([_deploy(f) for f in facts], since=since)


def _accused(events: Sequence[Fact]) -> set[str]:
    traces = [f for f in events if f.kind == Kind.FINDING and f.data.get("step") == Step.TRACE]
    detail = (traces[-1].data.get("detail") or {}) if traces else {}
    return {str(s) for s in (detail.get("service"), detail.get("downstream")) if s}


def _deploy(fact: Fact) -> Deploy:
    d = fact.data
    return Deploy(
        service=str(d.get("service")),
        revision=str(d.get("revision")),
        deployed_at=instant(d.get("deployed_at")) or fact.happened_at,
        region=str(d.get("region")) if d.get("region") else None,
        summary=str(d.get("summary") or ""),
    )
