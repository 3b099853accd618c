"""When a burn-rate alert fires and resets for a fault of a given shape: theory, without data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import inf

from scoring.shape import ErrorShape, Span, both, either
from scoring.slo import BurnWindow, Objective, Severity
from scoring.timing import ZERO, Timing


@dataclass(frozen=True, slots=True)
class BranchPrediction:
    """When one branch fires and resets.

    Attributes:
        window: the branch.
        detects_after: from the onset until it fires; None: it never fires.
        detects_at_latest: the same with the longest delays.
        resets_after: from the end of the fault until it no longer fires, negative where it resets
            before; None: it never fired, the fault does not end, or the baseline alone keeps it
            firing.
        resets_at_latest: the same with the longest delays.
        budget_spent_ratio: share of the period's budget spent by the fault when it fires.
        limit_after: from the onset until the fault has spent what this branch lets go, see
            `limit`; None: it never spends as much.
        firings: how many times it fires: more than once is flapping, and the fault's own doing.
    """

    window: BurnWindow
    detects_after: timedelta | None
    detects_at_latest: timedelta | None
    resets_after: timedelta | None
    resets_at_latest: timedelta | None
    budget_spent_ratio: float | None
    limit_after: timedelta | None = None
    firings: int = 0


@dataclass(frozen=True, slots=True)
class Prediction:
    """When the page fires and clears: the first page branch to fire, the last one to reset.

    ``page_resets_*`` count from the end of the fault, and only branches that fired matter: a page
    joined from a fast and a slow branch clears with the slow one once the fault lasted long enough.

    Attributes:
        page_budget_spent_ratio: share of the period's budget spent when the page arrives.
        page_limit_after: the earliest of its branches' limits.
        page_firings: how many times the page fires; branches that overlap make one.
    """

    branches: tuple[BranchPrediction, ...]
    page_detects_after: timedelta | None
    page_detects_at_latest: timedelta | None
    page_resets_after: timedelta | None
    page_resets_at_latest: timedelta | None
    page_budget_spent_ratio: float | None = None
    page_limit_after: timedelta | None = None
    page_firings: int = 0


def predict(
    objective: Objective,
    windows: Sequence[BurnWindow],
    error_ratio: float,
    *,
    fault_duration: timedelta | None = None,
    timing: Timing | None = None,
    baseline_ratio: float = 0.0,
    severity: Severity = Severity.PAGE,
) -> Prediction:
    """Return when the alert fires and resets for a constant error ratio that begins at one instant.

    Assumes steady traffic and a history as long as every window. Windows and the objective's
    period are taken as they are: pass both scaled, or neither.

    Args:
        error_ratio: bad events / all events while the fault lasts, 0–1.
        fault_duration: how long it lasts; None: until long after every branch has fired.
        timing: delays of the pipeline; None: the bare formula.
        baseline_ratio: bad events / all events before and after the fault, 0–1.
        severity: which branches make up the page.
    Raises:
        ValueError: a ratio lies outside 0–1.
    Source: Google SRE Workbook, ch. 5; the reset formula reproduces its 58 minutes for a burn
        rate of 36 over one hour.
    """
    for name, ratio in (("error_ratio", error_ratio), ("baseline_ratio", baseline_ratio)):
        if not 0 <= ratio <= 1:
            raise ValueError(f"{name} {ratio!r} must lie between 0 and 1")
    branches = tuple(
        _predict_branch(objective, w, error_ratio, fault_duration, timing, baseline_ratio)
        for w in windows
    )
    shape = ErrorShape.constant(error_ratio, fault_duration, baseline_ratio=baseline_ratio)
    # However many branches fire, the fault is one piece, and so is each branch's firing; they all
    # overlap, since the one that fires last does so before the fault ends.
    firings = int(any(b.firings for b in branches if b.window.severity is severity))
    return _page(objective, shape, branches, timing, severity, firings)


def predict_shape(
    objective: Objective,
    windows: Sequence[BurnWindow],
    shape: ErrorShape,
    *,
    timing: Timing | None = None,
    severity: Severity = Severity.PAGE,
) -> Prediction:
    """Return when the alert fires and resets for an error ratio that changes over time.

    The same theory as `predict`, for any shape of straight lines: a branch holds while the mean of
    the shape over both of its windows lies above its threshold. Assumes steady traffic and, before
    the onset, the shape's baseline for as long as every window.

    What is sampled matters as in `predict`: instants that are expected come from windows shorter
    by one scrape interval, those at the latest from whole ones.

    Args:
        shape: of the fault, in the same time as windows and period (real with real).
        timing: delays of the pipeline; None: the bare formula.
        severity: which branches make up the page.
    """
    found = [_shaped_branch(objective, w, shape, timing) for w in windows]
    branches = tuple(branch for branch, _ in found)
    spans = [s for b, fires in found if b.window.severity is severity for s in fires]
    return _page(objective, shape, branches, timing, severity, len(either(spans)))


def limit(objective: Objective, window: BurnWindow, shape: ErrorShape) -> timedelta | None:
    """Return the time after the onset before which no alert of this branch's budget can fire.

    A branch is made to let a share of the period's budget go before it speaks: burn rate × long
    window / period, the Workbook's 2 % and 5 %. An alert that keeps this promise fires for no fault
    that has spent less. So it cannot fire before the instant t at which

        errors from the onset to t = share × period × budget = burn rate × budget × long window,

    whatever windows it looks through; for a constant error ratio that is the Workbook's detection
    time itself. Windows that forget (a fault with pauses longer than they are) come later, never
    earlier. Errors before the onset are not counted: where there is a baseline, a branch that sees
    it in its window may fire earlier by just that.

    Returns:
        None where the fault ends before it has spent as much.
    Source: derived above from Google SRE Workbook, ch. 5, "error budget consumed" =
        burn rate × alerting window / period.
    """
    allowed = window.burn_rate * objective.budget_ratio * window.long.total_seconds()
    found = shape.reaches(allowed)
    return None if found is None else timedelta(seconds=found)


def lowest_ratio(
    objective: Objective, windows: Sequence[BurnWindow], severity: Severity = Severity.PAGE
) -> float | None:
    """Return the error ratio up to which no branch ever fires, however long a fault lasts.

    A fault must lie above it to be seen. None: no error ratio is seen, since every threshold
    (burn rate × budget) is 1 or more, or there are no such branches.
    """
    thresholds = [w.burn_rate * objective.budget_ratio for w in windows if w.severity is severity]
    seen = [t for t in thresholds if t < 1]
    return min(seen) if seen else None


def shortest_fault(
    objective: Objective,
    windows: Sequence[BurnWindow],
    error_ratio: float = 1.0,
    severity: Severity = Severity.PAGE,
) -> timedelta | None:
    """Return the duration up to which a constant fault is never seen; None: it never is.

    By the bare formula and without a baseline: sampling can only blur it.
    """
    durations = []
    for window in windows:
        threshold = window.burn_rate * objective.budget_ratio
        if window.severity is not severity or threshold >= error_ratio:
            continue
        share = threshold / error_ratio
        holds_after = max(window.long, window.short) * share
        clears_after = min(window.long, window.short) * (1 - share)
        durations.append(max(holds_after, holds_after + window.for_ - clears_after))
    return min(durations) if durations else None


# --- the page -----------------------------------------------------------------------------------


def _page(
    objective: Objective,
    shape: ErrorShape,
    branches: tuple[BranchPrediction, ...],
    timing: Timing | None,
    severity: Severity,
    firings: int,
) -> Prediction:
    """Return the prediction whose page is made of the branches of one severity."""
    ours = [b for b in branches if b.window.severity is severity]
    fired = [b for b in ours if b.detects_after is not None]
    wait = timing.group_wait if timing else ZERO
    detects = _earliest([b.detects_after for b in fired], wait)
    return Prediction(
        branches,
        detects,
        _earliest([b.detects_at_latest for b in fired], wait),
        _slowest([b.resets_after for b in fired]),
        _slowest([b.resets_at_latest for b in fired]),
        None if detects is None else _spent(objective, shape, detects.total_seconds()),
        _earliest([b.limit_after for b in ours], ZERO),
        firings,
    )


def _earliest(delays: Sequence[timedelta | None], wait: timedelta) -> timedelta | None:
    known = [d for d in delays if d is not None]
    return min(known) + wait if known else None


def _slowest(delays: Sequence[timedelta | None]) -> timedelta | None:
    """Return the longest delay; None where there is none or one of them never ends."""
    known = [d for d in delays if d is not None]
    return max(known) if known and len(known) == len(delays) else None


def _spent(objective: Objective, shape: ErrorShape, seconds: float) -> float:
    """Return the share of the period's budget that the fault has spent by this instant."""
    lasts = shape.lasts
    until = seconds if lasts is None else min(seconds, lasts.total_seconds())
    return shape.errors_until(until) / objective.period.total_seconds() / objective.budget_ratio


# --- one branch ---------------------------------------------------------------------------------


def _unseen(window: BurnWindow, timing: Timing | None) -> timedelta:
    # rate() knows only what lies between the first and the last sample in the window, on average
    # one scrape interval less than the window. With a 5 s window scraped every second that is a
    # fifth; the latest instants leave it out, so that they stay upper limits.
    return min(timing.scrape, window.short / 2) if timing else ZERO


def _predict_branch(
    objective: Objective,
    window: BurnWindow,
    bad: float,
    duration: timedelta | None,
    timing: Timing | None,
    baseline: float,
) -> BranchPrediction:
    # Over a window w that overlaps the fault for v, the error ratio is
    # (e·v + b·(w − v)) / w. It exceeds θ = B × budget once v > w·share with
    # share = (θ − b) / (e − b). The overlap grows from the onset and shrinks from w after the
    # onset (short fault) or from the end of the fault (long fault): in both cases the condition
    # ends w·(1 − share) after the end of the fault. The short window's condition begins and ends
    # before the long one's, so the long window decides the beginning and the short one the end.
    threshold = window.burn_rate * objective.budget_ratio
    shape = ErrorShape.constant(bad, duration, baseline_ratio=baseline)
    limited = limit(objective, window, shape)
    never = BranchPrediction(window, None, None, None, None, None, limited)
    expected = timing.expected if timing else ZERO
    longest = timing.longest if timing else ZERO
    unseen = _unseen(window, timing)
    if baseline > threshold:
        return BranchPrediction(window, ZERO, ZERO, None, None, 0.0, limited, 1)
    if bad <= threshold or bad <= baseline:
        return never
    share = (threshold - baseline) / (bad - baseline)
    holds_after = max(window.long, window.short) * share
    clears_after = min(window.long, window.short) * (1 - share)
    detects = holds_after + window.for_
    if duration is not None and (duration <= holds_after or detects >= duration + clears_after):
        return never
    fires = detects - unseen * share + expected
    return BranchPrediction(
        window,
        fires,
        detects + longest,
        clears_after - unseen * (1 - share) + expected,
        clears_after + longest,
        _spent(objective, shape, fires.total_seconds()),
        limited,
        1,
    )


def _shaped_branch(
    objective: Objective, window: BurnWindow, shape: ErrorShape, timing: Timing | None
) -> tuple[BranchPrediction, tuple[Span, ...]]:
    """Return one branch, and when it fires in seconds since the onset."""
    limited = limit(objective, window, shape)
    exact = _firings(objective, window, shape, ZERO)
    if not exact:
        return BranchPrediction(window, None, None, None, None, None, limited), ()
    # Shorter windows may just miss what whole ones just see; then there is nothing to correct.
    seen = _firings(objective, window, shape, _unseen(window, timing)) or exact
    expected = timing.expected if timing else ZERO
    longest = timing.longest if timing else ZERO
    fires = _since_onset(seen[0][0], expected)
    return (
        BranchPrediction(
            window,
            fires,
            _since_onset(exact[0][0], longest),
            _since_end(shape, seen[-1][1], expected),
            _since_end(shape, exact[-1][1], longest),
            _spent(objective, shape, fires.total_seconds()),
            limited,
            len(exact),
        ),
        exact,
    )


def _firings(
    objective: Objective, window: BurnWindow, shape: ErrorShape, unseen: timedelta
) -> tuple[Span, ...]:
    """Return the spans in which the branch fires: both windows above for at least ``for``."""
    threshold = window.burn_rate * objective.budget_ratio
    held = both(
        shape.above(window.long - unseen, threshold), shape.above(window.short - unseen, threshold)
    )
    hold = window.for_.total_seconds()
    return tuple((begin + hold, end) for begin, end in held if end - begin > hold)


def _since_onset(fires: float, delay: timedelta) -> timedelta:
    """Return when it fires; at once where it fired before the onset already."""
    return ZERO if fires == -inf else timedelta(seconds=fires) + delay


def _since_end(shape: ErrorShape, resets: float, delay: timedelta) -> timedelta | None:
    """Return how long after the end of the fault it resets; None where one of them never comes."""
    if shape.lasts is None or resets == inf:
        return None
    return timedelta(seconds=resets) - shape.lasts + delay
