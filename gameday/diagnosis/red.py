"""Reading a RED dashboard: which signal moved, where, since when, in which shape. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from math import isfinite
from statistics import median

from gameday.diagnosis.excursion import FEWEST, Excursion, excursion
from gameday.model.page import Page, RedShape
from gameday.model.signals import Series
from scoring.red import (
    MAD_TO_DEVIATION,
    NOISE_WIDTH,
    Red,
    Samples,
    Shape,
    classify_shape,
    moved,
)
from scoring.red import onset as find_onset

ORDER = ("rate", "errors", "duration")

SLOW = timedelta(milliseconds=100)
"""From which duration on users are let down, where nobody said."""

SAME_SHARE = 0.5
"""From this share of the worst region's excursion on, a region has the same trouble."""

FELT_SHARE = 0.1
"""Up to this share of it, a region only feels the other one's."""

LATEST = 2
"""How many short windows after the page what it is about is still looked for."""

HANDFUL = 3.0
"""So many requests at least had the trouble, or it may be an odd one."""

SHORTEST = timedelta(seconds=12)
"""The burn window of a page that names none, at least."""


class Signal(StrEnum):
    """What one expression of the dashboard draws."""

    RATE = "rate"
    ERRORS = "errors"
    DURATION = "duration"


LEAST = {Signal.ERRORS: 0.01, Signal.DURATION: 0.005}
"""By how much errors and duration leave their quiet level at least: a ratio, and seconds."""


@dataclass(frozen=True, slots=True)
class BurnSpan:
    """The time that a dashboard is drawn and read by.

    Attributes:
        since: from when on it is drawn; burn_from: where the burn window begins, before which all
            was quiet as far as this page goes; paged_at: when the page came.
    """

    since: datetime
    burn_from: datetime
    paged_at: datetime

    @classmethod
    def of(cls, page: Page) -> BurnSpan:
        """Return the span of a page, with half a burn window of the time before it."""
        window = max(page.burn_until - page.burn_from, SHORTEST)
        return cls(page.burn_from - window / 2, page.burn_from, page.burn_until)

    @property
    def window(self) -> timedelta:
        """The burn window."""
        return max(self.paged_at - self.burn_from, SHORTEST)


@dataclass(frozen=True, slots=True)
class Movement:
    """One signal in one region that left its quiet level.

    Attributes:
        before: quiet level; after: level since the onset. Requests per second, ratio or seconds.
        onset: when it left the quiet level; None: it came and went, and that cannot be told.
    """

    signal: str
    region: str
    before: float
    after: float
    onset: datetime | None
    shape: RedShape

    def text(self) -> str:
        """Return before and after as people write them."""
        match self.signal:
            case "duration":
                return f"{self.before * 1000:.0f} → {self.after * 1000:.0f} ms"
            case "errors":
                return f"{self.before:.1%} → {self.after:.1%}"
            case _:
                return f"{self.before:.1f} → {self.after:.1f}/s"


@dataclass(frozen=True, slots=True)
class RedReading:
    """What a RED dashboard showed.

    Attributes:
        movements: the signals that moved, worst region first within each signal.
        regions: every region with traffic, in order.
        unmeasured: the signals of which there is no data, in order.
        unclear: regions of which it cannot be told whether they have the same trouble, in order.
    """

    movements: tuple[Movement, ...]
    regions: tuple[str, ...]
    unmeasured: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()

    def moved(self) -> tuple[str, ...]:
        """Return which of rate, errors, duration moved, in this order."""
        found = {m.signal for m in self.movements}
        return tuple(name for name in ORDER if name in found)

    def is_plain(self, limit: timedelta) -> bool:
        """Return whether users must feel it: errors moved, or a duration went past the limit."""
        return any(
            m.signal == "errors" or (m.signal == "duration" and m.after >= limit.total_seconds())
            for m in self.movements
        )

    def leading(self) -> Movement | None:
        """Return the movement that says most: errors or duration before rate; None if none."""
        for name in ("errors", "duration", "rate"):
            for movement in self.movements:
                if movement.signal == name:
                    return movement
        return None

    def shape(self) -> RedShape:
        """Return the shape of what moved: the leading signal's, or the first one that is known."""
        leading = self.leading()
        ordered = [leading, *self.movements] if leading else []
        known = [m.shape for m in ordered if m.shape is not RedShape.UNKNOWN]
        return known[0] if known else RedShape.UNKNOWN

    def onset(self) -> datetime | None:
        """Return when the first of errors and duration left its quiet level; else the rate.

        None where nothing moved, and where one of them came and went.
        """
        loud = [m.onset for m in self.movements if m.signal != "rate"]
        found = loud or [m.onset for m in self.movements]
        known = [onset for onset in found if onset is not None]
        return min(known) if known and len(known) == len(found) else None

    def affected(self) -> tuple[str, ...]:
        """Return the regions that are affected, in order."""
        loud = [m for m in self.movements if m.signal != "rate"] or list(self.movements)
        return tuple(sorted({m.region for m in loud}))

    def region(self) -> str | None:
        """Return the one region affected; None where several are, or none, or it is unclear."""
        affected = self.affected()
        is_one = len(affected) == 1 and len(self.regions) > 1 and not self.unclear
        return affected[0] if is_one else None


def read(
    drawn: Mapping[Signal, Sequence[Series]],
    *,
    span: BurnSpan,
    now: datetime,
    short_window: timedelta,
    limit: timedelta = SLOW,
    tail_ratio: float | None = None,
) -> RedReading:
    """Return what moved, region by region, by the page: whatever is done later changes nothing.

    A page is about what burns when it comes. So the quiet level is that of the time before, and
    what is read is what left it by the page; of a page that comes before the rates show anything,
    by two short windows after it. A region that is drained then, or mends, or gets all the load of
    another one, is not taken for the trouble.

    A series that begins in the span belongs to a service that was only just started: until its
    rates have filled up, they tell of the start and not of trouble, and are left out.

    Args:
        drawn: the series of each signal that is measured; labels ``region`` and ``code`` are used.
        span: from when on was drawn, and when the page came.
        now: instant of reading; later samples are not looked at.
        short_window: short window of the alert, in real time.
        limit: from which duration on users are let down.
        tail_ratio: the share of requests that are slower than the duration drawn, 0.1 for a 90th
            percentile; None: not known, and a short excursion may be that of one odd request.
    """
    signals = {
        Signal.RATE: _summed(drawn, Signal.RATE),
        Signal.ERRORS: _errors(drawn),
        Signal.DURATION: _summed(drawn, Signal.DURATION, worst=True),
    }
    regions = tuple(sorted({r for found in signals.values() for r in found}))
    until = now.timestamp()
    courses = {
        signal: {
            region: [
                (t, v)
                for t, v in _warm(samples, span.since, short_window)
                if t <= until and isfinite(v)
            ]
            for region, samples in sorted(found.items())
        }
        for signal, found in signals.items()
    }
    unmeasured = tuple(s.value for s in _unmeasured(drawn))
    found = RedReading((), regions, unmeasured)
    for number in range(LATEST + 1):
        by = min(span.paged_at + number * short_window, now)
        found = replace(
            _read_by(courses, span, by, now, short_window, limit, tail_ratio),
            regions=regions,
            unmeasured=unmeasured,
        )
        if (found.is_plain(limit) and not found.unclear) or by == now:
            break
    return found


def _read_by(
    courses: Mapping[Signal, Mapping[str, Samples]],
    span: BurnSpan,
    by: datetime,
    now: datetime,
    short_window: timedelta,
    limit: timedelta,
    tail_ratio: float | None,
) -> RedReading:
    window = short_window.total_seconds()
    loud: dict[Signal, dict[str, Excursion]] = {}
    for signal in (Signal.ERRORS, Signal.DURATION):
        for region, samples in courses[signal].items():
            seen = excursion(
                samples,
                burn_from=span.burn_from.timestamp(),
                by=by.timestamp(),
                window=window,
                least=LEAST[signal],
            )
            if seen and moved(_red(signal, seen.before), _red(signal, seen.after)):
                loud.setdefault(signal, {})[region] = seen
    odd = {
        (signal, region)
        for signal, found in loud.items()
        for region, seen in found.items()
        if seen.is_brief
        and _had_it(signal, seen, courses[Signal.RATE].get(region, ()), by, window, tail_ratio)
        < HANDFUL
    }
    affected, unclear = _hit(loud, odd, limit)
    movements = [
        Movement(
            signal.value,
            region,
            seen.before,
            seen.after,
            datetime.fromtimestamp(seen.onset, UTC) if seen.onset is not None else None,
            _shape(courses[signal][region], seen, by, now, short_window),
        )
        for signal, found in loud.items()
        for region, seen in found.items()
        if region in affected
    ]
    onset = min((seen.began for found in loud.values() for seen in found.values()), default=None)
    if onset is None or affected:
        movements += [
            movement
            for region, samples in courses[Signal.RATE].items()
            if onset is None or region in affected
            if (movement := _rate(region, samples, onset, by, now, short_window))
        ]
    movements.sort(key=lambda m: (ORDER.index(m.signal), -abs(m.after - m.before), m.region))
    return RedReading(tuple(movements), (), unclear=tuple(sorted(unclear)))


def _had_it(
    signal: Signal,
    seen: Excursion,
    rates: Samples,
    by: datetime,
    window: float,
    tail_ratio: float | None,
) -> float:
    """Return how many requests at least had the trouble, by the rate that the region had; or 0.

    A ratio over a window of so many requests is that of this many, and a 90th percentile does not
    rise before a tenth of them were slow.
    """
    served = [v for t, v in rates if seen.began <= t <= by.timestamp()]
    share = seen.after if signal is Signal.ERRORS else tail_ratio
    return min(served) * window * share if served and share is not None else 0.0


def _hit(
    loud: Mapping[Signal, Mapping[str, Excursion]],
    odd: Collection[tuple[Signal, str]],
    limit: timedelta,
) -> tuple[set[str], set[str]]:
    """Return the regions whose users are let down, and those of which that cannot be told.

    On one machine a trouble in one region is felt a little in the other, through the processor:
    what stays within the promise there is no trouble, and what breaks it only just may be either.
    """
    affected: set[str] = set()
    unclear: set[str] = set()
    is_plain = Signal.ERRORS in loud or any(
        seen.after >= limit.total_seconds() for seen in loud.get(Signal.DURATION, {}).values()
    )
    for signal in (Signal.ERRORS, Signal.DURATION):
        found = loud.get(signal, {})
        worst = max((seen.after - seen.before for seen in found.values()), default=0.0)
        for region, seen in found.items():
            share = (seen.after - seen.before) / worst
            breaks = signal is Signal.ERRORS or seen.after >= limit.total_seconds() or not is_plain
            is_second = signal is Signal.DURATION and Signal.ERRORS in loud
            if (signal, region) in odd or (is_second and breaks):
                unclear.add(region)
            elif breaks and share >= SAME_SHARE:
                affected.add(region)
            elif share >= (FELT_SHARE if breaks else SAME_SHARE) and not is_second:
                unclear.add(region)
    return affected, unclear - affected


def _shape(
    samples: Samples, seen: Excursion, by: datetime, now: datetime, short_window: timedelta
) -> RedShape:
    """Return the shape that was known by the page; where none was, the one that is known now."""
    if seen.onset is None:
        return RedShape.UNKNOWN
    since = [(t, v) for t, v in samples if t >= seen.calm_from]
    for at in (by, now):
        shape = classify_shape(
            since, onset=seen.onset, now=at.timestamp(), short_window=short_window
        )
        if shape is not Shape.UNKNOWN:
            return RedShape(shape.value)
    return RedShape.UNKNOWN


def _rate(
    region: str,
    samples: Samples,
    onset: float | None,
    by: datetime,
    now: datetime,
    short_window: timedelta,
) -> Movement | None:
    """Return how the rate moved by the page: from what it was before the onset of the trouble.

    Args:
        onset: of errors and duration; None: neither moved, and the rate is read by itself.
    """
    seen = [(t, v) for t, v in samples if t <= by.timestamp()]
    began = find_onset(seen) if onset is None else onset
    if began is None:
        return None
    quiet = [v for t, v in seen if t < began]
    # A rate over a window has not arrived before one window; and slow requests are counted late.
    later = [v for t, v in seen if t >= began + short_window.total_seconds()]
    if onset is None:
        later = later or [v for t, v in seen if t >= began]
    if len(later) < FEWEST or (len(quiet) < FEWEST and onset is not None):
        return None
    before, after = median(quiet) if quiet else 0.0, median(later)
    noise = MAD_TO_DEVIATION * median(abs(v - before) for v in quiet) if quiet else 0.0
    if abs(after - before) <= NOISE_WIDTH * noise:
        return None
    if not moved(_red(Signal.RATE, before), _red(Signal.RATE, after)):
        return None
    shape = classify_shape(seen, onset=began, now=by.timestamp(), short_window=short_window)
    at = datetime.fromtimestamp(began, UTC)
    return Movement(Signal.RATE.value, region, before, after, at, RedShape(shape.value))


def _unmeasured(drawn: Mapping[Signal, Sequence[Series]]) -> Iterator[Signal]:
    """Yield the signals nothing is known of; that none fails while some are served is known."""
    rates = drawn.get(Signal.RATE, ())
    for signal in Signal:
        told = list(drawn.get(signal, ()))
        if signal is Signal.ERRORS:
            # By the statuses of the rate, or by a ratio, which draws nothing until one fails.
            told += [s for s in rates if "code" in s.labels or Signal.ERRORS in drawn]
        if not any(series.samples for series in told):
            yield signal


def _warm(samples: Samples, since: datetime, short_window: timedelta) -> Samples:
    if not samples:
        return samples
    begins = samples[0][0]
    if begins < since.timestamp() + short_window.total_seconds():
        return samples
    return [(t, v) for t, v in samples if t >= begins + short_window.total_seconds()]


def _red(signal: Signal, value: float) -> Red:
    match signal:
        case Signal.RATE:
            return Red(rate=value, error_ratio=None, duration=None)
        case Signal.ERRORS:
            return Red(rate=None, error_ratio=value, duration=None)
        case Signal.DURATION:
            return Red(rate=None, error_ratio=None, duration=timedelta(seconds=value))


def _summed(
    drawn: Mapping[Signal, Sequence[Series]], signal: Signal, *, worst: bool = False
) -> Mapping[str, list[tuple[float, float]]]:
    found: dict[str, dict[float, float]] = {}
    for one in drawn.get(signal, ()):
        values = found.setdefault(one.labels.get("region", ""), {})
        for sample in one.samples:
            at = sample.at.timestamp()
            known = values.get(at)
            if known is None:
                values[at] = sample.value
            else:
                values[at] = max(known, sample.value) if worst else known + sample.value
    return {region: sorted(values.items()) for region, values in found.items() if values}


def _errors(
    drawn: Mapping[Signal, Sequence[Series]],
) -> Mapping[str, list[tuple[float, float]]]:
    """Return error ratios per region, 0 where requests were served and none failed.

    Before a service's first failure there is no series of failures, and a quotient draws nothing:
    the quiet part is then taken from the rate, which knows that requests were served.
    """
    rates = _summed(drawn, Signal.RATE)
    drawn_ratios = _summed(drawn, Signal.ERRORS, worst=True)
    found: dict[str, list[tuple[float, float]]] = {}
    for region in sorted({*rates, *drawn_ratios}):
        ratios = {t: 0.0 for t, rate in rates.get(region, []) if rate > 0}
        ratios |= dict(drawn_ratios.get(region, []))
        found[region] = sorted(ratios.items())
    if not drawn_ratios:
        failed = _failed(drawn)
        for region, samples in found.items():
            whole = dict(rates.get(region, []))
            bad = failed.get(region, {})
            found[region] = [
                (t, bad.get(t, 0.0) / whole[t] if whole.get(t) else 0.0) for t, _ in samples
            ]
    return {region: samples for region, samples in found.items() if samples}


def _failed(drawn: Mapping[Signal, Sequence[Series]]) -> dict[str, dict[float, float]]:
    failed: dict[str, dict[float, float]] = {}
    for one in drawn.get(Signal.RATE, ()):
        if one.labels.get("code", "").startswith("5"):
            values = failed.setdefault(one.labels.get("region", ""), {})
            for sample in one.samples:
                at = sample.at.timestamp()
                values[at] = values.get(at, 0.0) + sample.value
    return failed
