"""What of a group goes when it has been over for long enough, and that nothing else changes. Pure.

An incident goes whole, with every word about it and every alert of it, in one transaction: half of
it would read as another one. What stays of the group must come to the same incidents as before;
where it would not (an end that was told for two of them), both stay until both may go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gameday.incidents.alert_group import AlertGroup
from gameday.incidents.alerts import firing_id_of
from gameday.incidents.incident import Incident
from gameday.incidents.standing import is_done
from gameday.incidents.state import IncidentState, state_of
from gameday.model.retention import Removal, told
from scoring.timeline import Fact, Kind

AT_ONCE = 500
"""Facts of one transaction, where one incident alone does not have more."""

ENGINE = "engine"

_PAGES = (Kind.PAGE_RECEIVED, Kind.PAGE_RESOLVED)


@dataclass(slots=True)
class _Group:
    """A group as it would be without what was taken out of it so far."""

    name: str
    facts: list[Fact]
    now: datetime
    group: AlertGroup = field(init=False)
    incidents: Sequence[Incident] = field(init=False)

    def __post_init__(self) -> None:
        self.group = AlertGroup(self.name, self.facts)
        self.incidents = self.group.incidents()

    def without(self, incidents: Sequence[Incident]) -> _Group:
        """Return what is left when these incidents are taken out."""
        ids = {id for one in incidents for id in self.fact_ids(one)}
        return _Group(self.name, [f for f in self.facts if f.id not in ids], self.now)

    def fact_ids(self, incident: Incident) -> set[str]:
        """Return the facts that an incident is made of."""
        firings = self.group.firing_ids_of(incident)
        pages = (f for f in self.facts if f.kind in _PAGES)
        return {f.id for f in pages if firing_id_of(f) in firings} | {f.id for f in incident.events}

    def states(self) -> Sequence[IncidentState]:
        """Return how its incidents stand."""
        return [state_of(one, group=self.name, now=self.now) for one in self.incidents]


def removals(
    name: str,
    facts: Sequence[Fact],
    *,
    now: datetime,
    keep: timedelta,
    may_go: Callable[[Incident], bool],
) -> Iterator[Removal]:
    """Yield what goes of a group, oldest first; each as one transaction, in this order.

    Args:
        facts: all of the group's.
        keep: how long an incident stays after the last word of it.
        may_go: whether an incident may go, once it is over for so long.
    """
    group = _Group(name, list(facts), now)
    waiting = [i for i in group.incidents if may_go(i) and _is_over(i, now=now, keep=keep)]
    while waiting:
        together = _together(group, waiting)
        waiting = waiting[len(together) :]
        left = group.without(together)
        if not _is_rest(group, left, together):
            # One by one: what keeps one of them here keeps only that one.
            found = ((one, group.without([one])) for one in together)
            alone = next(((one, rest) for one, rest in found if _is_rest(group, rest, [one])), None)
            if alone is None:
                continue
            one, left = alone
            waiting = [*(i for i in together if i is not one), *waiting]
            together = [one]
        yield _removal(group, left, together, keep=keep)
        group = left
        # The same ones, as what is left comes to them.
        ids = {one.ids for one in waiting}
        waiting = [one for one in group.incidents if one.ids in ids]


def _together(group: _Group, waiting: Sequence[Incident]) -> list[Incident]:
    together: list[Incident] = []
    size = 0
    for incident in waiting:
        size += len(group.fact_ids(incident))
        if together and size > AT_ONCE:
            break
        together.append(incident)
    return together


def _is_over(incident: Incident, *, now: datetime, keep: timedelta) -> bool:
    """Return whether nothing of it goes on and nobody said anything for that long."""
    if not incident.ids or not is_done(incident, now):
        return False
    # Of a drill nothing is heard any more once its run is over; a real alert that fires on will
    # be told of again, and would be another incident then.
    if incident.firing and incident.drill is None:
        return False
    ended = [f.over_heard_at for f in incident.firings if f.over_heard_at is not None]
    # What the engine says itself, a reminder, keeps nothing.
    words = (w.happened_at for w in incident.events if w.source != ENGINE)
    last = max((incident.paged_at, *ended, *words))
    state = state_of(incident, group="", now=now)
    return max(last, state.closed_at or last) + keep < now


def _is_rest(before: _Group, after: _Group, gone: Sequence[Incident]) -> bool:
    """Return whether what is left is what there was, without what is gone."""
    ids = {one.ids for one in gone}
    stay = [one for one in before.incidents if one.ids not in ids]
    expected = [state_of(one, group=before.name, now=before.now) for one in stay]
    return expected == after.states()


def _removal(group: _Group, left: _Group, gone: Sequence[Incident], *, keep: timedelta) -> Removal:
    stays = {f.id for f in left.facts}
    facts = [f for f in group.facts if f.id not in stays]
    previous = [f for f in group.facts if f.kind == Kind.PRUNED]
    said = told(
        group.name,
        previous[-1] if previous else None,
        incidents=len(gone),
        facts=len(facts),
        since=min(one.paged_at for one in gone),
        until=max(one.paged_at for one in gone),
        keep=keep,
        now=group.now,
    )
    left.facts[:] = [f for f in left.facts if f.kind != Kind.PRUNED] + [said]
    return Removal(
        group=group.name,
        incidents=tuple(id for one in gone for id in one.ids),
        facts=tuple(f.id for f in (*facts, *previous)),
        began=tuple(one.paged_at for one in gone),
        said=said,
        keep=keep,
    )


def old_deploys(
    name: str, facts: Sequence[Fact], *, now: datetime, keep: timedelta
) -> Removal | None:
    """Return what goes of the deploys of a service; the last in each region is live, and stays."""
    marked = [f for f in facts if f.kind == Kind.DEPLOYED]
    live = {f.data.get("region"): f.id for f in sorted(marked, key=lambda f: f.happened_at)}
    gone = [f for f in marked if f.happened_at + keep < now and f.id not in live.values()]
    if not gone:
        return None
    previous = [f for f in facts if f.kind == Kind.PRUNED]
    began = [f.happened_at for f in gone]
    said = told(
        name,
        previous[-1] if previous else None,
        incidents=0,
        facts=len(gone),
        since=min(began),
        until=max(began),
        keep=keep,
        now=now,
    )
    ids = tuple(f.id for f in (*gone, *previous))
    return Removal(group=name, incidents=(), facts=ids, began=tuple(began), said=said, keep=keep)
