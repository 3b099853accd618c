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

from gameday.incidents.alerts import Alert, firing_id_of
from gameday.incidents.incident import CLOSING, QUIET, Firing, Incident, began, later
from gameday.incidents.whole_firings import WholeFiring, whole_firings
from scoring.timeline import Fact, Kind

REOPEN_WITHIN = timedelta(minutes=5)
"""An alert this soon after a person closed the incident says that it was closed too early."""


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
            over = later(self._said_over.get(alert.firing_id), alert.said_ends_at or alert.ends_at)
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
        elif known is None or len(ids) > 1 or not self._ended(known):
            self._incidents = None

    def _ended(self, known: Firing) -> bool:
        """Take in that what was told of as one firing is over, where that moves nothing else."""
        found = next(
            (i for i in reversed(self._incidents or ()) if i.drill == known.told.drill), None
        )
        ended = [whole.firing for whole in self._wholes(known.told.fingerprint)]
        if found is None or len(ended) != 1 or not found.can_end(known, *ended):
            return False
        found.end(known, *ended)
        return True

    def _going_on(self, alert: Alert) -> Incident | None:
        """Return the incident that an alert which is new and fires surely joins; None: not sure."""
        # An id that was heard before its alert has to find it.
        if not self._incidents or alert.firing_id in self._anchored:
            return None
        found = next((i for i in reversed(self._incidents) if i.drill == alert.drill), None)
        if found is None or any(w.kind in CLOSING for w in found.events):
            return None
        going_on = found.one_open()
        return found if going_on and going_on.starts_at <= alert.starts_at else None

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
        for whole in sorted(wholes, key=lambda whole: began(whole.firing)):
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
                        cluster.closed_at = later(cluster.closed_at, word.happened_at)
        incidents = []
        for cluster in clusters:
            said = [w for i in cluster.ids for w in events_of.get(i, ())]
            incidents.append(
                Incident.of(
                    cluster.firings,
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
        self.last = later(self.last, firing.ends_at)
