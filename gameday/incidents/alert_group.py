"""A group: everything heard about one SLO of one service, and the incidents it falls into.

Pure. A group is told facts in any order and any number of times, and comes to the same incidents::

    alerts        ──▇▇▇▇──▇▇▇▇▇────────────────────────────▇▇▇──
    incidents      [──────────────]  quiet for 30 minutes  [───…

Alerts that overlap, or follow each other within `QUIET`, are one incident. Where one of them wakes
somebody, it is those that count: a ticket that fires on for days keeps no incident open. What a
person closed stays closed: an alert that begins later than `REOPEN_WITHIN` after it is a new
incident, an earlier one opens the old one again.

What a drill explains and what it does not are never one incident: whoever answers a drill must not
have answered a real one by it. So a group has one open incident at most per drill, and a real one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gameday.incidents.alerts import Alert, firing_id_of
from gameday.incidents.severity import severity_of
from gameday.incidents.whole_firings import WholeFiring, whole_firings
from gameday.model.severity import IncidentSeverity
from scoring.timeline import Fact, Kind

QUIET = timedelta(minutes=30)
"""How long a group must be silent before its next alert is a new incident.

Longer than the 5 m `group_interval` with which Alertmanager tells of changes, and than the short
windows of burn-rate alerts, between which a fault that is still there can flap.
"""

REOPEN_WITHIN = timedelta(minutes=5)
"""An alert this soon after a person closed the incident says that it was closed too early."""


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
        firings: first the ones that fire.
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
        self.firings.append(firing)
        if self._first is None or _began(firing) < _began(self._first):
            self._first = firing
        if self._paged_at is None or told.received_at < self._paged_at:
            self._paged_at = told.received_at
        if self._last_starts_at is None or told.starts_at > self._last_starts_at:
            self._last_starts_at = told.starts_at
        self._last_ends_at = _later(self._last_ends_at, firing.ends_at)
        self.firing += firing.ends_at is None
        if firing.wakes:
            # Sets of thousands in a storm: nothing here may copy one.
            others = len(self._fires) - (told.fingerprint in self._fires)
            if firing.ends_at is not None or not others:
                self._is_swept = False
            self._fires.add(told.fingerprint)
            self.wakes = True
            self.waking += firing.ends_at is None
            self._last_waking_ends_at = _later(self._last_waking_ends_at, firing.ends_at)
        self.severity = min(self.severity, severity_of(told.labels))
        self.drill = told.drill
        if told.drill_until and (self.drill_until is None or told.drill_until > self.drill_until):
            self.drill_until = told.drill_until

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


def _later(known: datetime | None, other: datetime | None) -> datetime | None:
    return other if known is None else known if other is None else max(known, other)


def _began(firing: Firing) -> tuple[datetime, str]:
    return firing.starts_at, firing.told.firing_id


class AlertGroup:
    """One group as far as it was heard of."""

    def __init__(self, name: str, facts: Iterable[Fact] = ()) -> None:
        self.name = name
        self._firings: dict[str, Firing] = {}
        self._ids_of: dict[str, set[str]] = {}
        self._said_over: dict[str, datetime] = {}
        self._events: dict[str, Fact] = {}
        self._anchors: dict[str, str] = {}
        self._anchored: set[str] = set()
        self._incidents: list[Incident] | None = []
        for fact in facts:
            self.add(fact)

    def __bool__(self) -> bool:
        return bool(self._firings)

    def knows(self, fact: Fact) -> bool:
        """Return whether this fact would add nothing: it was heard before."""
        if fact.kind not in (Kind.PAGE_RECEIVED, Kind.PAGE_RESOLVED):
            return fact.id in self._events or fact.kind == Kind.PRUNED
        # Most facts of a storm are new, and need no reading for that.
        known = self._firings.get(firing_id_of(fact))
        if known is None:
            # Told again and again without a date, it would be another one each time.
            is_undated = fact.kind == Kind.PAGE_RECEIVED and fact.data["starts_at"] is None
            return is_undated and self._fires(str(fact.data["fingerprint"]), fact.happened_at)
        alert = Alert.from_fact(fact)
        if alert.ends_at is None:
            return known.told.ends_at is None
        ended_at = self._said_over.get(alert.firing_id)
        return ended_at is not None and ended_at >= (alert.said_ends_at or alert.ends_at)

    def _fires(self, fingerprint: str, at: datetime) -> bool:
        """Return whether an alert fires now, and did so then."""
        return any(
            whole.firing.ends_at is None and whole.firing.told.received_at <= at
            for whole in self._wholes(fingerprint)
        )

    def _wholes(self, fingerprint: str) -> Sequence[WholeFiring]:
        ids = self._ids_of.get(fingerprint, ())
        return whole_firings([self._firings[id] for id in ids])

    def add(self, fact: Fact) -> None:
        """Take one fact in; hearing it again changes nothing."""
        if fact.kind in (Kind.PAGE_RECEIVED, Kind.PAGE_RESOLVED):
            self._hear(Alert.from_fact(fact))
        elif fact.kind != Kind.PRUNED and fact.id not in self._events:
            self._events[fact.id] = fact
            if fact.kind == Kind.INCIDENT_OPENED:
                self._anchors[str(fact.data["incident"])] = str(fact.data["anchor"])
                self._anchored.add(str(fact.data["anchor"]))
            if fact.kind in (Kind.INCIDENT_OPENED, *CLOSING) or not self._joined(fact):
                self._incidents = None

    def _joined(self, word: Fact) -> bool:
        """Return whether an event that moves no firing could be put where it belongs."""
        incident = str(word.data.get("incident"))
        found = next((s for s in self._incidents or () if incident in s.ids), None)
        if found is None:
            return False
        last = found.events[-1] if found.events else None
        if last is not None and (last.happened_at, last.id) > (word.happened_at, word.id):
            return False
        found.say(word)
        return True

    def _hear(self, alert: Alert) -> None:
        said = Firing.of(alert)
        known = self._firings.get(alert.firing_id)
        self._firings[alert.firing_id] = said if known is None else known.merged(said)
        if alert.ends_at is not None:
            over = _later(self._said_over.get(alert.firing_id), alert.said_ends_at or alert.ends_at)
            assert over is not None
            self._said_over[alert.firing_id] = over
        ids = self._ids_of.setdefault(alert.fingerprint, set())
        ids.add(alert.firing_id)
        is_new = known is None and len(ids) == 1
        found = self._going_on(alert) if is_new and alert.ends_at is None else None
        if found is not None:
            # In a storm nearly every alert joins the incident that is open already; working the
            # whole group out again for each would take the square of their number.
            found.add(said)
        else:
            self._incidents = None

    def _going_on(self, alert: Alert) -> Incident | None:
        """Return the incident that an alert which is new and fires surely joins; None: not sure."""
        # An id that was heard before its alert has to find it.
        if not self._incidents or alert.firing_id in self._anchored:
            return None
        found = next((i for i in reversed(self._incidents) if i.drill == alert.drill), None)
        if found is None or any(w.kind in CLOSING for w in found.events):
            return None
        # The first is one that fires, and of those that wake somebody where there is one.
        first = found.firings[0]
        is_open = first.ends_at is None and first.starts_at <= alert.starts_at
        return found if is_open and first.wakes == found.wakes else None

    def incidents(self) -> Sequence[Incident]:
        """Return the incidents of this group, oldest first."""
        if self._incidents is None:
            self._incidents = self._sweep()
        return self._incidents

    def incident_of(self, incident: str) -> Incident | None:
        """Return the incident that has this id, or None."""
        return next((s for s in self.incidents() if incident in s.ids), None)

    def firing_ids_of(self, incident: Incident) -> Collection[str]:
        """Return every `Alert.firing_id` by which the firings of an incident were told of."""
        wanted = {(f.told.firing_id, f.starts_at) for f in incident.firings}
        return {
            id
            for alert in {f.told.fingerprint for f in incident.firings}
            for whole in self._wholes(alert)
            if (whole.firing.told.firing_id, whole.firing.starts_at) in wanted
            for id in whole.ids
        }

    def _sweep(self) -> list[Incident]:
        ids_of: dict[str, list[str]] = {}
        for incident, anchor in self._anchors.items():
            ids_of.setdefault(anchor, []).append(incident)
        events_of: dict[str, list[Fact]] = {}
        for word in self._events.values():
            events_of.setdefault(str(word.data.get("incident")), []).append(word)
        opened = {i: w.happened_at for i in self._anchors for w in events_of[i][:1]}

        clusters: list[_Cluster] = []
        of_drill: dict[str | None, _Cluster] = {}
        wholes = [whole for alert in self._ids_of for whole in self._wholes(alert)]
        for whole in sorted(wholes, key=lambda whole: _began(whole.firing)):
            firing = whole.firing
            cluster = of_drill.get(firing.told.drill)
            if cluster is None or not cluster.takes(firing):
                cluster = of_drill[firing.told.drill] = _Cluster()
                clusters.append(cluster)
            cluster.add(firing)
            for incident in (i for key in sorted(whole.ids) for i in ids_of.get(key, ())):
                cluster.ids.append(incident)
                for word in events_of.get(incident, ()):
                    if word.kind in CLOSING:
                        cluster.closed_at = _later(cluster.closed_at, word.happened_at)
        incidents = []
        for cluster in clusters:
            said = [w for i in cluster.ids for w in events_of.get(i, ())]
            incidents.append(
                Incident.of(
                    # The first one firing, if any, to be seen at a glance by `_going_on`.
                    sorted(
                        cluster.firings,
                        key=lambda e: (not e.wakes, e.ends_at is not None, e.starts_at),
                    ),
                    ids=tuple(sorted(cluster.ids, key=lambda i: (opened[i], i))),
                    events=tuple(sorted(said, key=lambda w: (w.happened_at, w.id))),
                )
            )
        return incidents


@dataclass(slots=True)
class _Cluster:
    """Firings that come to one incident, while a group is worked out."""

    firings: list[Firing] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    closed_at: datetime | None = None
    _all: _Ends = field(default_factory=lambda: _Ends())
    _waking: _Ends = field(default_factory=lambda: _Ends())

    def takes(self, firing: Firing) -> bool:
        """Return whether a firing that begins after these belongs to them."""
        if self.closed_at is not None and firing.starts_at > self.closed_at + REOPEN_WITHIN:
            return False
        # What wakes somebody goes by those that did: hours later, nobody is awake any more.
        by = self._waking if firing.wakes and self._waking.count else self._all
        return by.is_open or by.last is None or firing.starts_at <= by.last + QUIET

    def add(self, firing: Firing) -> None:
        """Take one more in; one that began after it was closed has opened it again."""
        if self.closed_at is not None and firing.starts_at > self.closed_at:
            self.closed_at = None
        self.firings.append(firing)
        self._all.add(firing)
        if firing.wakes:
            self._waking.add(firing)


@dataclass(slots=True)
class _Ends:
    """When firings ended: whether one has not, and the last end."""

    count: int = 0
    is_open: bool = False
    last: datetime | None = None

    def add(self, firing: Firing) -> None:
        """Take one more in."""
        self.count += 1
        self.is_open = self.is_open or firing.ends_at is None
        self.last = _later(self.last, firing.ends_at)
