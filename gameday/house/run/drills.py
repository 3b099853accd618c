"""What the runs that go on explain, out of their facts: for the engine that has to know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import yaml

from gameday.incidents.routing import Drill
from gameday.model.plan_record import recorded
from gameday.model.scenario import TargetKind
from gameday.model.severity import IncidentSeverity
from gameday.ports import Store
from scoring.paging import DELIVERY
from scoring.slo import Severity
from scoring.timeline import Fact, Kind
from scoring.timing import theory_limit


def drills_of(runs: Store) -> Sequence[Drill]:
    """Return what the runs that go on explain; a run without a fault yet explains nothing."""
    found = (
        drill_of(record.id, runs.facts(record.id), runs.documents(record.id))
        for record in runs.runs(limit=20)
        if record.ended_at is None
    )
    return tuple(d for d in found if d is not None)


def drill_of(run: str, facts: Sequence[Fact], documents: Mapping[str, str]) -> Drill | None:
    """Return what one run explains; None before its first fault and after its end.

    Args:
        documents: the texts the run was planned from.
    """
    injected = [f.happened_at for f in facts if f.kind == Kind.FAULT_INJECTED]
    plan = recorded(facts)
    if not injected or plan is None or any(f.kind == Kind.RUN_ENDED for f in facts):
        return None
    begins = min((f.at_seconds for f in plan.faults), default=0.0)
    lasts = max((f.at_seconds + f.duration_seconds for f in plan.faults), default=0.0) - begins
    resets = (
        theory_limit(b.resets_after_s, b.resets_at_latest_s)
        for b in plan.branches
        if b.severity is Severity.PAGE and b.resets_after_s is not None
    )
    clears = max([0.0, *resets])
    since = min(injected)
    scenario = yaml.safe_load(documents.get("scenario") or "{}") or {}
    expect = (scenario.get("spec") or {}).get("expect") or {}
    return Drill(
        run=run,
        service=plan.service,
        slo=plan.slo,
        collateral=frozenset(expect.get("collateral") or ()),
        since=since,
        until=since + timedelta(seconds=lasts + clears) + DELIVERY,
        severity=IncidentSeverity.named((scenario.get("metadata") or {}).get("severity")),
        is_disposable=is_disposable(plan.target, plan.time_scale),
    )


def is_disposable(target: str, time_scale: float) -> bool:
    """Return whether nobody is on call for a target: the sandbox, and wherever time is compressed.

    Time is compressed only where the settings or the programme call a target disposable.
    """
    return target == TargetKind.SANDBOX or time_scale != 1
