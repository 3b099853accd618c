"""The firings of one alert, each whole: when it fired and cleared, out of all that was said. Pure.

An alert's state belongs to its fingerprint. Several senders tell the same story differently: two
Alertmanagers of one cluster date a beginning a moment apart, Grafana says of an alert that is over
that it began when it ended, others leave dates out. So beginnings within `TOGETHER` are one, and an
end is the end of every firing that began at or before it::

    said        begins  begins          over  over    begins        begins   over
                  ├───────┴──────────────┴─────┤        ├─────────────┼───────┤
    firings       1                                     2             3

A beginning long after the last, of whose end nobody told, is another firing: in between it must
have cleared, and whoever has the first may be asleep.

What a drill explains and what it does not stay apart, for in doubt an alert is real.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gameday.incidents.incident import Firing


TOGETHER = timedelta(minutes=2)
"""Beginnings this close are one, told by two senders: their rules are evaluated that far apart."""


@dataclass(slots=True)
class WholeFiring:
    """One stretch in which the alert fired.

    Attributes:
        firing: what is known of it, as one.
        ids: every `Alert.firing_id` that it was told as.
    """

    firing: Firing
    ids: set[str] = field(default_factory=set)

    def begin(self, told: Firing) -> None:
        """Take in that it began, said perhaps not for the first time."""
        first = min(self.firing, told, key=lambda f: (f.told.received_at, f.told.firing_id))
        self.firing = replace(first, ends_at=None, over_heard_at=None)
        self.ids.add(told.told.firing_id)

    def end(self, told: Firing, *, at: datetime) -> None:
        """Take in that it was over then, at the latest."""
        self._over(at, told.over_heard_at or told.told.received_at)
        self.ids.add(told.told.firing_id)

    def give_way(self, next_one: Firing) -> None:
        """Take in that it was over when the next one began, for so much later that is another."""
        self._over(next_one.starts_at, next_one.told.received_at)

    def _over(self, at: datetime, heard_at: datetime) -> None:
        known = self.firing
        self.firing = replace(
            known,
            ends_at=max(at, known.starts_at, known.ends_at or at),
            over_heard_at=min(heard_at, known.over_heard_at or heard_at),
        )

    def is_another(self, told: Firing) -> bool:
        """Return whether a beginning, by its own word, is another one than this one's."""
        begun = self.firing.told
        is_dated = told.told.is_dated and begun.is_dated
        return is_dated and told.told.earliest > begun.earliest + TOGETHER


def whole_firings(told: Collection[Firing]) -> Sequence[WholeFiring]:
    """Return the firings of one alert, oldest first, whatever the order in which it was told of.

    Args:
        told: of one fingerprint, one of each `Alert.firing_id`.
    """
    if len(told) == 1:
        (only,) = told
        if only.ends_at is None:  # most of a storm
            return [WholeFiring(only, {only.told.firing_id})]
    ends = [_Told(f.ends_at, True, f) for f in told if f.ends_at is not None]
    begins = [_Told(_begin(f, ends), False, f) for f in told if f.told.ends_at is None]
    found: list[WholeFiring] = []
    fires: dict[str | None, WholeFiring] = {}
    for word in sorted((*begins, *ends), key=lambda w: (w.at, w.is_end, w.firing.told.firing_id)):
        drill = word.firing.told.drill
        if not word.is_end:
            known = fires.get(drill)
            if known is not None and known.is_another(word.firing):
                known.give_way(word.firing)
            if known is None or known.firing.ends_at is not None:
                fires[drill] = WholeFiring(word.firing)
                found.append(fires[drill])
            fires[drill].begin(word.firing)
        elif fires:
            for whole in fires.values():
                whole.end(word.firing, at=word.at)
            fires.clear()
        elif found and word.firing.told.earliest <= (found[-1].firing.ends_at or word.at):
            found[-1].end(word.firing, at=word.at)  # told once more, by another sender
        else:
            found.append(WholeFiring(word.firing, {word.firing.told.firing_id}))
    return found


def _begin(firing: Firing, ends: Sequence[_Told]) -> datetime:
    """Return when it began at the latest: before every end that was heard later."""
    told = firing.told
    if told.is_dated:
        return told.earliest
    later = (w.at for w in ends if w.firing.told.received_at > told.received_at)
    return min((told.earliest, *later))


@dataclass(frozen=True, slots=True)
class _Told:
    """That it began, or that it was over."""

    at: datetime
    is_end: bool
    firing: Firing
