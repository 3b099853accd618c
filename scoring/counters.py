"""Counters as Prometheus reads them: `rate()` over raw samples, and plain increases.

A prediction is compared with an alert that Prometheus evaluated, so it has to see the counters
with Prometheus' eyes: the extrapolation to the edges of the range, the correction of counter
resets, the two samples a range needs. All arithmetic on time is in whole milliseconds, as there.

Source: ``extrapolatedRate`` in Prometheus' ``promql/functions.go`` (2.42), checked against the
binary in ``tests/scoring/test_rate_of_prometheus.py``.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

CounterSeries = Sequence[tuple[float, float]]
"""The samples of one label set: (unix seconds, value), ordered by time; may be empty."""

EDGE_RATIO = 1.1
"""A range edge further than this many average sample distances away is not extrapolated to."""


def milliseconds(seconds: float) -> int:
    """Return unix seconds as the whole milliseconds in which Prometheus keeps time."""
    return round(seconds * 1000)


@dataclass(frozen=True, slots=True)
class _Track:
    """One series: its values, and how far it had risen by each sample, resets corrected."""

    values: tuple[float, ...]
    risen: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class _Scrapes:
    """Series sampled at the same instants (one scrape gives many), so that edges are found once."""

    times: tuple[int, ...]
    tracks: tuple[_Track, ...]


def _risen(values: Sequence[float]) -> tuple[float, ...]:
    """Return the total increase up to each sample; a drop is a reset to zero."""
    risen = [0.0]
    for before, after in pairwise(values):
        risen.append(risen[-1] + (after - before if after >= before else after))
    return tuple(risen)


@dataclass(frozen=True, slots=True)
class Counters:
    """All series of one counter, ready to be asked for rates at many instants.

    Attributes:
        groups: the series, grouped by scrape.
        left_open: whether a range leaves out a sample exactly at its start, as Prometheus 3 does;
            Prometheus 2 takes it in.
    """

    groups: tuple[_Scrapes, ...]
    left_open: bool = False

    @classmethod
    def of(cls, series: Sequence[CounterSeries], *, left_open: bool = False) -> Counters:
        """Return counters over these series; empty ones are left out."""
        by_times: dict[tuple[int, ...], list[_Track]] = {}
        for one in series:
            if one:
                values = tuple(float(v) for _, v in one)
                times = tuple(milliseconds(t) for t, _ in one)
                by_times.setdefault(times, []).append(_Track(values, _risen(values)))
        groups = tuple(_Scrapes(times, tuple(tracks)) for times, tracks in by_times.items())
        return cls(groups, left_open)

    @property
    def first(self) -> int | None:
        """Return the instant of the oldest sample in unix milliseconds; None without samples."""
        return min((g.times[0] for g in self.groups), default=None)

    @property
    def last(self) -> int | None:
        """Return the instant of the newest sample in unix milliseconds; None without samples."""
        return max((g.times[-1] for g in self.groups), default=None)

    def rate(self, at: int, window: int) -> float | None:
        """Return ``sum(rate(counter[window]))`` per second at this instant.

        Args:
            at: evaluation instant, unix milliseconds.
            window: range, milliseconds.
        Returns:
            None where no series has two samples in the range: an empty vector, not zero.
        """
        total, seen = 0.0, False
        find = bisect_right if self.left_open else bisect_left
        for group in self.groups:
            times = group.times
            low, high = find(times, at - window), bisect_right(times, at) - 1
            if high - low < 1:
                continue
            seen = True
            sampled = times[high] - times[low]
            average = sampled / (high - low)
            to_start, to_end = times[low] - (at - window), at - times[high]
            edge = average * EDGE_RATIO
            at_end = to_end if to_end < edge else average / 2
            at_start = to_start if to_start < edge else average / 2
            for track in group.tracks:
                rise = track.risen[high] - track.risen[low]
                if rise <= 0:
                    continue
                # A counter cannot have been below zero: never extrapolate past the instant at
                # which, going back at this slope, it would have been born.
                to_zero = sampled * track.values[low] / rise
                start = at_start
                if 0 <= to_zero < to_start:
                    start = to_zero if to_zero < edge else average / 2
                total += rise * (sampled + start + at_end) / sampled
        return total / window * 1000 if seen else None

    def increase(self, since: int, until: int, *, gap: int) -> float:
        """Return how many events were counted in (since, until], resets corrected.

        Unlike ``rate()`` this does not extrapolate, and it counts the first value of a series
        that was born after ``since``, more than ``gap`` milliseconds after others were already
        being sampled: those events happened, though Prometheus' rate never shows them.
        """
        first = self.first
        total = 0.0
        for group in self.groups:
            low = bisect_right(group.times, since) - 1
            high = bisect_right(group.times, until) - 1
            if high < 0:
                continue
            born = low < 0 and first is not None and group.times[0] - first > gap
            for track in group.tracks:
                total += track.risen[high] - track.risen[max(low, 0)]
                total += track.values[0] if born else 0.0
        return total

    def covered(self, since: int, until: int, *, gap: int) -> int:
        """Return how many milliseconds of this span lie between samples at most ``gap`` apart."""
        times = sorted({t for g in self.groups for t in g.times})
        return sum(
            max(0, min(after, until) - max(before, since))
            for before, after in pairwise(times)
            if after - before <= gap
        )


@dataclass(frozen=True, slots=True)
class Without:
    """The good events of an SLI that counts the bad ones; asked as `Counters` is.

    A counter of bad events often does not exist before the first of them: where it has no samples
    nothing was bad.

    Attributes:
        everything: the counter of all events.
        bad: the counter of the bad ones.
    """

    everything: Counters
    bad: Counters

    @property
    def first(self) -> int | None:
        """Return the instant of the oldest sample of all events; None without samples."""
        return self.everything.first

    def rate(self, at: int, window: int) -> float | None:
        """Return the good events per second; see `Counters.rate`."""
        whole = self.everything.rate(at, window)
        return None if whole is None else whole - (self.bad.rate(at, window) or 0.0)

    def increase(self, since: int, until: int, *, gap: int) -> float:
        """Return how many good events there were; see `Counters.increase`."""
        whole = self.everything.increase(since, until, gap=gap)
        return whole - self.bad.increase(since, until, gap=gap)


def error_ratio(good: Counters | Without, total: Counters, at: int, window: int) -> float | None:
    """Return ``1 - sum(rate(good[w])) / sum(rate(total[w]))`` at this instant.

    Returns:
        None where Prometheus has no number either: one side is empty, or there was no traffic.
    """
    everything = total.rate(at, window)
    if not everything:
        return None
    fine = good.rate(at, window)
    return None if fine is None else 1 - fine / everything
