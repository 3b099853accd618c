"""Incidents drawn by a seed, as Prometheus' rates over a short window show them, and their truth.

Every request is made by itself, counted when it ends, scraped once a second and drawn as a rate
over five seconds, the duration as a quantile out of a histogram: with all that smears and delays.
"""

from __future__ import annotations

import bisect
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from gameday.diagnosis.red import BurnSpan, RedReading, Signal
from gameday.model.page import RedShape
from gameday.model.signals import Sample, Series

HERE, THERE = "here", "there"
SHORT = timedelta(seconds=5)
SECOND = timedelta(seconds=1)
WINDOW = 60.0
"""The burn window, in seconds."""

LIMIT = 0.1
LET_DOWN = 0.144
"""The share of bad requests that pages: 14.4 times a budget of one per cent."""

BEGINS = 120.0
"""When the fault goes in, in seconds of the drawing."""

GOES_ON = 100.0
"""Seconds that are read after the page."""

EDGES = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
KINDS = ("slow", "some slow", "fail", "time out", "slower and slower")
ACTS = ("none", "mend", "drain sick", "drain well", "restart", "useless")
BEFORE = ("calm", "cold start", "former trouble", "restart")


@dataclass
class DrawnIncident:
    """One incident: what is true of it, and how it looks."""

    seed: int
    kind: str
    act: str
    before: str
    hit: tuple[str, ...]
    latency: float
    share: float
    quiet: float
    felt: float
    acted_after: float
    earlier: tuple[float, float, str]
    begins_at: float = 0.0
    paged_at: float = 0.0
    drawn: dict[Signal, list[Series]] = field(default_factory=dict)

    @property
    def span(self) -> BurnSpan:
        """What is known of its page."""
        since = self.paged_at - 1 - 1.5 * WINDOW
        return BurnSpan(at(since), at(self.paged_at - 1 - WINDOW), at(self.paged_at))

    def seconds(self) -> Iterator[datetime]:
        """Yield every second from the page to the end."""
        for number in range(int(GOES_ON)):
            yield at(self.paged_at + number)

    def seen(self, now: datetime) -> dict[Signal, list[Series]]:
        """Return what is drawn up to an instant."""
        since = self.span.since
        return {
            signal: [
                Series(one.labels, tuple(s for s in one.samples if since <= s.at <= now))
                for one in found
            ]
            for signal, found in self.drawn.items()
        }

    def mistakes(self, reading: RedReading) -> list[str]:
        """Return what a reading says that is not true; of what it leaves open, nothing."""
        if not reading.movements:
            return []
        found = []
        named = set(reading.affected())
        if named - set(self.hit):
            found.append(f"names {sorted(named)}, not {self.hit}")
        if set(self.hit) - named - set(reading.unclear):
            found.append(f"leaves out {sorted(set(self.hit) - named)}")
        fails, slows = self.kind in ("fail", "time out"), self.kind != "fail"
        moved = set(reading.moved())
        if ("errors" in moved) is not fails:
            found.append(f"errors: {sorted(moved)}")
        if ("duration" in moved) is not slows:
            found.append(f"duration: {sorted(moved)}")
        onset = reading.onset()
        if onset is not None:
            late = onset.timestamp() - START - BEGINS
            # A rate knows of a request when it has ended and was scraped, and climbs for a window.
            slack = 15.0 if self.kind == "slower and slower" else 5.0 + 2.5
            if not -1.0 <= late <= self.latency * slows + slack:
                found.append(f"onset {late:+.0f} s")
        for one in reading.movements:
            if one.signal == "errors" and not (
                one.before <= 0.05 and 0.5 * self.share <= one.after <= 2 * self.share
            ):
                found.append(one.text())
            if one.signal == "duration" and not (
                one.before <= 4 * self.quiet + 0.005
                and LIMIT <= one.after <= 2.5 * (self.latency + self.quiet)
            ):
                found.append(one.text())
        lasted = (self.ends_at if self.ends_at is not None else 1e9) - BEGINS
        shape = reading.shape()
        if shape is RedShape.SPIKE and lasted > 2 * 5 + 6:
            found.append("a spike that lasted")
        if shape is RedShape.PLATEAU and lasted < 2 * 5 - 1:
            found.append("a plateau that did not last")
        return found

    @property
    def ends_at(self) -> float | None:
        """When the act took the trouble away; None: never."""
        mends = self.act in ("mend", "drain sick")
        return self.paged_at + self.acted_after if mends else None


START = 1_767_614_400.0


def at(second: float) -> datetime:
    """Return an instant of the drawing."""
    return datetime.fromtimestamp(START + second, UTC)


def planned(seed: int) -> DrawnIncident:
    """Return what a seed plans, not drawn yet."""
    rng = random.Random(seed)
    gap = rng.uniform(12.0, 45.0)
    incident = DrawnIncident(
        seed=seed,
        kind=rng.choice(KINDS),
        act=rng.choice(ACTS),
        before=rng.choice(BEFORE),
        hit=rng.choice([(HERE,), (THERE,), (HERE, THERE)]),
        latency=rng.choice([0.2, 0.4, 0.9, 2.0]),
        share=rng.uniform(0.35, 1.0),
        quiet=rng.uniform(0.004, 0.03),
        felt=rng.uniform(1.0, 2.2),
        acted_after=rng.uniform(1.0, 45.0),
        earlier=(BEGINS - gap - rng.uniform(4, 12), BEGINS - gap, rng.choice([HERE, THERE])),
    )
    if incident.before == "cold start":
        incident.begins_at = BEGINS - rng.uniform(20, 40)
    return incident


def drawn_incident(seed: int) -> DrawnIncident:
    """Return the incident that a seed draws."""
    incident = planned(seed)
    ended = _requests(incident, until=BEGINS + 90.0, acts=False)
    incident.paged_at = _page(ended)
    ended = _requests(incident, until=incident.paged_at + GOES_ON + 5, acts=True)
    _draw(incident, ended)
    return incident


Ended = tuple[float, str, float, bool]
"""(when it ended, region, how long it took, whether it failed)."""


def _requests(incident: DrawnIncident, *, until: float, acts: bool) -> list[Ended]:
    # The same requests both times: the page must be that of what is drawn.
    rng = random.Random(incident.seed)
    acted_at = incident.paged_at + incident.acted_after if acts else until
    ended: list[Ended] = []
    t = incident.begins_at
    while t < until:
        t += rng.expovariate(16.0)
        region = rng.choice([HERE, THERE])
        acted = t >= acted_at
        drains = incident.act if acted else ""
        if drains == "drain sick":
            region = next((r for r in (HERE, THERE) if r not in incident.hit), THERE)
        elif drains == "drain well" and len(incident.hit) == 1:
            region = incident.hit[0]
        ended.append(_served(incident, rng, t, region, acted))
    return sorted(e for e in ended if e[0] <= until)


def _served(
    incident: DrawnIncident, rng: random.Random, t: float, region: str, acted: bool
) -> Ended:
    took = incident.quiet * rng.lognormvariate(0, 0.25)
    since, to, where = incident.earlier
    if incident.before in ("former trouble", "restart") and since <= t < to and region == where:
        if incident.before == "former trouble":
            return (t + took + 0.3, region, took + 0.3, False)
        return (t + took * 5, region, took * 5, rng.random() < 0.2)
    mended = acted and incident.act in ("mend", "drain sick")
    if acted and incident.act in ("drain sick", "drain well"):
        took *= 2.1  # all the load on one
    if acted and incident.act == "restart" and t < incident.paged_at + incident.acted_after + 3:
        took *= 6
    if t < BEGINS or mended:
        return (t + took, region, took, False)
    if region not in incident.hit:
        took *= incident.felt
        return (t + took, region, took, False)
    match incident.kind:
        case "fail":
            failed = rng.random() < incident.share
            return (t + took, region, took, failed)
        case "time out":
            failed = rng.random() < incident.share
            took += incident.latency if failed else 0.0
            return (t + took, region, took, failed)
        case "some slow":
            took += incident.latency if rng.random() < incident.share else 0.0
        case "slower and slower":
            took += incident.latency * min(1.0, (t - BEGINS) / 30)
        case _:
            took += incident.latency * rng.uniform(0.9, 1.1)
    return (t + took, region, took, False)


def _page(ended: Sequence[Ended]) -> float:
    times = [e[0] for e in ended]
    for second in range(int(BEGINS), int(times[-1])):
        shares = []
        for window in (WINDOW, 5.0):
            seen = ended[
                bisect.bisect(times, second - window) : bisect.bisect(times, float(second))
            ]
            bad = sum(e[3] or e[2] > LIMIT for e in seen)
            shares.append(bad / len(seen) if seen else 0.0)
        if min(shares) > LET_DOWN:
            return second + 2.0
    raise AssertionError("no page")


def _draw(incident: DrawnIncident, ended: Sequence[Ended]) -> None:
    series: dict[tuple[Signal, str, str], list[Sample]] = {}
    for region in (HERE, THERE):
        mine = [e for e in ended if e[1] == region]
        times = [e[0] for e in mine]
        begins = max(incident.begins_at + 2, incident.paged_at - 1.5 * WINDOW - 2)
        for second in range(int(begins), int(incident.paged_at + GOES_ON) + 1):
            # What was scraped last is up to a second old.
            seen = mine[bisect.bisect(times, second - 5.6) : bisect.bisect(times, second - 0.6)]
            failed = sum(e[3] for e in seen)
            now = at(second)
            for code, count in (("200", len(seen) - failed), ("500", failed)):
                series.setdefault((Signal.RATE, region, code), []).append(Sample(now, count / 5))
            if seen:
                series.setdefault((Signal.ERRORS, region, ""), []).append(
                    Sample(now, failed / len(seen))
                )
                quantile = _quantile(0.9, [e[2] for e in seen])
                series.setdefault((Signal.DURATION, region, ""), []).append(Sample(now, quantile))
    for (signal, region, code), samples in series.items():
        labels = {"region": region} | ({"code": code} if code else {})
        incident.drawn.setdefault(signal, []).append(Series(labels, tuple(samples)))


def _quantile(share: float, took: Sequence[float]) -> float:
    """Return what Prometheus' `histogram_quantile` makes of these durations."""
    rank, below, lower = share * len(took), 0, 0.0
    for edge in EDGES:
        here = sum(lower < t <= edge for t in took)
        if below + here >= rank and here:
            return lower + (edge - lower) * (rank - below) / here
        below, lower = below + here, edge
    return EDGES[-1]
