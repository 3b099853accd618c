"""Reading a RED dashboard: which signal moved, where, since when, in which shape. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from statistics import median

from gameday.model.page import RedShape
from gameday.model.signals import Series
from scoring.red import (
    MAD_TO_DEVIATION,
    NOISE_WIDTH,
    Red,
    Samples,
    classify_shape,
    moved,
    onset,
)

ORDER = ("rate", "errors", "duration")

REGION_SHARE = 0.25
"""A region is affected when its excursion is at least this share of the worst region's.

On one machine a trouble in one region is felt a little in the other, through the processor.
"""


class Signal(StrEnum):
    """What one expression of the dashboard draws."""

    RATE = "rate"
    ERRORS = "errors"
    DURATION = "duration"


@dataclass(frozen=True, slots=True)
class Movement:
    """One signal in one region that left its quiet level.

    Attributes:
        before: quiet level; after: level since the onset. Requests per second, ratio or seconds.
    """

    signal: str
    region: str
    before: float
    after: float
    onset: datetime
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
    """

    movements: tuple[Movement, ...]
    regions: tuple[str, ...]
    unmeasured: tuple[str, ...] = ()

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
        """Return when the first of errors and duration left its quiet level; else the rate."""
        loud = [m.onset for m in self.movements if m.signal != "rate"]
        return min(loud or [m.onset for m in self.movements], default=None)

    def affected(self) -> tuple[str, ...]:
        """Return the regions that are affected, in order."""
        loud = [m for m in self.movements if m.signal != "rate"] or list(self.movements)
        return tuple(sorted({m.region for m in loud}))

    def region(self) -> str | None:
        """Return the one region affected; None where all are, or none."""
        affected = self.affected()
        return affected[0] if len(affected) == 1 and len(self.regions) > 1 else None


def read(
    drawn: Mapping[Signal, Sequence[Series]],
    *,
    since: datetime,
    now: datetime,
    short_window: timedelta,
) -> RedReading:
    """Return what moved, region by region.

    A series that begins in the span belongs to a service that was only just started: until its
    rates have filled up, they tell of the start and not of trouble, and are left out.

    Args:
        drawn: the series of each signal that is measured; labels ``region`` and ``code`` are used.
        since: from when on was drawn.
        now: instant of reading; shapes are as of then.
        short_window: short window of the alert, in real time.
    """
    by_signal = {
        Signal.RATE: _summed(drawn, Signal.RATE),
        Signal.ERRORS: _errors(drawn),
        Signal.DURATION: _summed(drawn, Signal.DURATION, worst=True),
    }
    regions = tuple(sorted({r for found in by_signal.values() for r in found}))
    movements: list[Movement] = []
    for signal, found in by_signal.items():
        seen = [
            movement
            for region in sorted(found)
            if (
                movement := _movement(
                    signal, region, _warm(found[region], since, short_window), now, short_window
                )
            )
        ]
        worst = max((abs(m.after - m.before) for m in seen), default=0.0)
        movements += sorted(
            (m for m in seen if abs(m.after - m.before) >= REGION_SHARE * worst),
            key=lambda m: (-abs(m.after - m.before), m.region),
        )
    return RedReading(tuple(movements), regions, tuple(s.value for s in _unmeasured(drawn)))


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


def _movement(
    signal: Signal, region: str, samples: Samples, now: datetime, short_window: timedelta
) -> Movement | None:
    if signal is not Signal.RATE:
        samples = _latest(samples, short_window)
    began = onset(samples)
    if began is None:
        return None
    before = median(v for t, v in samples if t < began) if samples[0][0] < began else 0.0
    later = sorted((v for t, v in samples if t >= began), key=lambda v: abs(v - before))
    # The upper quarter: what a rate over a window has climbed to, and not how long it climbed.
    after = later[(3 * len(later)) // 4]
    if not moved(_red(signal, before), _red(signal, after)):
        return None
    shape = classify_shape(samples, onset=began, now=now.timestamp(), short_window=short_window)
    return Movement(
        signal.value,
        region,
        before,
        after,
        datetime.fromtimestamp(began, UTC),
        RedShape(shape.value),
    )


def _latest(samples: Samples, short_window: timedelta) -> Samples:
    """Return the samples from the last calm before the present trouble on; none where all is calm.

    A page is about what burns now: what came and went before, a former incident or a restart, is
    neither its onset nor its shape. Calm is two short windows near the quiet level, which is that
    of the lower quarter, since errors and duration only ever rise.
    """
    values = sorted(v for _, v in samples)
    quiet = values[len(values) // 4] if values else 0.0
    lower = [abs(v - quiet) for v in values[: len(values) // 2 + 1]]
    noise = MAD_TO_DEVIATION * median(lower) if lower else 0.0
    limit = quiet + max(NOISE_WIDTH * noise, quiet / 2, 0.005)
    patience = 2 * short_window.total_seconds()
    start: float | None = None
    calm: tuple[float, float] | None = None
    for t, v in samples:
        if v > limit:
            start = None
            continue
        start = t if start is None else start
        if t - start >= patience:
            calm = (start, t)
    if calm is None:
        return samples
    return [] if calm[1] == samples[-1][0] else [(t, v) for t, v in samples if t >= calm[0]]


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
