"""Whom a graph of calls accuses, where there are metrics and no traces. Pure.

Every call is held against itself: how far are its errors and its duration from what they were in
the quiet time before the onset? Far is told in robust standard deviations, so that one odd minute
of the quiet time hides nothing. From the service whose alert fires the walk goes down the call that
deviates most, and on from who answers it: what is behind a cause waits for it and deviates too,
what is before it does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from gameday.diagnosis.exclusive import Hop
from gameday.model.service_graph import Measure

__all__ = ["Accused", "Edge", "Course", "accuse", "deviation"]

FAR = 5.0
"""Robust standard deviations from which on a call deviates. Of ten thousand quiet calls whose
numbers scatter as the normal distribution has it, none does."""

TO_SIGMA = 1.4826
"""What makes the median distance from the median a standard deviation, for the normal one.

Source: Rousseeuw and Croux, "Alternatives to the Median Absolute Deviation", 1993.
"""

FEWEST = 3
"""Samples that a median rests on, at least, before and since."""

SILENT = 0.1
"""A call whose rate fell below this share of what it was is not made any more, or not counted:
nobody counts a call that nobody answered."""

_LEAST_ERRORS = 0.002
_LEAST_SHARE, _LEAST_SECONDS = 0.05, 0.001
"""What counts as scatter where the quiet time had none: a counter that never moved has no spread,
and its first error must not weigh more than all else."""


@dataclass(frozen=True, slots=True)
class Course:
    """One number of a call: its samples before the onset, and since."""

    measure: Measure
    quiet: tuple[float, ...]
    since: tuple[float, ...]

    @property
    def is_seen(self) -> bool:
        """Whether there are enough samples of both times."""
        return min(len(self.quiet), len(self.since)) >= FEWEST


@dataclass(frozen=True, slots=True)
class Edge:
    """What one service asks of another.

    Attributes:
        by_caller: how the caller sees it; by_callee: how the one that answers does. Either may be
            empty: nobody counts there.
    """

    caller: str
    callee: str
    by_caller: tuple[Course, ...] = ()
    by_callee: tuple[Course, ...] = ()


@dataclass(frozen=True, slots=True)
class Accused:
    """The place that the graph accuses.

    Attributes:
        place: a service at work, or one that waits for another that is well by its own account.
        path: the services on the way there, from the one whose alert fires.
        measure: what of the last call deviates; rate: it is not made any more. None: no call does.
        before: its median in the quiet time; now: since the onset.
        sigmas: how far apart these are, in robust standard deviations; infinite for a silent call.
    """

    place: Hop
    path: tuple[str, ...]
    measure: Measure | None = None
    before: float = 0.0
    now: float = 0.0
    sigmas: float = 0.0


def deviation(course: Course) -> float | None:
    """Return how far above the quiet time a number is, in robust standard deviations.

    Negative: it is below. None where there are too few samples to tell.
    """
    if not course.is_seen:
        return None
    middle = median(course.quiet)
    spread = TO_SIGMA * median(abs(value - middle) for value in course.quiet)
    least = _LEAST_ERRORS
    if course.measure is not Measure.ERRORS:
        least = max(_LEAST_SHARE * abs(middle), _LEAST_SECONDS)
    return (median(course.since) - middle) / max(spread, least)


def accuse(calls: Sequence[Edge], service: str) -> Accused | None:
    """Return the place that holds the cause; None where nothing is known of the service's calls.

    Args:
        calls: each pair of services at most once, in any order.
        service: whose alert fires.
    """
    if not any(service in (call.caller, call.callee) for call in calls):
        return None
    path = [service]
    last: _Found | None = None
    while True:
        found = [
            far
            for call in calls
            if call.caller == path[-1] and call.callee not in path
            if (far := _far(call)) is not None
        ]
        if not found:
            break
        # What fails or is slow tells more than what is not heard of any more.
        last = max(found, key=lambda f: (not f.is_silent, f.sigmas, f.call.callee))
        path.append(last.call.callee)
    if last is None:
        return Accused(Hop(service), (service,))
    return Accused(
        place=last.place(),
        path=tuple(path),
        measure=last.course.measure,
        before=median(last.course.quiet),
        now=median(last.course.since),
        sigmas=last.sigmas,
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """A call that deviates, and by what."""

    call: Edge
    course: Course
    sigmas: float

    @property
    def is_silent(self) -> bool:
        return self.course.measure is Measure.RATE

    def place(self) -> Hop:
        """Return who is to blame: whoever answers, unless it is well by its own account."""
        call = self.call
        if self.is_silent or (call.by_callee and _worst(call, call.by_callee) is None):
            return Hop(call.caller, call.callee)
        return Hop(call.callee)


def _far(call: Edge) -> _Found | None:
    """Return by what a call deviates most; None where it does not."""
    found = _worst(call, (*call.by_caller, *call.by_callee))
    if found is not None:
        return found
    for course in call.by_caller or call.by_callee:
        if course.measure is Measure.RATE and len(course.quiet) >= FEWEST:
            now = median(course.since) if course.since else 0.0
            if median(course.quiet) > 0 and now < SILENT * median(course.quiet):
                seen = course.since or (0.0,)
                return _Found(call, Course(Measure.RATE, course.quiet, seen), float("inf"))
    return None


def _worst(call: Edge, courses: Sequence[Course]) -> _Found | None:
    far = [
        _Found(call, course, sigmas)
        for course in courses
        if course.measure is not Measure.RATE
        if (sigmas := deviation(course)) is not None and sigmas >= FAR
    ]
    return max(far, key=lambda f: (f.sigmas, f.course.measure), default=None)
