"""The episodes of one alert: when it fired and cleared, out of all that was said of it. Pure.

An alert's state belongs to its fingerprint. Several senders tell the same story differently: two
Alertmanagers of one cluster date a beginning a moment apart, Grafana says of an alert that is over
that it began when it ended, others leave dates out. So a beginning while the alert fires already is
the same episode, and an end is the end of every episode that began at or before it::

    said        begins  begins          over  over    begins
                  ├───────┴──────────────┴─────┤        ├────…
    episodes      1                                     2

What a drill explains and what it does not stay apart, for in doubt an alert is real.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gameday.incidents.alert_group import Firing


@dataclass(slots=True)
class Episode:
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
        self.firing = replace(first, ends_at=None)
        self.ids.add(told.told.firing_id)

    def end(self, told: Firing, *, at: datetime) -> None:
        """Take in that it was over then, at the latest."""
        ends = (at, self.firing.starts_at, self.firing.ends_at or at)
        self.firing = replace(self.firing, ends_at=max(ends))
        self.ids.add(told.told.firing_id)


def episodes_of(told: Collection[Firing]) -> Sequence[Episode]:
    """Return the episodes of one alert, oldest first, whatever the order in which it was told of.

    Args:
        told: of one fingerprint, one of each `Alert.firing_id`.
    """
    ends = [_Word(f.ends_at, True, f) for f in told if f.ends_at is not None]
    begins = [_Word(_begin(f, ends), False, f) for f in told if f.told.ends_at is None]
    found: list[Episode] = []
    fires: dict[str | None, Episode] = {}
    for word in sorted((*begins, *ends), key=lambda w: (w.at, w.is_end, w.firing.told.firing_id)):
        drill = word.firing.told.drill
        if not word.is_end:
            if drill not in fires:
                fires[drill] = Episode(word.firing)
                found.append(fires[drill])
            fires[drill].begin(word.firing)
        elif fires:
            for episode in fires.values():
                episode.end(word.firing, at=word.at)
            fires.clear()
        elif found and word.firing.told.earliest <= (found[-1].firing.ends_at or word.at):
            found[-1].end(word.firing, at=word.at)  # told once more, by another sender
        else:
            found.append(Episode(word.firing, {word.firing.told.firing_id}))
    return found


def _begin(firing: Firing, ends: Sequence[_Word]) -> datetime:
    """Return when it began at the latest: before every end that was heard later."""
    told = firing.told
    if told.is_dated:
        return told.earliest
    later = (w.at for w in ends if w.firing.told.received_at > told.received_at)
    return min((told.earliest, *later))


@dataclass(frozen=True, slots=True)
class _Word:
    """That it began, or that it was over."""

    at: datetime
    is_end: bool
    firing: Firing
