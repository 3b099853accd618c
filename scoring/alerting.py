"""Whether the alert did as it must: fired in time, or kept silent where silence was expected."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from scoring.run_facts import BEAT_WITHIN, RunFacts, seconds_between
from scoring.timeline import Kind
from scoring.timing import theory_limit
from scoring.verdict import Verdict

NO_BEAT = "no beat of the watchdog came around its deadline, so nothing follows from that"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """When the alert fired, and when it had to.

    Attributes:
        injected_at: first injection.
        fired_at: first firing evaluation, by Prometheus.
        paged_at: when the page arrived.
        pending_at: first evaluation at which the condition held, by Prometheus.
        cleared_at: evaluation at which the last branch no longer fired; None: one still does.
        delivery_seconds: from the firing to the page's arrival, over two clocks.
        resolution_seconds: how coarse ``pending_at``, ``fired_at`` and ``cleared_at`` are: one
            evaluation interval; what they tell of happened up to that much earlier. None: not
            known.
        seconds: injection to firing.
        planned_seconds: predicted before the run, from the declared error ratio.
        predicted_seconds: recomputed from the raw counters; None: not known, or it must not fire.
        upper_seconds: the same for the unluckiest phase of the evaluation grid.
        within_seconds: the limit it was judged against.
        ratio: seconds / predicted_seconds.
        windows_full: whether Prometheus held the whole history of the windows.
        windows_clean: whether they held no bad events of an earlier fault when this one began.
        history_ratio: the share of the SLO's period that Prometheus really held, 0–1.
        budget_spent_ratio: share of the period's budget this run has spent.
        verdict: whether it fired in time, or kept silent where it should.
        reason: one sentence on the verdict; empty where there is nothing to say.
        evidence: ids of the facts it rests on.
    """

    injected_at: datetime | None = None
    fired_at: datetime | None = None
    paged_at: datetime | None = None
    pending_at: datetime | None = None
    cleared_at: datetime | None = None
    delivery_seconds: float | None = None
    resolution_seconds: float | None = None
    seconds: float | None = None
    planned_seconds: float | None = None
    predicted_seconds: float | None = None
    upper_seconds: float | None = None
    within_seconds: float | None = None
    ratio: float | None = None
    windows_full: bool | None = None
    windows_clean: bool | None = None
    history_ratio: float | None = None
    budget_spent_ratio: float | None = None
    verdict: Verdict
    reason: str = ""
    evidence: tuple[str, ...] = ()


def detect(incident: RunFacts) -> Detection:
    """Return when the alert of this incident fired, and when it had to."""
    injected, page, fired_at = incident.injected, incident.page, incident.fired_at
    measured = incident.measurement("detection")
    plan = incident.timeline.last(Kind.PLAN_MADE)
    planned = plan.data.get("predicted_seconds") if plan else None
    predicted = incident.number("detection", "predicted_seconds")
    declared = incident.expectation.within
    seconds = seconds_between(injected.happened_at, fired_at) if injected and fired_at else None
    within = declared.total_seconds() if declared else None
    if within is None and predicted is not None and incident.expectation.alert is not None:
        within = theory_limit(predicted, incident.number("detection", "upper_seconds"))
    facts = (injected, incident.fired, page, measured)
    unjudged = Detection(
        injected_at=injected.happened_at if injected else None,
        fired_at=fired_at,
        paged_at=page.happened_at if page else None,
        pending_at=_pending_at(incident),
        cleared_at=incident.cleared.happened_at if incident.cleared else None,
        delivery_seconds=seconds_between(fired_at, page.happened_at) if page and fired_at else None,
        resolution_seconds=plan_number(incident, "evaluation_seconds"),
        seconds=seconds,
        planned_seconds=planned,
        predicted_seconds=predicted,
        upper_seconds=incident.number("detection", "upper_seconds"),
        within_seconds=within,
        ratio=seconds / predicted if seconds is not None and predicted else None,
        windows_full=measured.data.get("windows_full") if measured else None,
        windows_clean=measured.data.get("windows_clean") if measured else None,
        history_ratio=incident.number("detection", "history_ratio"),
        budget_spent_ratio=incident.number("detection", "budget_spent_ratio"),
        verdict=Verdict.UNKNOWN,
        evidence=tuple(f.id for f in facts if f is not None),
    )
    if injected is None:
        reason = "no fault was injected"
        return replace(unjudged, verdict=Verdict.NOT_APPLICABLE, reason=reason)
    if incident.expectation.alert is None:
        return _silence(unjudged, incident)
    if seconds is None:
        return _not_fired(unjudged, incident)
    if _restarted(incident):
        reason = "it fired; Prometheus restarted meanwhile, which may have shifted when"
        return replace(unjudged, reason=reason)
    if within is None:
        return replace(unjudged, reason=f"it fired; {_why_no_theory(incident)}")
    if seconds <= within:
        return replace(unjudged, verdict=Verdict.MET)
    late = f"it fired after {seconds:.1f} s, {seconds - within:.1f} s too late"
    if incident.heard_at(injected.happened_at + timedelta(seconds=within)) is None:
        return replace(unjudged, reason=f"{late}; {NO_BEAT}")
    return replace(unjudged, verdict=Verdict.MISSED, reason=late)


def plan_number(incident: RunFacts, key: str) -> float | None:
    """Return a number of the run's plan; None where it has none."""
    plan = incident.timeline.last(Kind.PLAN_MADE)
    value = plan.data.get(key) if plan else None
    return float(value) if isinstance(value, int | float) else None


def _pending_at(incident: RunFacts) -> datetime | None:
    stamp = incident.fired.data.get("active_at") if incident.fired else None
    return datetime.fromisoformat(stamp) if isinstance(stamp, str) and stamp else None


def _restarted(incident: RunFacts) -> bool:
    """Return whether Prometheus began anew between the injection and the end of the reading.

    It rebuilds then since when an alert is active, and is told nothing of what it missed.
    """
    measured, injected = incident.measurement("detection"), incident.injected
    stamp = measured.data.get("prometheus_started_at") if measured else None
    if injected is None or not isinstance(stamp, str):
        return False
    return datetime.fromisoformat(stamp) > injected.happened_at


def _why_no_theory(incident: RunFacts) -> str:
    measured = incident.measurement("detection")
    if measured is not None and measured.data.get("unpredicted"):
        return f"when it had to is not known: {measured.data['unpredicted']}"
    if measured is None:
        return "when it had to could not be recomputed from the counters"
    return "by the counters it did not have to"


def _silence(unjudged: Detection, incident: RunFacts) -> Detection:
    """Judge a run in which the alert must keep silent, and must have been able to speak."""
    if unjudged.fired_at is not None:
        reason = "it fired, and silence was expected"
        return replace(unjudged, verdict=Verdict.MISSED, reason=reason)
    absent = _absent(incident, None)
    if absent is not None:
        verdict, reason, evidence = absent
        return replace(
            unjudged, verdict=verdict, reason=reason, evidence=(*unjudged.evidence, *evidence)
        )
    pipeline = incident.measurement("pipeline")
    evidence = (*unjudged.evidence, *((pipeline.id,) if pipeline else ()))
    if pipeline is None or pipeline.data.get("alive") is not True:
        reason = "silent, but the pipeline was not proven alive"
        return replace(unjudged, reason=reason, evidence=evidence)
    assert unjudged.injected_at is not None  # the caller has seen the injection
    gap = incident.longest_without_beat(unjudged.injected_at, pipeline.happened_at)
    if gap > BEAT_WITHIN:
        reason = f"silent, but for {gap.total_seconds():.0f} s no beat of the watchdog came"
        return replace(unjudged, reason=reason, evidence=evidence)
    return replace(unjudged, verdict=Verdict.MET, reason="silent, as expected", evidence=evidence)


def _not_fired(unjudged: Detection, incident: RunFacts) -> Detection:
    """Judge an alert that was awaited and is not known to have fired."""
    limit = unjudged.within_seconds
    if limit is None:
        limit = plan_number(incident, "due_seconds")
    if limit is None and unjudged.planned_seconds is not None:
        limit = theory_limit(unjudged.planned_seconds, None)
    absent = _absent(incident, limit)
    if absent is not None:
        verdict, reason, evidence = absent
        return replace(
            unjudged, verdict=verdict, reason=reason, evidence=(*unjudged.evidence, *evidence)
        )
    if not _heard_when_due(incident, limit):
        return replace(unjudged, reason=f"it did not fire; {NO_BEAT}")
    measured = incident.measurement("detection")
    if limit is None and measured is not None and measured.data.get("unpredicted"):
        return replace(unjudged, reason=f"it did not fire; {_why_no_theory(incident)}")
    silent = measured is not None and unjudged.predicted_seconds is None
    reason = "it did not fire" + ("; by the counters it did not have to" if silent else "")
    return replace(unjudged, verdict=Verdict.MISSED, reason=reason)


def _absent(incident: RunFacts, limit: float | None) -> tuple[Verdict, str, tuple[str, ...]] | None:
    """Return why an absent alert cannot be judged; None: it was looked for and was not there.

    Args:
        limit: seconds from the injection by which it was due; None: by the end of the run.
    """
    injected, seen_until = incident.injected, incident.seen_until
    assert injected is not None and seen_until is not None  # the caller has seen the injection
    due = injected.happened_at + timedelta(seconds=limit) if limit is not None else None
    hidden = incident.blind_at(min(due, seen_until) if due else seen_until)
    if hidden is not None:
        return Verdict.UNKNOWN, "the alerts could not be read when it was due", (hidden.id,)
    if due is not None and due <= seen_until:
        return None
    if incident.cut_short_at is not None:
        return Verdict.NOT_APPLICABLE, "the run was cut short before it was due", ()
    if not incident.is_over:
        return Verdict.PENDING, "not due yet", ()
    return None


def _heard_when_due(incident: RunFacts, limit: float | None) -> bool:
    """Return whether the watchdog was heard around the deadline, or when the run ended before."""
    injected, seen_until = incident.injected, incident.seen_until
    assert injected is not None and seen_until is not None  # the caller has seen the injection
    due = seen_until
    if limit is not None:
        due = min(due, injected.happened_at + timedelta(seconds=limit))
    return incident.heard_at(due) is not None
