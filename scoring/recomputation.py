"""When an alert must have fired and reset, by the raw counters of a run.

Neither a burn-rate rule nor an alert is looked at, so a broken rule cannot hide behind its own
prediction; and the history is the one that Prometheus really held, cold starts included.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from scoring.counters import Counters, CounterSeries, Without, error_ratio, milliseconds
from scoring.slo import BurnWindow, NoData, Objective, Severity
from scoring.timing import Timing

PHASES = 10
"""How many phases of the evaluation grid `recompute` averages over."""

FULL_RATIO = 0.95
"""From this coverage on a window counts as full: its two edges rarely meet a sample."""

GAP = 5
"""Scrape intervals without a sample after which history counts as missing. Prometheus' lookback is
5 minutes at its default interval of 1."""


@dataclass(frozen=True, slots=True)
class RecomputedBranch:
    """When one branch must have fired and reset, by the counters. Instants are unix seconds.

    Attributes:
        window: the branch, as it was handed in (real time).
        fires_at: expected instant of the first firing evaluation; None: it must not fire.
        fires_at_latest: the same for the unluckiest phase of the evaluation grid.
        has_fired: whether its reset matters: as told to `recompute`, else whether it must fire.
        resets_at: expected instant of the first evaluation that no longer holds; None: it has not
            fired, the counters end before it resets, or they stop for lack of data.
        resets_at_latest: the same for the unluckiest phase.
        history_ratio: share of the long window before the injection that holds samples, 0–1.
        burn_before: burn rate over that history; None where there is no data.
    """

    window: BurnWindow
    fires_at: float | None
    fires_at_latest: float | None
    has_fired: bool
    resets_at: float | None
    resets_at_latest: float | None
    history_ratio: float
    burn_before: float | None


@dataclass(frozen=True, slots=True)
class Recomputed:
    """What the raw counters of a run say. Instants are unix seconds.

    Attributes:
        branches: one per window handed in.
        fires_at: earliest firing of a branch of the wanted severity; None: none must fire.
        fires_at_latest: the same for the unluckiest phase.
        resets_at: when the last of the fired branches resets; None: one of them did not.
        resets_at_latest: the same for the unluckiest phase.
        windows_full: whether the decisive long window was covered by samples at the injection. The
            decisive branch is the one that fires first; where none fires, the shortest.
        windows_clean: whether the burn rate over it was below 1 then.
        history_ratio: how much of it was covered, 0–1; what is not there is not made up.
        bad_events: bad events since the injection.
        all_events: all events since the injection.
        events_per_second: traffic over all the history given.
        budget_spent_ratio: bad events / (allowed ratio × events of the whole period at that
            traffic); None without traffic.
    """

    branches: tuple[RecomputedBranch, ...]
    fires_at: float | None
    fires_at_latest: float | None
    resets_at: float | None
    resets_at_latest: float | None
    windows_full: bool
    windows_clean: bool
    history_ratio: float
    bad_events: float
    all_events: float
    events_per_second: float
    budget_spent_ratio: float | None


def recompute(
    good: Sequence[CounterSeries],
    total: Sequence[CounterSeries],
    windows: Sequence[BurnWindow],
    objective: Objective,
    *,
    timing: Timing,
    injected_at: float,
    until: float,
    mitigated_at: float | None = None,
    fired: Collection[BurnWindow] | None = None,
    evaluated_at: float | None = None,
    severity: Severity = Severity.PAGE,
    left_open: bool = False,
    counts_bad: bool = False,
) -> Recomputed | NoData:
    """Return when the alert must have fired and reset, given the raw samples of its counters.

    The phase of the evaluation grid is unknown, and noise makes a condition flicker before it
    settles, so each branch is evaluated on `PHASES` grids, spread evenly over one evaluation
    interval: the answer is the mean of their first firings, which for a condition that begins once
    is its beginning plus half an interval. A branch counts as firing if most grids see it.

    Args:
        good: raw samples of the good counter, one sequence per label set.
        total: raw samples of the counter of all events.
        windows: branches in real time, that is scaled.
        objective: with its period in real time too, that is scaled.
        timing: of the rules; scrapes are not added, the samples' own instants carry them.
        injected_at: unix seconds; firing is looked for from here on.
        until: unix seconds; nothing later is looked at.
        mitigated_at: unix seconds; a reset is looked for from here on. None: from the firing on.
        fired: those of the windows that are known to have fired, whose resets make up the page's.
            A branch whose condition barely holds fires on some grids and not on others, and a page
            is not to be judged by a branch that never fired, nor let off for one that did. None:
            those that must have fired by the counters.
        evaluated_at: unix seconds of any evaluation of the rules. It gives the phase of the grid
            away, and resets are looked for on that grid alone: a condition that barely holds ends
            on some grids long before it does on others. Firings are not: a prediction must not
            lean on the alert it is compared with.
        severity: which branches make up the page.
        left_open: see `Counters`; True for Prometheus 3.
        counts_bad: whether ``good`` holds the samples of the counter of bad events instead.
    Returns:
        `NoData` where no counter has two samples between the injection and the end.
    """
    everything = Counters.of(total, left_open=left_open)
    part = Counters.of(good, left_open=left_open)
    fine = Without(everything, part) if counts_bad else part
    start, end = milliseconds(injected_at), milliseconds(until)
    first, last = everything.first, everything.last
    if first is None or last is None or fine.first is None:
        return NoData("no samples of the counters")
    if last <= start:
        return NoData("no samples of the counters after the injection")
    # Past the last sample the short window runs empty, which Prometheus would read as "does not
    # hold"; a reset for want of data is no reset.
    end = min(end, last + milliseconds(timing.scrape.total_seconds()))
    settled = milliseconds(mitigated_at) if mitigated_at is not None else start
    branches = tuple(
        _Branch(fine, everything, w, objective, timing).recomputed(
            start,
            end,
            settled,
            has_fired=None if fired is None else w in fired,
            grid=None if evaluated_at is None else milliseconds(evaluated_at),
        )
        for w in windows
    )
    page = [b for b in branches if b.window.severity is severity]
    due = [b for b in page if b.fires_at is not None]
    ours = page or list(branches)
    decisive = min(due, key=lambda b: b.fires_at or 0.0, default=None) or min(
        ours, key=lambda b: b.window.long, default=None
    )
    gap = GAP * milliseconds(timing.scrape.total_seconds())
    events = everything.increase(start, end, gap=gap)
    bad = max(0.0, events - fine.increase(start, end, gap=gap))
    seconds = (last - first) / 1000
    traffic = everything.increase(first, last, gap=gap) / seconds if seconds else 0.0
    allowed = objective.budget_ratio * traffic * objective.period.total_seconds()
    return Recomputed(
        branches=branches,
        fires_at=min((b.fires_at for b in due if b.fires_at is not None), default=None),
        fires_at_latest=min(
            (b.fires_at_latest for b in due if b.fires_at_latest is not None), default=None
        ),
        resets_at=_last([b.resets_at for b in page if b.has_fired]),
        resets_at_latest=_last([b.resets_at_latest for b in page if b.has_fired]),
        windows_full=decisive is not None and decisive.history_ratio >= FULL_RATIO,
        windows_clean=decisive is not None
        and decisive.burn_before is not None
        and decisive.burn_before < 1,
        history_ratio=decisive.history_ratio if decisive is not None else 0.0,
        bad_events=bad,
        all_events=events,
        events_per_second=traffic,
        budget_spent_ratio=bad / allowed if allowed else None,
    )


def _last(instants: Sequence[float | None]) -> float | None:
    """Return the latest instant; None where there is none or one of them is missing."""
    known = [i for i in instants if i is not None]
    return max(known) if known and len(known) == len(instants) else None


class _Branch:
    """One branch, asked over and over whether it holds; remembers nothing."""

    def __init__(
        self,
        fine: Counters | Without,
        everything: Counters,
        window: BurnWindow,
        objective: Objective,
        timing: Timing,
    ) -> None:
        self.fine, self.everything, self.window = fine, everything, window
        self.long = milliseconds(window.long.total_seconds())
        self.short = milliseconds(window.short.total_seconds())
        self.hold = milliseconds(window.for_.total_seconds())
        self.budget = objective.budget_ratio
        self.threshold = window.burn_rate * objective.budget_ratio
        self.interval = max(1, milliseconds(timing.evaluation.total_seconds()))
        self.chain = timing.rule_chain.total_seconds()
        self.gap = GAP * max(1, milliseconds(timing.scrape.total_seconds()))

    def recomputed(
        self, start: int, end: int, settled: int, *, has_fired: bool | None, grid: int | None
    ) -> RecomputedBranch:
        """Return when this branch fires between start and end, and resets after ``settled``."""
        phases = range(start, start + self.interval, max(1, self.interval // PHASES))
        fires = [self._fires(phase, end) for phase in phases]
        fired = [at for at in fires if at is not None]
        must_fire = 2 * len(fired) > len(fires)
        covered = self.everything.covered(start - self.long, start, gap=self.gap)
        before = error_ratio(self.fine, self.everything, start, self.long)
        resets: list[int | None] = []
        if has_fired or (has_fired is None and must_fire):
            held, known = fired, list(phases)
            if grid is not None:
                known = [start + (grid - start) % self.interval]
                held = [at for phase in known if (at := self._fires(phase, end)) is not None]
            resets = [self._resets(at, settled, end) for at in held]
            if has_fired and not held:
                # It fired on a margin that these counters do not show. Then its long window tells
                # nothing about the end either, and the short one, which normally decides it, does.
                resets = [self._resets(at, settled, end, by_short=True) for at in known]
        cleared = [at for at in resets if at is not None]
        is_clear = bool(cleared) and len(cleared) == len(resets)
        return RecomputedBranch(
            window=self.window,
            fires_at=self._mean(fired) if must_fire else None,
            fires_at_latest=max(fired) / 1000 + self.chain if must_fire else None,
            has_fired=must_fire if has_fired is None else has_fired,
            resets_at=self._mean(cleared) if is_clear else None,
            resets_at_latest=max(cleared) / 1000 + self.chain if is_clear else None,
            history_ratio=min(1.0, covered / self.long),
            burn_before=None if before is None else before / self.budget,
        )

    def _mean(self, instants: Sequence[int]) -> float:
        return sum(instants) / len(instants) / 1000 + self.chain

    def _fires(self, start: int, end: int) -> int | None:
        """Return the first instant of this grid at which it fires."""
        active: int | None = None
        for at in range(start, end + 1, self.interval):
            if not (self._above(at, self.long) and self._above(at, self.short)):
                active = None
                continue
            active = at if active is None else active
            if at - active >= self.hold:
                return at
        return None

    def _resets(self, fired: int, settled: int, end: int, *, by_short: bool = False) -> int | None:
        """Return the first instant of this grid at which it no longer holds.

        None: it holds to the end, or what ended it was a lack of data.
        """
        begin = fired + max(0, settled - fired) // self.interval * self.interval
        for at in range(begin + self.interval, end + 1, self.interval):
            short = self._above(at, self.short)
            long = True if by_short else self._above(at, self.long)
            if short is None or long is None:
                return None
            if not (short and long):
                return at
        return None

    def _above(self, at: int, window: int) -> bool | None:
        """Return whether the window burns faster than the threshold; None without data."""
        ratio = error_ratio(self.fine, self.everything, at, window)
        return None if ratio is None else ratio > self.threshold
