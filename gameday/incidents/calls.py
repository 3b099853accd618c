"""The calls of a pager: what is due of one incident, or of many of one service at once. Pure.

Where a service breaks in many ways at once, a call for each of them would only keep whoever is
woken from their work. So from the sixth on that nobody has answered yet, the pages of one service,
one severity and one role are one call, a *shared page*: under a key of its own, which stands for
exactly the incidents that it tells of and never for one more. What comes later is gathered for a
while and told by a call of its own, so it is never taken for what somebody has heard of already.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gameday.incidents.belief import HeldPage, Stands
from gameday.incidents.duties import TAKEN, Act, Duty, answer_of_all, stance
from gameday.incidents.state import IncidentState
from gameday.model.severity import IncidentSeverity

__all__ = [
    "PagerCall",
    "Family",
    "Holder",
    "Part",
    "answer_to",
    "family_of",
    "is_key_of_several",
    "page_calls",
]

MOST_ALONE = 5
"""Incidents of a family that are called one by one; with more of them it is a storm."""

GATHER = timedelta(seconds=15)
"""How long what is new waits for more of its kind, while the family is being called anyway.

Half of the time after which somebody else is asked, so that the first to be asked hears it first.
"""

_SHARED = "/all-"
"""In the key of a shared page; what follows stands for all that it tells of."""

Part = tuple[IncidentState, Duty]
"""One incident's share of a call."""

Holder = tuple[IncidentState, HeldPage]
"""An incident that a page told of, and that page as it stands on its record."""


@dataclass(frozen=True, slots=True)
class Family:
    """What one call may be about: a worse severity or another service hides behind nothing."""

    service: str
    severity: IncidentSeverity
    to: str
    drill: str | None


@dataclass(frozen=True, slots=True)
class PagerCall:
    """One thing that is done at once.

    Attributes:
        parts: whose duties it fulfils, the lead first; of a shared page more than one as a rule.
        also: the other incidents that a page told of when it was tried before: it tells of them
            again, whatever became of them, for its key stands for all of them.
    """

    parts: tuple[Part, ...]
    also: tuple[str, ...] = ()

    @property
    def lead(self) -> IncidentState:
        """The incident that it is named after: the one that waits longest."""
        return self.parts[0][0]

    @property
    def duty(self) -> Duty:
        """The lead's duty."""
        return self.parts[0][1]

    @property
    def is_shared(self) -> bool:
        """Whether it is about a page that told of several incidents."""
        return len(self.parts) > 1 or self.duty.is_shared

    @property
    def told(self) -> tuple[str, ...]:
        """The incidents that a page tells of, the lead first."""
        return (*(incident.id for incident, _ in self.parts), *self.also)

    @property
    def key(self) -> str:
        """By which the pager knows the page; of a shared one another key for other incidents."""
        first = self.duty.keys[0]
        if self.duty.was_tried or len(self.parts) == 1:
            return first
        told = "\n".join(sorted(work_of(incident, duty) for incident, duty in self.parts))
        return f"{first}{_SHARED}{hashlib.sha256(told.encode()).hexdigest()[:12]}"

    @property
    def work(self) -> tuple[str, ...]:
        """What it does, by names that no other call does at the same time."""
        if self.duty.act is not Act.PAGE and self.duty.is_shared:
            return (self.duty.key,)
        return tuple(work_of(incident, duty) for incident, duty in self.parts)

    def only(self, work: Collection[str]) -> PagerCall:
        """Return what of it is among this work, at least some of which is its own."""
        if len(self.parts) == 1 or self.duty.act is not Act.PAGE:
            return self
        return PagerCall(tuple(part for part in self.parts if work_of(*part) in work))


def work_of(incident: IncidentState, duty: Duty) -> str:
    """Return the name of one incident's duty, unique among all of them."""
    return f"{incident.id}/{duty.key}"


def is_key_of_several(key: str) -> bool:
    """Return whether this is the key of a shared page, on record or not."""
    return _SHARED in key


def family_of(incident: IncidentState, to: str) -> Family:
    """Return which family a page of this incident to this role belongs to."""
    return Family(incident.service, incident.severity, to, incident.drill)


def page_calls(
    due: Iterable[Part],
    *,
    called: Mapping[Family, Collection[str]],
    is_under_way: Callable[[str], bool],
    now: datetime,
) -> Sequence[PagerCall]:
    """Return the calls to make now for the pages that are due.

    Args:
        called: the incidents of a family that somebody is being called about already.
        is_under_way: whether a piece of work is being done, or waits for its next try.
    """
    fresh: dict[Family, list[Part]] = defaultdict(list)
    again: dict[tuple[str, str], list[Part]] = defaultdict(list)
    busy = {family: set(ids) for family, ids in called.items()}
    for incident, duty in due:
        family = family_of(incident, duty.to)
        if is_under_way(work_of(incident, duty)):
            busy.setdefault(family, set()).add(incident.id)
        elif duty.was_tried:
            busy.setdefault(family, set()).add(incident.id)
            again[duty.to, duty.keys[0]].append((incident, duty))
        else:
            fresh[family].append((incident, duty))
    found = [PagerCall(_in_order(parts)) for parts in again.values()]
    for family, parts in fresh.items():
        before = busy.get(family, set()) - {incident.id for incident, _ in parts}
        if len(before) + len(parts) <= MOST_ALONE:
            found.extend(PagerCall((part,)) for part in parts)
        elif not before or any(_waited(duty, now) >= GATHER for _, duty in parts):
            found.append(PagerCall(_in_order(parts)))
    return found


def _in_order(parts: Iterable[Part]) -> tuple[Part, ...]:
    return tuple(sorted(parts, key=lambda part: (part[0].unanswered_since, part[0].id)))


def _waited(duty: Duty, now: datetime) -> timedelta:
    return now - (duty.since or now)


def answer_to(key: str, holders: Collection[Holder]) -> PagerCall | None:
    """Return what the pager is to be told of a shared page now; None: nothing.

    It is over when all that it told of is over, and answered when all the rest is answered.

    Args:
        holders: all that it told of and whose record is at hand; the others are over.
    """
    stances = {stance(incident, page) for incident, page in holders}
    if not stances or Stands.OPEN in stances:
        return None
    if stances == {Stands.RESOLVED}:
        act, why, done = Act.TELL_RESOLVED, "all that it told of is over", {Stands.RESOLVED}
    else:
        act, why, done = Act.TELL_ACKED, TAKEN, {Stands.ACKNOWLEDGED, Stands.RESOLVED}
    duty = answer_of_all(act, key, why)
    parts = [(incident, duty) for incident, page in holders if page.stands not in done]
    return PagerCall(_in_order(parts)) if parts else None
