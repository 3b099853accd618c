"""A group: everything heard about one SLO of one service, and the incidents it falls into.

Pure. A group is told facts in any order and any number of times, and comes to the same incidents::

    alerts        ──▇▇▇▇──▇▇▇▇▇────────────────────────────▇▇▇──
    incidents      [──────────────]  quiet for 30 minutes  [───…

Alerts that overlap, or follow each other within `QUIET`, are one incident; so a group never has two
open ones. What a person closed stays closed: an alert that begins later than `REOPEN_WITHIN` after
it is a new incident, an earlier one opens the old one again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gameday.incidents.alerts import Alert, firing_id_of
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
    """

    told: Alert
    ends_at: datetime | None

    @property
    def starts_at(self) -> datetime:
        """When it fired, by Prometheus."""
        return self.told.starts_at

    def merged(self, other: Firing) -> Firing:
        """Return what both say together; the order of the two does not matter."""
        told = min(
            (self.told, other.told),
            key=lambda a: (a.ends_at is not None, a.received_at, a.ends_at or a.received_at),
        )
        ends = [e for e in (self.ends_at, other.ends_at) if e is not None]
        return Firing(told, max(ends) if ends else None)


@dataclass(slots=True)
class Incident:
    """The firings that are one incident, and what was said about it.

    What all firings come to together is kept up as they are added: in a storm there are thousands,
    and the incident is looked at far more often than it changes.

    Attributes:
        firings: first the ones that fire.
        ids: of the incident, oldest first; several where late news made one of several.
        words: the facts people and the engine added, in the order they happened.
        firing: how many firings have no end yet.
        severities: what the alerts' labels say of how bad it is.
        drills: the runs that explain the alerts; None among them: one is explained by nothing.
        drill_until: until when a drill explains them at most.
    """

    firings: list[Firing] = field(default_factory=list)
    ids: tuple[str, ...] = ()
    events: tuple[Fact, ...] = ()
    firing: int = 0
    severities: set[str] = field(default_factory=set)
    drills: set[str | None] = field(default_factory=set)
    drill_until: datetime | None = None
    _first: Firing | None = None
    _paged_at: datetime | None = None
    _last_starts_at: datetime | None = None
    _last_ends_at: datetime | None = None

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
        told = firing.told
        self.firings.append(firing)
        if self._first is None or _began(firing) < _began(self._first):
            self._first = firing
        if self._paged_at is None or told.received_at < self._paged_at:
            self._paged_at = told.received_at
        if self._last_starts_at is None or told.starts_at > self._last_starts_at:
            self._last_starts_at = told.starts_at
        if firing.ends_at is None:
            self.firing += 1
        elif self._last_ends_at is None or firing.ends_at > self._last_ends_at:
            self._last_ends_at = firing.ends_at
        self.severities.add((told.labels.get("sev") or told.labels.get("severity") or "").lower())
        self.drills.add(told.drill)
        if told.drill_until and (self.drill_until is None or told.drill_until > self.drill_until):
            self.drill_until = told.drill_until

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
        """When the last alert cleared, by Prometheus; None while one fires."""
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


def _began(firing: Firing) -> tuple[datetime, str]:
    return firing.starts_at, firing.told.firing_id


class AlertGroup:
    """One group as far as it was heard of."""

    def __init__(self, name: str, facts: Iterable[Fact] = ()) -> None:
        self.name = name
        self._firings: dict[str, Firing] = {}
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
            return fact.id in self._events
        # Most facts of a storm are new, and need no reading for that.
        known = self._firings.get(firing_id_of(fact))
        if known is None:
            return False
        alert = Alert.from_fact(fact)
        if alert.ends_at is None:
            return known.told.ends_at is None
        return known.ends_at is not None and known.ends_at >= alert.ends_at

    def add(self, fact: Fact) -> None:
        """Take one fact in; hearing it again changes nothing."""
        if fact.kind in (Kind.PAGE_RECEIVED, Kind.PAGE_RESOLVED):
            self._hear(Alert.from_fact(fact))
        elif fact.id not in self._events:
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
        found.events = (*found.events, word)
        return True

    def _hear(self, alert: Alert) -> None:
        said = Firing(alert, alert.ends_at)
        known = self._firings.get(alert.firing_id)
        self._firings[alert.firing_id] = said if known is None else known.merged(said)
        incidents = self._incidents
        if (
            known is None
            and alert.ends_at is None
            and incidents
            # An id that was heard before its alert has to find it.
            and alert.firing_id not in self._anchored
            and not any(w.kind in CLOSING for w in incidents[-1].events)
            and incidents[-1].firings[0].ends_at is None
            and incidents[-1].firings[0].starts_at <= alert.starts_at
        ):
            # In a storm nearly every alert joins the incident that is open already; working the
            # whole group out again for each would take the square of their number.
            incidents[-1].add(said)
        else:
            self._incidents = None

    def incidents(self) -> Sequence[Incident]:
        """Return the incidents of this group, oldest first."""
        if self._incidents is None:
            self._incidents = self._sweep()
        return self._incidents

    def incident_of(self, incident: str) -> Incident | None:
        """Return the incident that has this id, or None."""
        return next((s for s in self.incidents() if incident in s.ids), None)

    def _sweep(self) -> list[Incident]:
        ids_of: dict[str, list[str]] = {}
        for incident, anchor in self._anchors.items():
            ids_of.setdefault(anchor, []).append(incident)
        events_of: dict[str, list[Fact]] = {}
        for word in self._events.values():
            events_of.setdefault(str(word.data.get("incident")), []).append(word)
        opened = {i: w.happened_at for i in self._anchors for w in events_of[i][:1]}

        clusters: list[list[Firing]] = []
        ids: list[list[str]] = []
        closed_at: datetime | None = None
        ends_at: datetime | None = None
        for key, firing in sorted(
            self._firings.items(), key=lambda item: (item[1].starts_at, item[0])
        ):
            begins = firing.starts_at
            if not clusters or not _joins(begins, ends_at=ends_at, closed_at=closed_at):
                clusters.append([])
                ids.append([])
                closed_at, ends_at = None, begins
            clusters[-1].append(firing)
            if ends_at is not None:
                ends_at = None if firing.ends_at is None else max(ends_at, firing.ends_at)
            for incident in ids_of.get(key, ()):
                ids[-1].append(incident)
                for word in events_of.get(incident, ()):
                    if word.kind in CLOSING and (closed_at is None or word.happened_at > closed_at):
                        closed_at = word.happened_at
        incidents = []
        for cluster, found in zip(clusters, ids, strict=True):
            said = [w for i in found for w in events_of.get(i, ())]
            incidents.append(
                Incident.of(
                    # The first one firing, if any, for `_hear` to see at a glance that it is open.
                    sorted(cluster, key=lambda e: (e.ends_at is not None, e.starts_at)),
                    ids=tuple(sorted(found, key=lambda i: (opened[i], i))),
                    events=tuple(sorted(said, key=lambda w: (w.happened_at, w.id))),
                )
            )
        return incidents


def _joins(begins: datetime, *, ends_at: datetime | None, closed_at: datetime | None) -> bool:
    """Return whether an alert that begins then belongs to the incident before it."""
    if closed_at is not None and begins > closed_at + REOPEN_WITHIN:
        return False
    return ends_at is None or begins <= ends_at + QUIET
