"""The groups a process holds in memory, and how they follow what others write to the same store.

The store numbers its facts in the order they were committed. A process remembers the number up to
which it has heard everything; what another process wrote stands behind it, and is read from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from gameday.errors import GamedayError, Pruned, StoreError
from gameday.incidents.agenda import Agenda
from gameday.incidents.alert_group import AlertGroup
from gameday.incidents.alerts import text
from gameday.incidents.answers import is_about
from gameday.incidents.disk import Disk
from gameday.incidents.incident import Incident
from gameday.ports import GroupFact, IncidentStore, Written
from scoring.timeline import Fact, Kind

AT_ONCE = 5_000
"""Facts of one look at what others wrote."""

Listener = Callable[[GroupFact], None]
"""Called with every fact that is new to this process, after it is on disk."""


class Memory:
    """The open groups of one service process.

    Attributes:
        groups: by name.
        seen: everything up to this number was heard.
        agenda: which of the groups have to be looked at, and when.
        forgotten: how often a group was let go of.
    """

    def __init__(self, store: IncidentStore, disk: Disk) -> None:
        self._store = store
        self._disk = disk
        self.groups: dict[str, AlertGroup] = {}
        self.seen = 0
        self.agenda = Agenda()
        self.forgotten = 0
        self._group_of: dict[str, str] = {}
        self._told: dict[str, set[str]] = {}
        self._listeners: list[Listener] = []
        self._following = asyncio.Lock()
        self._asked = 0
        self._answered = 0

    def listen(self, listener: Listener) -> None:
        """Call this with every fact from now on, whichever process wrote it."""
        self._listeners.append(listener)

    # --- from the store ----------------------------------------------------------------------

    async def begin(self, *, since: datetime) -> None:
        """Load what is open, or was after this instant."""
        # Before the groups are read: what is written meanwhile is heard twice, never missed.
        self.seen = await self._disk.read(self._store.last_number)
        for name in await self._disk.read(partial(self._store.open_groups, since=since)):
            await self.load(name)

    async def group(self, name: str) -> AlertGroup:
        """Return a group, from the store where it is not held."""
        return self.groups.get(name) or await self.load(name)

    async def load(self, name: str) -> AlertGroup:
        """Hold a group as the store has it."""
        return self._hold(name, await self._disk.write(partial(self._store.group_facts, name)))

    def _hold(self, name: str, facts: Sequence[Fact]) -> AlertGroup:
        group = self.groups.setdefault(name, AlertGroup(name, facts))
        self.agenda.stir(name)
        for found in group.incidents():
            for incident in found.ids:
                self._group_of[incident] = name
            for fact in found.events:
                self._note(fact)
        return group

    async def group_of(self, incident: str) -> str | None:
        """Return the name of an incident's group; None where there is no such incident."""
        if (name := self._group_of.get(incident)) is not None:
            return name
        row = await self._disk.read(partial(self._store.incident, text(incident)))
        return None if row is None else row.group

    def held(self, incident: str) -> tuple[str, Incident] | None:
        """Return (its group, the incident), if it is held at present."""
        name = self._group_of.get(incident, "")
        group = self.groups.get(name)
        found = None if group is None else group.incident_of(incident)
        return None if found is None else (name, found)

    def holds(self, incident: str) -> bool:
        """Return whether this incident is held at present."""
        return self._group_of.get(incident) in self.groups

    def told_of(self, key: str) -> frozenset[str]:
        """Return the incidents that a shared page told of, by the records that were read here."""
        return frozenset(self._told.get(key, ()))

    def _note(self, fact: Fact) -> None:
        if fact.kind in (Kind.PAGE_DELIVERED, Kind.PAGE_FAILED) and fact.data.get("shared"):
            self._told.setdefault(str(fact.data["key"]), set()).add(str(fact.data["incident"]))

    def tied_to(self, pager_incident: str) -> str | None:
        """Return the incident that a pager knows by an id of its own, if it ever said which.

        Of those that one page told of, it is the one whose name the page bears.
        """
        others: list[str] = []
        for group in self.groups.values():
            for found in group.incidents():
                words = [w for w in found.events if found.ids and is_about(w, pager_incident)]
                if any(not w.id.endswith(f"/{found.ids[0]}") for w in words):
                    return found.ids[0]
                others += [found.ids[0]] if words else []
        return min(others, default=None)

    # --- what is new -------------------------------------------------------------------------

    async def took(
        self, facts: Iterable[GroupFact], written: Written, groups: Mapping[str, AlertGroup]
    ) -> None:
        """Hear what this process has just committed.

        Args:
            groups: of these facts; a tick may have let go of one meanwhile, and what is new makes
                it needed again.
        """
        if self.seen != written.before:
            # Others wrote before it; what is heard from the store is ours, too.
            await self.catch_up()
        if self.seen >= written.after:
            return
        self.seen = written.after
        for said in facts:
            self._hear(self.groups.setdefault(said.group, groups[said.group]), said)

    async def catch_up(self) -> None:
        """Return when everything is heard that others had committed when this was called.

        Raises:
            StoreError: the store does not say.
        """
        newest = self._store.glance()
        if newest is not None and newest <= self.seen:
            return
        self._asked += 1
        ticket = self._asked
        async with self._following:
            # One look answers all who asked before it began.
            if self._answered >= ticket:
                return
            answers = self._asked
            await self._follow()
            self._answered = answers

    async def _follow(self) -> None:
        while True:
            found = await self._disk.read(
                partial(self._store.facts_after, self.seen, limit=AT_ONCE)
            )
            for one in found:
                # What a run recorded about itself is of no group.
                name = one.group
                group = None
                if name is not None and one.fact.kind == Kind.PRUNED:
                    await self._shed(name)
                elif name is not None:
                    group = await self.group(name)
                if one.number <= self.seen:
                    continue
                self.seen = one.number
                if name is not None and group is not None:
                    said = GroupFact(name, one.fact, one.run)
                    self._hear(self.groups.setdefault(name, group), said)
            if len(found) < AT_ONCE:
                return

    def _hear(self, group: AlertGroup, said: GroupFact) -> None:
        if not group.knows(said.fact):
            group.add(said.fact)
        self.agenda.stir(said.group)
        self._note(said.fact)
        if said.fact.kind == Kind.INCIDENT_OPENED:
            self._group_of[str(said.fact.data["incident"])] = said.group
        for listener in self._listeners:
            listener(said)

    async def gone(self, incident: str) -> GamedayError:
        """Return the error for an incident whose facts are not in the store any more."""
        row = await self._disk.read(partial(self._store.incident, incident))
        if row is not None and row.pruned_at is not None:
            kept = row.pruned_after or timedelta(0)
            return Pruned(f"incident {incident}", at=row.pruned_at, after=kept)
        return StoreError(f"the facts of incident {incident!r} are gone from the store")

    async def _shed(self, name: str) -> None:
        """Hold a group without what was deleted of it; one that is not held stays where it is."""
        if name not in self.groups:
            return
        facts = await self._disk.write(partial(self._store.group_facts, name))
        if name in self.groups:
            self.forget(name)
            self._hold(name, facts)

    def forget(self, name: str) -> None:
        """Let go of a group; the store has it."""
        self.forgotten += 1
        self.agenda.drop(name)
        for found in self.groups.pop(name).incidents():
            for incident in found.ids:
                self._group_of.pop(incident, None)
            for fact in found.events:
                told = self._told.get(str(fact.data.get("key")))
                if told is not None and fact.data.get("shared"):
                    told.discard(str(fact.data.get("incident")))
                    if not told:
                        del self._told[str(fact.data["key"])]


def unheard(
    facts: Sequence[Sequence[GroupFact]], groups: Mapping[str, AlertGroup]
) -> tuple[Mapping[str, GroupFact], Sequence[int]]:
    """Return (the facts nobody has heard, by id; how many of them each sender brought)."""
    new: dict[str, GroupFact] = {}
    counts = []
    for sent in facts:
        before = len(new)
        for said in sent:
            if said.fact.id not in new and not groups[said.group].knows(said.fact):
                new[said.fact.id] = said
        counts.append(len(new) - before)
    return new, counts
