"""Opening incidents: what a group's firings come to gets an id, a row in the list, and is told.

Several processes may see the same alert first. Whoever opens its incident says up to which number
it knows the group; where another wrote about it meanwhile, the store refuses, and it looks again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import partial

from gameday.incidents.disk import Disk
from gameday.incidents.incident import Incident
from gameday.incidents.memory import Memory
from gameday.incidents.state import IncidentState, State, state_of
from gameday.incidents.terms import Terms
from gameday.ports import GroupFact, IncidentRow, IncidentStore
from scoring.timeline import Fact, Kind

TRIES = 20
"""Tries to open an incident against other processes' news of its group; the next tick goes on."""


class Openings:
    """Opens the incidents of one process's groups.

    Args:
        token: draws an id.

    Attributes:
        rows: as they stand in the list, by id.
    """

    def __init__(
        self,
        store: IncidentStore,
        disk: Disk,
        memory: Memory,
        *,
        terms: Terms,
        now: Callable[[], datetime],
        token: Callable[[], str],
    ) -> None:
        self._store = store
        self._disk = disk
        self._memory = memory
        self._terms = terms
        self._now = now
        self._token = token
        self._one = asyncio.Lock()
        self.rows: dict[str, IncidentRow] = {}

    async def open(self, names: Collection[str]) -> None:
        """Give every incident of these groups that has none an id, and put it in the list."""
        async with self._one:
            for _ in range(TRIES):
                if await self._opened_all(tuple(names)):
                    return
                # Another process has news of these groups, which may be that it opened them.
                await self._memory.catch_up()

    async def _opened_all(self, names: Sequence[str]) -> bool:
        groups = {name: await self._memory.group(name) for name in names}
        opened: list[tuple[GroupFact, IncidentState]] = []
        for name, group in groups.items():
            for found in group.incidents():
                if not found.ids:
                    fact, state = self._opening(name, found)
                    opened.append((GroupFact(name, fact, found.drill), state))
        if not opened:
            return True
        facts = [fact for fact, _ in opened]
        rows = [row_of(state) for _, state in opened]
        commit = partial(self._store.commit, facts, rows=rows, unless_beyond=self._memory.seen)
        written = await self._disk.write(commit)
        if not written.is_done:
            return False
        await self._memory.took(facts, written, groups)
        self.rows.update({row.id: row for row in rows})
        for _, state in opened:
            is_real = state.drill is None and state.wakes and state.is_open
            if is_real and self._terms.on_real is not None and self._terms.drills():
                await self._disk.write(partial(self._terms.on_real, state))
        return True

    def _opening(self, name: str, found: Incident) -> tuple[Fact, IncidentState]:
        now, first = self._now(), found.first
        incident = f"{first.starts_at:%Y%m%d-%H%M}-{self._token()[-8:]}"
        drill = self._terms.drill(found.drill)
        declared = {"severity": str(drill.severity)} if drill is not None and drill.severity else {}
        fact = Fact(
            id=f"{incident}/opened",
            kind=Kind.INCIDENT_OPENED,
            happened_at=now,
            recorded_at=now,
            source="engine",
            subject=first.told.slo,
            data={"incident": incident, "anchor": first.told.firing_id, **declared},
        )
        named = Incident.of(found.firings, ids=(incident,), events=(fact,))
        return fact, state_of(named, group=name, now=now)


def row_of(state: IncidentState, *, id: str | None = None) -> IncidentRow:
    """Return an incident as it stands in the list.

    Args:
        id: another one of its ids, that was merged into the first.
    """
    at = {phase.name: phase.at for phase in state.phases}
    labels = state.first.told.labels
    return IncidentRow(
        id=id or state.id,
        group=state.group,
        service=state.service,
        slo=state.slo,
        severity=state.severity,
        opened_at=state.paged_at,
        state=str(state.state) if id is None else str(State.MERGED),
        drill=state.drill,
        merged_into=state.merged_into if id is None else state.id,
        began_at=state.starts_at,
        acked_at=at.get("acked"),
        mitigated_at=at.get("mitigated"),
        cleared_at=state.cleared_at,
        closed_at=state.closed_at,
        postmortem_at=at.get("postmortem"),
        team=labels.get("team", ""),
        region=labels.get("region", ""),
    )
