"""The plan of a run: what will be done, what should be seen when, or why it is refused. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import chain, repeat
from typing import Protocol

from gameday.errors import Ground, PlanRefused, Refusal
from gameday.model.plan_record import BranchRecord, FaultRecord, PlanRecord, ReachRecord
from gameday.model.scenario import THEORY, Scenario
from gameday.model.slo import Slo
from gameday.ports import PlannedFault
from scoring.detection import Prediction, Timing, predict
from scoring.slo import BurnWindow, Objective, Severity, nominal
from scoring.timing import ZERO, theory_limit

Refused = tuple[str, str]
"""What speaks against a plan, and what to change."""


@dataclass(frozen=True, slots=True)
class TargetProfile:
    """What a plan must know of the system it will play on.

    Attributes:
        name: of the target.
        time_scale: how many times faster its windows run; 1 in production.
        regions: every region it has; empty where regions mean nothing.
        timing: scrape and evaluation intervals and group_wait, real time.
        absent: the steps of the funnel that it has no instrument for.
    """

    name: str
    time_scale: float
    regions: tuple[str, ...]
    timing: Timing
    absent: tuple[str, ...] = ()


class Reach(Protocol):
    """How far a fault would reach now, counted on the target."""

    @property
    def pods(self) -> Sequence[str]:
        """Full names of the pods it would touch."""

    @property
    def of(self) -> int:
        """How many living pods the namespaces hold; 0 where nothing could be counted."""

    @property
    def namespaces(self) -> Sequence[str]:
        """Names of the namespaces it would touch."""

    @property
    def uncounted(self) -> Sequence[str]:
        """What of it is counted by nobody, and why, as sentences."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A run that may be played.

    Attributes:
        windows: the SLO's branches in real time on this target, beside the nominal ones in `slo`.
        error_ratio: what the faults should do to the SLI, 0–1.
        prediction: when the alert must fire for that ratio with full, clean windows. What
            Alertmanager adds until the page is not in it, nor in what the judges hold against it.
        detection_due: how long after the injection the alert may take, as the judges will say;
            None: silence is expected, or nobody knows.
        silent_for: how long silence must last where it is expected.
        reaches: of each fault; None where nothing is counted.
    """

    run: str
    scenario: Scenario
    slo: Slo
    target: TargetProfile
    faults: tuple[PlannedFault, ...]
    windows: tuple[BurnWindow, ...]
    error_ratio: float
    prediction: Prediction
    detection_due: timedelta | None
    silent_for: timedelta
    reaches: tuple[Reach | None, ...] = ()

    @property
    def expects_alert(self) -> bool:
        """Return whether the faults should raise an alert."""
        return self.scenario.spec.expect.alert is not None

    @property
    def awaited_for(self) -> timedelta:
        """Return how long after the injection the alert is waited for.

        Where nobody can say by when it is due, for as long as the faults last.
        """
        if self.detection_due is not None:
            return self.detection_due
        return self.silent_for if self.slo.unread else ZERO

    @property
    def silent_history(self) -> timedelta:
        """Return how much good history must lie before the faults so that silence may be expected.

        A window that reaches back to before Prometheus' history sees the faults' d seconds in
        h + d, not in its whole length, and d·e / (h + d) stays at or below a branch's threshold θ
        only where h is at least d·(e − θ) / θ. Nothing where an alert is expected.
        """
        if self.expects_alert:
            return ZERO
        lasts = max(f.at + f.duration for f in self.faults) - min(f.at for f in self.faults)
        needed = ZERO
        for window in self.page_windows:
            threshold = window.burn_rate * (1 - self.real_objective.target_ratio)
            if 0 < threshold < self.error_ratio:
                least = lasts * ((self.error_ratio - threshold) / threshold)
                needed = max(needed, min(least, window.long))
        return needed

    @property
    def page_windows(self) -> tuple[BurnWindow, ...]:
        """Return the branches that page, in real time."""
        return tuple(w for w in self.windows if w.severity is Severity.PAGE)

    @property
    def real_objective(self) -> Objective:
        """Return the objective with its period in this target's real time."""
        declared = self.slo.objective
        return Objective(declared.target_ratio, declared.period / self.target.time_scale)

    def record(self) -> PlanRecord:
        """Return the plan as its timeline keeps it and ``gameday plan --json`` prints it."""
        timing = self.target.timing
        return PlanRecord(
            scenario=self.scenario.metadata.name,
            target=self.target.name,
            time_scale=self.target.time_scale,
            slo=self.slo.id,
            service=self.slo.service,
            responder=str(self.scenario.spec.responder),
            absent=self.target.absent,
            error_ratio=self.error_ratio,
            faults=tuple(
                FaultRecord(
                    experiment=f.experiment,
                    at_seconds=f.at.total_seconds(),
                    duration_seconds=f.duration.total_seconds(),
                    configuration=dict(f.configuration),
                    undo=f.undo.description,
                    undo_command=f.undo.command,
                    recovers=f.recovers,
                    uncounted=tuple(r.uncounted) if r is not None else (),
                )
                for f, r in zip(self.faults, chain(self.reaches, repeat(None)), strict=False)
            ),
            reaches=tuple(
                ReachRecord(tuple(r.pods), r.of) if r is not None and r.of else None
                for r in self.reaches
            ),
            expects_alert=self.expects_alert,
            predicted_seconds=seconds(self.prediction.page_detects_after),
            due_seconds=seconds(self.detection_due),
            unpredicted=self.slo.unread,
            scrape_seconds=seconds(timing.scrape),
            evaluation_seconds=seconds(timing.evaluation),
            group_wait_seconds=seconds(timing.group_wait),
            branches=tuple(
                BranchRecord(
                    long=nominal(declared.long),
                    short=nominal(declared.short),
                    burn_rate=declared.burn_rate,
                    severity=declared.severity,
                    detects_after_s=seconds(branch.detects_after),
                    resets_after_s=seconds(branch.resets_after),
                    resets_at_latest_s=seconds(branch.resets_at_latest),
                    budget_spent_ratio=branch.budget_spent_ratio,
                )
                for declared, branch in zip(
                    () if self.slo.unread else self.slo.windows,
                    self.prediction.branches,
                    strict=True,
                )
            ),
        )


def seconds(duration: timedelta | None) -> float | None:
    """Return a duration as seconds, None as None."""
    return None if duration is None else duration.total_seconds()


def error_ratio(scenario: Scenario, target: TargetProfile) -> float:
    """Return what the faults should do to the SLI.

    ``expect.errorRatio`` where it is declared; else the blast radius fails entirely: the share of
    the target's regions that the scenario names.
    """
    declared = scenario.spec.expect.error_ratio
    if declared is not None:
        return declared
    if target.regions and scenario.spec.regions:
        return len(set(scenario.spec.regions) & set(target.regions)) / len(target.regions)
    return 1.0


def make(
    scenario: Scenario,
    slo: Slo,
    *,
    run: str,
    target: TargetProfile,
    faults: Sequence[PlannedFault],
    reaches: Sequence[Reach | None] = (),
) -> Plan:
    """Return the plan of a run.

    Args:
        faults: prepared by the fault driver, in the order of the scenario.
        reaches: how far each reaches on the target as it is now, likewise.

    Raises:
        PlanRefused: with every reason at once, each saying what to change.
    """
    spec = scenario.spec
    reasons: list[Refused] = []

    unknown = [r for r in spec.regions if target.regions and r not in target.regions]
    if unknown:
        reasons.append(
            (
                f"region {unknown[0]!r} does not exist on {target.name}",
                f"it has {', '.join(target.regions)}",
            )
        )
    limit = spec.blast_radius.regions
    if limit is not None and len(set(spec.regions)) > limit:
        reasons.append(
            (
                f"the faults touch {len(set(spec.regions))} regions, blastRadius.regions allows"
                f" {limit}",
                "name fewer with --region, or allow more there",
            )
        )

    reasons += _too_far(scenario, reaches)

    windows = tuple(w.scaled(target.time_scale) for w in slo.windows)
    # What is not known is not predicted: without branches the theory says nothing.
    known = () if slo.unread else windows
    ratio = error_ratio(scenario, target)
    ends = max(f.at + f.duration for f in faults)
    lasts = ends - min(f.at for f in faults)
    objective = Objective(slo.objective.target_ratio, slo.objective.period / target.time_scale)
    timing = replace(target.timing, group_wait=ZERO)
    prediction = predict(objective, known, ratio, fault_duration=lasts, timing=timing)
    due: timedelta | None = None
    expected = spec.expect.alert
    sustained = predict(objective, known, ratio, timing=timing)
    detects = sustained.page_detects_after
    if expected is not None and slo.unread:
        due = expected.within if isinstance(expected.within, timedelta) else None
    elif expected is not None:
        due, refusal = _detection_due(expected.within, sustained, lasts, ratio, target)
        if refusal is not None:
            reasons.append(refusal)
    elif detects is not None and detects < lasts:
        reasons.append(
            (
                f"expect.alert is none, but at an error ratio of {ratio:.0%} the alert must fire "
                f"{detects.total_seconds():.0f} s after the fault",
                "expect an alert, or declare the errorRatio that the fault really causes",
            )
        )

    recovered = spec.expect.recovered.within
    if expected is not None and detects is not None and isinstance(recovered, timedelta):
        soonest = predict(
            objective, windows, ratio, fault_duration=detects, timing=timing
        ).page_resets_after
        if soonest is not None and recovered < soonest:
            reasons.append(
                (
                    f"expect.recovered.within {recovered.total_seconds():.0f} s cannot be met: even"
                    f" if the fault ended with the page, the alert clears"
                    f" {soonest.total_seconds():.0f} s later",
                    "write `within: theory`",
                )
            )
    if reasons:
        name = scenario.metadata.name
        raise PlanRefused(*(Refusal(Ground.PLAN, f"{name}: {r}", remedy) for r, remedy in reasons))
    return Plan(
        run=run,
        scenario=scenario,
        slo=slo,
        target=target,
        faults=tuple(faults),
        windows=windows,
        error_ratio=ratio,
        prediction=prediction,
        detection_due=due,
        silent_for=ends,
        reaches=tuple(reaches),
    )


def _too_far(scenario: Scenario, reaches: Sequence[Reach | None]) -> list[Refused]:
    """Return how the faults together would reach further than the scenario's blast radius."""
    counted = [r for r in reaches if r is not None]
    allowed = scenario.spec.blast_radius
    reasons: list[Refused] = []
    strange = sorted({n for r in counted for n in r.namespaces} - set(allowed.namespaces))
    if allowed.namespaces and strange:
        reasons.append(
            (
                f"the faults touch the namespace {strange[0]!r}, blastRadius.namespaces allows "
                f"{', '.join(allowed.namespaces)}",
                "name another under `with`, or allow this one there",
            )
        )
    if allowed.pods is not None and any(r.of for r in counted):
        pods = {p for r in counted for p in r.pods}
        of = max(r.of for r in counted)
        most = allowed.pods if isinstance(allowed.pods, int) else math.floor(allowed.pods * of)
        if len(pods) > most:
            reasons.append(
                (
                    f"the faults touch {len(pods)} of {of} pods, blastRadius.pods allows {most}",
                    "touch fewer, or allow more there",
                )
            )
    return reasons


def _detection_due(
    within: timedelta | str,
    sustained: Prediction,
    lasts: timedelta,
    ratio: float,
    target: TargetProfile,
) -> tuple[timedelta | None, Refused | None]:
    detects = sustained.page_detects_after
    if detects is None or detects > lasts:
        when = (
            "never fires" if detects is None else f"needs {detects.total_seconds():.0f} s to fire"
        )
        scale = (
            ""
            if target.time_scale > 1
            else " (time is not compressed on this target; a disposable one may set timeScale)"
        )
        return None, (
            f"the faults last {lasts.total_seconds():.0f} s, and at an error ratio of {ratio:.0%} "
            f"the alert {when}{scale}",
            "let them last longer, or write `expect: {alert: none}`",
        )
    if within == THEORY or not isinstance(within, timedelta):
        return theory_limit(detects, sustained.page_detects_at_latest), None
    return within, None
