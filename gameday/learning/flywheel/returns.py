"""What came back: a severe incident within weeks, a class that its items should have prevented.

That something happened four times in three months is a fact, and it is named as what it is; how
many of that kind chance alone deals out stands beside it.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from gameday.learning.flywheel.patterns import SHARE
from gameday.model.past_incident import PastIncident
from gameday.model.pattern import Repeat, Return, Why
from gameday.model.severity import IncidentSeverity

__all__ = ["repeats_in", "returns_in"]

REPEATED = 4
"""How often the same severe incident makes it one that repeats."""

WITHIN = timedelta(days=92)
"""Three months, however long they are."""

MOST_NAMED = 20
"""Of the incidents in which a class came back."""

REPEATING = IncidentSeverity.SEV_1
"""Of what severity; what is less severe comes often."""


def repeats_in(incidents: Sequence[PastIncident]) -> Sequence[Repeat]:
    """Return each class that came as SEV-1 four times in three months, the longest first.

    Args:
        incidents: ordered by when they began.
    """
    severe = [one for one in incidents if one.cause and one.severity is REPEATING]
    groups: dict[str, list[PastIncident]] = defaultdict(list)
    for one in severe:
        groups[one.cause].append(one)
    by_chance = _expected(incidents, len(severe))
    found = []
    for cause, own in groups.items():
        for run in _runs(own):
            ids = [one.id for one in run]
            begin, end = run[0].began_at, run[-1].began_at
            found.append(Repeat(REPEATING, cause, ids, begin, end, by_chance, by_chance <= SHARE))
    return sorted(found, key=lambda r: (-len(r.incidents), r.since, r.cause))


def _expected(incidents: Sequence[PastIncident], severe: int) -> float:
    """Return how many runs of four chance deals out, were the severe ones dealt to the classes.

    Of n, any four are of class c with the fourth power of its share of all incidents, and within a
    fraction w of the time with 4w³ - 3w⁴; C(n, 4) such fours there are.

    Source: the distribution of the range of four uniform instants.
    """
    of_class = Counter(one.cause for one in incidents if one.cause)
    known = [one for one in incidents if one.cause]
    span = known[-1].began_at - known[0].began_at if known else timedelta(0)
    if span <= WITHIN:
        return float(math.comb(severe, REPEATED))
    window, of = WITHIN / span, of_class.total()
    same = math.fsum((count / of) ** REPEATED for count in of_class.values())
    together = REPEATED * window ** (REPEATED - 1) - (REPEATED - 1) * window**REPEATED
    return math.comb(severe, REPEATED) * same * together


def _runs(own: Sequence[PastIncident]) -> Iterator[Sequence[PastIncident]]:
    """Yield stretches of incidents of which any four neighbours lie within three months."""
    start = 0
    while start + REPEATED <= len(own):
        end = start + REPEATED
        if own[end - 1].began_at - own[start].began_at > WITHIN:
            start += 1
            continue
        while end < len(own) and own[end].began_at - own[end - REPEATED + 1].began_at <= WITHIN:
            end += 1
        yield own[start:end]
        start = end


def returns_in(incidents: Sequence[PastIncident]) -> Sequence[Return]:
    """Return the classes that came back, with how that could be; the most frequent first.

    Each incident is laid at the door of the last one of its class before it: were its items closed
    by then, they did not prevent it; were they open, nobody had done them.

    Args:
        incidents: ordered by when they began.
    """
    last: dict[str, PastIncident] = {}
    found: dict[tuple[str, Why], _Came] = {}
    for one in incidents:
        cause = one.cause
        if not cause:
            continue
        before = last.get(cause)
        last[cause] = one
        if before is None:
            continue
        why = _why(before, one)
        came = found.get((cause, why))
        if came is None:
            came = found[cause, why] = _Came(before.id)
        came.times += 1
        came.items += before.tally.filed
        if came.times <= MOST_NAMED:
            came.again.append(one.id)
    returned = [
        Return(cause, why, came.first, came.again, came.times, came.items)
        for (cause, why), came in found.items()
    ]
    return sorted(returned, key=lambda r: (-r.times, r.cause, r.why))


@dataclass(slots=True)
class _Came:
    """A return while it is counted."""

    first: str
    again: list[str] = field(default_factory=list)
    times: int = 0
    items: int = 0


def _why(before: PastIncident, again: PastIncident) -> Why:
    tally = before.tally
    if not tally.filed:
        return Why.NONE
    if tally.open or (tally.last_closed_at is not None and tally.last_closed_at > again.began_at):
        return Why.OPEN
    return Why.CLOSED if tally.done else Why.UNKNOWN
