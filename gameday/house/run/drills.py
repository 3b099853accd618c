"""What the runs that go on explain, out of their facts: for the engine that has to know."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from gameday.errors import GamedayError, SpecError
from gameday.incidents.routing import Drill
from gameday.model.plan_record import recorded
from gameday.model.scenario import TargetKind
from gameday.model.severity import IncidentSeverity
from gameday.ports import RunRecord, Store
from gameday.quantity import duration
from gameday.spec.document import parse_documents, separated
from scoring.paging import DELIVERY
from scoring.slo import Severity
from scoring.timeline import Fact, Kind
from scoring.timing import theory_limit

_log = logging.getLogger(__name__)


LONGEST_RESET = timedelta(hours=6)
"""The longest window that pages, by the SRE Workbook's table: what a reset lasts at most, where no
prediction can be read."""

LONGEST_FAULT = timedelta(hours=24)
"""What a fault lasts at most, where not even its scenario can be read."""


def drills_of(runs: Store, *, now: datetime) -> Sequence[Drill]:
    """Return what the runs that go on explain; a run without a fault yet explains nothing.

    A run whose record cannot be read goes on, for as long as it possibly can: taken for ended, its
    pages would go to the real rota.
    """
    found = (_going_on(runs, record, now) for record in runs.runs(limit=20) if not record.ended_at)
    return tuple(d for d in found if d is not None)


def _going_on(runs: Store, record: RunRecord, now: datetime) -> Drill | None:
    documents: Mapping[str, str] = {}
    facts: Sequence[Fact] | None = None
    try:
        documents = runs.documents(record.id)
        facts = runs.facts(record.id)
        return drill_of(record.id, facts, documents)
    except (GamedayError, KeyError, TypeError, ValueError, AttributeError) as error:
        _log.warning("a run that goes on cannot be read run=%s error=%s", record.id, error)
    kinds = None if facts is None else {f.kind for f in facts}
    if kinds is not None and (Kind.RUN_ENDED in kinds or Kind.FAULT_INJECTED not in kinds):
        return None
    unread = _unread(record, facts, documents)
    return unread if now <= unread.until else None


def _unread(record: RunRecord, facts: Sequence[Fact] | None, documents: Mapping[str, str]) -> Drill:
    """Return what a run explains by what can be read of it: as long, and as little, as can be."""
    scenario = _read(documents)
    expect, metadata = scenario.get("spec", {}).get("expect", {}), scenario.get("metadata", {})
    slo = str(scenario.get("spec", {}).get("slo", ""))
    lasts = LONGEST_FAULT
    with suppress(ValueError, TypeError, KeyError, AttributeError):
        faults = scenario["spec"]["faults"]
        lasts = max(duration(f.get("at", "0s")) + duration(f["duration"]) for f in faults)
    service = ""
    with suppress(SpecError, AttributeError):
        read = parse_documents(documents.get("slo", ""), documents.get("slo_path", ""))
        for document in (d.data for d in separated(read)):
            if document.get("metadata", {}).get("name") == slo:
                service = str(document.get("spec", {}).get("service", ""))
    injected = [f.happened_at for f in facts or () if f.kind == Kind.FAULT_INJECTED]
    since = min(injected, default=record.started_at)
    collateral = expect.get("collateral") if isinstance(expect, dict) else None
    return Drill(
        run=record.id,
        service=service,
        slo=slo,
        collateral=frozenset(map(str, collateral or ())),
        since=since,
        until=since + lasts + LONGEST_RESET + DELIVERY,
        severity=IncidentSeverity.named((metadata or {}).get("severity")),
        is_disposable=is_disposable(record.target, 1),
    )


def _read(documents: Mapping[str, str]) -> Mapping[str, Any]:
    try:
        found = _scenario(documents)
    except SpecError:
        return {}
    return found if isinstance(found.get("spec"), dict) else {}


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
    scenario = _scenario(documents)
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


def _scenario(documents: Mapping[str, str]) -> Mapping[str, Any]:
    """Return what a kept scenario says, read as it was when the run was planned; may be empty.

    Raises:
        SpecError: it cannot be read.
    """
    text = documents.get("scenario", "")
    if not text.strip():
        return {}
    data = parse_documents(text, documents.get("scenario_path", ""))[0].data
    return data if isinstance(data, dict) else {}


def is_disposable(target: str, time_scale: float) -> bool:
    """Return whether nobody is on call for a target: the sandbox, and wherever time is compressed.

    Time is compressed only where the settings or the programme call a target disposable.
    """
    return target == TargetKind.SANDBOX or time_scale != 1
