"""An incident: the firings of alerts that are one, and what was said about it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gameday.incidents.alerts import Alert
from gameday.incidents.severity import severity_of
from gameday.model.severity import IncidentSeverity
from scoring.timeline import Fact, Kind

__all__ = ["CLOSING", "QUIET", "Firing", "Incident", "began", "later"]

QUIET = timedelta(minutes=30)
"""How long a group must be silent before its next alert is a new incident.

Longer than the 5 m `group_interval` with which Alertmanager tells of changes, and than the short
windows of burn-rate alerts, between which a fault that is still there can flap.
"""

CLOSING = (Kind.RESOLVED, Kind.FALSE_ALARM)


@dataclass(frozen=True, slots=True)
class Firing:
    """One firing of one alert.

    Attributes:
        told: what it was told as: when it fired, or when it cleared where only that was heard.
        ends_at: when it cleared; None: it is firing.
        over_heard_at: when that was heard here.
    """

    told: Alert
    ends_at: datetime | None
    over_heard_at: datetime | None = None

    @classmethod
    def of(cls, alert: Alert) -> Firing:
        """Return the firing that one word of an alert tells of."""
        return cls(alert, alert.ends_at, alert.received_at if alert.ends_at else None)

    @property
    def starts_at(self) -> datetime:
        """When it fired, by Prometheus."""
        return self.told.starts_at

    @property
    def wakes(self) -> bool:
        """Whether it is an alert that wakes somebody."""
        return severity_of(self.told.labels).wakes

    def merged(self, other: Firing) -> Firing:
        """Return what both say together; the order of the two does not matter."""
        told = min(
            (self.told, other.told),
            key=lambda a: (a.ends_at is not None, a.received_at, a.ends_at or a.received_at),
        )
        ended = [f for f in (self, other) if f.ends_at is not None]
        ends_at = max((f.ends_at for f in ended if f.ends_at), default=None)
        # The last end is what counts; of several words of it the first was heard.
        heard = (f.over_heard_at for f in ended if f.ends_at == ends_at)
        return Firing(told, ends_at, min((h for h in heard if h is not None), default=None))


@dataclass(slots=True)
class Incident:
    """The firings that are one incident, and what was said about it.

    What all firings come to together is kept up as they are added: in a storm there are thousands,
    and the incident is looked at far more often than it changes.

    Attributes:
        firings: in the order in which they were taken in.
        ids: of the incident, oldest first; several where late news made one of several.
        events: the facts people and the engine added, in the order they happened.
        firing: how many firings have no end yet; waking: of those that wake somebody.
        wakes: whether one of its alerts wakes somebody.
        severity: the worst that the alerts' labels say.
        drill: the run that explains the alerts; None: it is real.
        drill_until: until when the drill explains them at most; None: for good.
        known: what others worked out of it, by whatever it depends on besides; empty once the
            incident has changed.
    """

    firings: list[Firing] = field(default_factory=list)
    ids: tuple[str, ...] = ()
    events: tuple[Fact, ...] = ()
    firing: int = 0
    waking: int = 0
    wakes: bool = False
    severity: IncidentSeverity = IncidentSeverity.SEV_5
    drill: str | None = None
    drill_until: datetime | None = None
    known: dict[object, Any] = field(default_factory=dict, repr=False, compare=False)
    _refired_at: datetime | None = None
    _is_swept: bool = False
    _fires: set[str] = field(default_factory=set)
    _first: Firing | None = None
    _places: dict[str, int] = field(default_factory=dict)
    _open_from: int = 0
    _heard_at: datetime | None = None
    _paged_at: datetime | None = None
    _last_starts_at: datetime | None = None
    _last_ends_at: datetime | None = None
    _last_waking_ends_at: datetime | None = None

    @classmethod
    def of(
        cls, firings: Iterable[Firing], *, ids: tuple[str, ...], events: tuple[Fact, ...]
    ) -> Incident:
        """Return an incident of these firings."""
        made = cls(ids=ids, events=events)
        for firing in firings:
            made.add(firing)
        return made

    def add(self, firing: Firing) -> None:
        """Take one more firing in."""
        self.known.clear()
        told = firing.told
        self._places[told.firing_id] = len(self.firings)
        self.firings.append(firing)
        if self._first is None or began(firing) < began(self._first):
            self._first = firing
        if self._paged_at is None or told.received_at < self._paged_at:
            self._paged_at = told.received_at
        if self._last_starts_at is None or told.starts_at > self._last_starts_at:
            self._last_starts_at = told.starts_at
        self._last_ends_at = later(self._last_ends_at, firing.ends_at)
        self.firing += firing.ends_at is None
        if firing.wakes:
            # Sets of thousands in a storm: nothing here may copy one.
            others = len(self._fires) - (told.fingerprint in self._fires)
            if firing.ends_at is not None or not others:
                self._is_swept = False
            self._fires.add(told.fingerprint)
            self._heard_at = later(self._heard_at, told.received_at)
            self.wakes = True
            self.waking += firing.ends_at is None
            self._last_waking_ends_at = later(self._last_waking_ends_at, firing.ends_at)
        self.severity = min(self.severity, severity_of(told.labels))
        self.drill = told.drill
        if told.drill_until and (self.drill_until is None or told.drill_until > self.drill_until):
            self.drill_until = told.drill_until

    def can_end(self, known: Firing, ended: Firing) -> bool:
        """Return whether an end moves nothing: every other firing stays part of it all the same.

        Args:
            known: one of its firings, as it was heard of before.
            ended: the same with its end.
        """
        place = self._places.get(known.told.firing_id)
        if place is None or self.firings[place] is not known or ended.ends_at is None:
            return False
        is_late = ended.ends_at + QUIET >= self.last_starts_at
        return is_late and known.ends_at is None and ended.starts_at == known.starts_at

    def end(self, known: Firing, ended: Firing) -> None:
        """Take in that a firing is over, where it `can_end`."""
        self.known.clear()
        told = known.told
        self.firings[self._places[told.firing_id]] = ended
        if self._first is known:
            self._first = ended
        self.firing -= 1
        self._last_ends_at = later(self._last_ends_at, ended.ends_at)
        if known.wakes:
            self.waking -= 1
            self._last_waking_ends_at = later(self._last_waking_ends_at, ended.ends_at)
            # Whether something began anew is asked of what is heard after an end, or with it.
            heard_at = ended.over_heard_at
            if heard_at is None or self._heard_at is None or heard_at <= self._heard_at:
                self._is_swept = False
            self._fires.discard(told.fingerprint)

    def one_open(self) -> Firing | None:
        """Return one that fires, of those that wake somebody where there is one; None: none does.

        It is asked for with every alert of a storm, so none is looked at twice in vain.
        """
        while self._open_from < len(self.firings):
            firing = self.firings[self._open_from]
            if firing.ends_at is None and firing.wakes == self.wakes:
                return firing
            self._open_from += 1
        return None

    def say(self, word: Fact) -> None:
        """Take in what was said about it after everything else that was."""
        self.known.clear()
        self.events = (*self.events, word)

    @property
    def first(self) -> Firing:
        """The firing that began first."""
        assert self._first is not None, "an incident has at least one firing"
        return self._first

    @property
    def paged_at(self) -> datetime:
        """When the first webhook about it arrived."""
        assert self._paged_at is not None, "an incident has at least one firing"
        return self._paged_at

    @property
    def starts_at(self) -> datetime:
        """When the first alert fired."""
        return self.first.starts_at

    @property
    def last_starts_at(self) -> datetime:
        """When the last alert fired."""
        assert self._last_starts_at is not None, "an incident has at least one firing"
        return self._last_starts_at

    @property
    def cleared_at(self) -> datetime | None:
        """When the last alert that wakes somebody cleared, by Prometheus; None while one fires.

        Where none wakes anybody, all of them count.
        """
        if self.wakes:
            return None if self.waking else self._last_waking_ends_at
        return None if self.firing else self._last_ends_at

    def closing(self) -> Fact | None:
        """Return the word that closed it, or None; an alert that began later took it back."""
        closings = [
            w for w in self.events if w.kind in CLOSING and w.happened_at >= self.last_starts_at
        ]
        return closings[-1] if closings else None

    def reopened_at(self) -> datetime | None:
        """Return when the page came that opened it again, or None."""
        closed = [w.happened_at for w in self.events if w.kind in CLOSING]
        taken_back = max((c for c in closed if c < self.last_starts_at), default=None)
        if taken_back is None:
            return None
        return min(e.told.received_at for e in self.firings if e.starts_at > taken_back)

    def refired_at(self) -> datetime | None:
        """Return when it was heard to fire anew, all of it having cleared before; None: never.

        It goes by what was heard and when, for so does whoever was woken: told that it is over,
        they are asleep again, however the alerts overlapped. Where a ticket opened the incident,
        the first alert that wakes somebody counts as well.
        """
        if not self._is_swept:
            began, self._fires = _began_to_fire([f for f in self.firings if f.wakes])
            self._refired_at = began[-1] if began and began[-1] > self.paged_at else None
            self._is_swept = True
        return self._refired_at


def _began_to_fire(firings: Iterable[Firing]) -> tuple[Sequence[datetime], set[str]]:
    """Return (when one of these was heard to fire while none was known to, oldest first; which
    alerts still fire).
    """
    heard = [f for f in firings if f.told.ends_at is None]
    # In one instant (one webhook) an end is heard before a beginning.
    begins = [(f.told.received_at, 1, f.starts_at, f.told.firing_id, f) for f in heard]
    ends = [
        (f.over_heard_at, 0, f.starts_at, f.told.firing_id, f) for f in heard if f.over_heard_at
    ]
    words = sorted([*begins, *ends], key=lambda word: word[:4])
    fires: dict[str, Firing] = {}
    began: list[datetime] = []
    for at, is_beginning, _, _, firing in words:
        alert = firing.told.fingerprint
        known = fires.get(alert)
        if not is_beginning:
            if known is not None and known.told.firing_id == firing.told.firing_id:
                del fires[alert]
        elif firing.over_heard_at is not None and firing.over_heard_at <= at:
            continue  # it was over before it was heard of
        elif known is None or known.starts_at < firing.starts_at:
            # An alert that fires anew has cleared in between, whether that was told or not.
            if len(fires) == (alert in fires):
                began.append(at)
            fires[alert] = firing
    return began, set(fires)


def later(known: datetime | None, other: datetime | None) -> datetime | None:
    """Return the later of two instants; of one that is not known, the other."""
    return other if known is None else known if other is None else max(known, other)


def began(firing: Firing) -> tuple[datetime, str]:
    """Return by what firings are in order: when they began; of one instant, which they are."""
    return firing.starts_at, firing.told.firing_id
