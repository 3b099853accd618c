"""Choosing a few traces that stand for many: slow or failed ones, and quiet ones beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from gameday.diagnosis.exclusive import seen_from
from gameday.model.signals import Trace
from gameday.ports import Clock, TraceSource

FEW, MANY = 5, 10
"""How many bad traces are representative: at least, at most."""

SETTLES_IN = timedelta(seconds=2.5)
"""Spans are sent in batches about a second after they end, each process by its own beat; a trace
younger than this may still lack some, and a missing span would accuse the wrong hop."""

PATIENCE = timedelta(seconds=12)
PAUSE = timedelta(seconds=1)
SLICES = 4
FIRST_SLICE = timedelta(seconds=3)
QUIET_BEFORE = timedelta(seconds=20)
QUIET_PIECES = 4
ONSET_MARGIN = timedelta(seconds=1.5)


@dataclass(frozen=True, slots=True)
class TraceSample:
    """Traces to compare, as the service served them: bad ones, the first first, and quiet ones."""

    bad: tuple[Trace, ...]
    quiet: tuple[Trace, ...]


@dataclass(frozen=True, slots=True)
class Hunt:
    """What to look for.

    Attributes:
        service: whose traces; since: start of the burn window; onset: of the trouble, if known.
        slower: from which duration on a trace is bad (the SLO's threshold).
        failures: whether failed requests are to be looked for beside slow ones.
    """

    service: str
    since: datetime
    onset: datetime | None
    slower: timedelta
    failures: bool = True

    def is_bad(self, trace: Trace) -> bool:
        """Return whether the request was slow or failed.

        In whatever region: RED was read earlier, and trouble spreads.
        """
        root = trace.root()
        return root.error or root.duration >= self.slower


async def sample(store: TraceSource, hunt: Hunt, clock: Clock) -> TraceSample:
    """Return representative traces; waits until enough have arrived, `PATIENCE` at most.

    Raises:
        DriverError: the store does not answer.
    """
    deadline = clock.elapsed() + PATIENCE
    while True:
        bad = await _bad(store, hunt, clock.now())
        if len(bad) >= MANY or clock.elapsed() >= deadline:
            break
        if len(bad) >= FEW and clock.elapsed() >= deadline - PATIENCE * 0.75:
            break
        await clock.sleep(PAUSE)
    return TraceSample(_spread(bad), await _quiet(store, hunt, bad, clock.now()))


async def look(store: TraceSource, hunt: Hunt, *, now: datetime) -> TraceSample:
    """Return the representative traces that are there now; may be few, or none.

    Raises:
        DriverError: the store does not answer.
    """
    bad = await _bad(store, hunt, now)
    return TraceSample(_spread(bad), await _quiet(store, hunt, bad, now))


async def _bad(store: TraceSource, hunt: Hunt, now: datetime) -> list[Trace]:
    since = hunt.onset - timedelta(seconds=1) if hunt.onset else hunt.since
    found: dict[str, Trace] = {}
    # Stores hand out the newest first: sliced, the search cannot miss the first to suffer.
    for begin, end in _slices(since, now, first=hunt.onset is not None):
        for trace in await store.search(
            service=hunt.service, since=begin, until=end, min_duration=hunt.slower, limit=20
        ):
            found[trace.trace_id] = seen_from(trace, hunt.service)
        if not hunt.failures:
            continue
        for trace in await store.search(
            service=hunt.service, since=begin, until=end, errors_only=True, limit=20
        ):
            found[trace.trace_id] = seen_from(trace, hunt.service)
    return _ordered(t for t in found.values() if hunt.is_bad(t) and _settled(t, now))


async def _quiet(
    store: TraceSource, hunt: Hunt, bad: Sequence[Trace], now: datetime
) -> tuple[Trace, ...]:
    until = (hunt.onset or hunt.since) - ONSET_MARGIN
    # Asked for in pieces for the same reason, so that they come from more than one instant: what
    # hangs or dies takes the spans along that it had not sent yet, those of its last seconds. And
    # more than are kept: stores choose by when spans came in, which is one process's batch at once.
    piece = QUIET_BEFORE / QUIET_PIECES
    before = [
        seen_from(trace, hunt.service)
        for number in range(QUIET_PIECES, 0, -1)
        for trace in await store.search(
            service=hunt.service,
            since=until - number * piece,
            until=until - (number - 1) * piece,
            limit=3 * MANY,
        )
    ]
    quiet = [t for t in before if _is_quiet(t, hunt) and _settled(t, now)]
    # A cold start: nothing before the onset. Then those are the comparison that came before the
    # first to suffer, and where there are none, those that were spared.
    first = max(until, bad[0].root().started_at) if bad else until
    for begin, end in ((until, first), (first, now)):
        if len(quiet) < FEW and begin < end:
            # In pieces here too: the bad ones that were found need not be the first of all, and
            # those that came right before them may have been spared.
            ours = [
                seen_from(trace, hunt.service)
                for since, until in _slices(begin, end, first=False)
                for trace in await store.search(
                    service=hunt.service, since=since, until=until, limit=2 * MANY // SLICES
                )
            ]
            quiet += [t for t in ours if _is_quiet(t, hunt) and _settled(t, now)]
    unique = {t.trace_id: t for t in quiet}
    ordered = _ordered(unique.values())
    return tuple(ordered[:: max(1, len(ordered) // (2 * MANY))][-2 * MANY :])


def _is_quiet(trace: Trace, hunt: Hunt) -> bool:
    root = trace.root()
    return not root.error and root.duration < hunt.slower


def _settled(trace: Trace, now: datetime) -> bool:
    root = trace.root()
    return root.started_at + root.duration + SETTLES_IN <= now


def _slices(since: datetime, until: datetime, *, first: bool) -> list[tuple[datetime, datetime]]:
    cuts = [since]
    if first and until - since > 2 * FIRST_SLICE:
        cuts.append(since + FIRST_SLICE)
    start = cuts[-1]
    size = max((until - start) / SLICES, timedelta(milliseconds=1))
    cuts += [start + (number + 1) * size for number in range(SLICES)]
    return list(pairwise(cuts))


def _ordered(traces: Iterable[Trace]) -> list[Trace]:
    return sorted(traces, key=lambda t: (t.root().started_at, t.trace_id))


def _spread(traces: Sequence[Trace]) -> tuple[Trace, ...]:
    """Return at most `MANY`: the first three, and the rest evenly spread over time."""
    if len(traces) <= MANY:
        return tuple(traces)
    rest = MANY - 3
    step = (len(traces) - 3) / rest
    return (*traces[:3], *(traces[3 + int(number * step)] for number in range(rest)))
