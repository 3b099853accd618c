"""A store in memory, which keeps every promise but one: it ends with its process."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock
from typing import Self

from gameday.errors import StoreError, UsageError
from gameday.model.action_item import ActionChange, ActionItem, ActionState, changed
from gameday.model.postmortem import Postmortem
from gameday.model.record import CLOSED
from gameday.model.result import RunResult
from gameday.ports import (
    AuditEntry,
    GroupFact,
    IncidentRow,
    Order,
    OrderKind,
    Recorded,
    RunRecord,
    Token,
    Undo,
    Written,
)
from scoring.timeline import Fact, Kind

__all__ = ["MemoryStore"]


@dataclass(slots=True)
class _Run:
    record: RunRecord
    documents: dict[str, str]
    result: str | None = None


@dataclass(frozen=True, slots=True)
class _Line:
    """A row of the table of facts."""

    number: int
    run: str | None
    group: str | None
    kind: str
    text: str


class MemoryStore:
    """A `gameday.ports.Store` and `IncidentStore` in memory, shared by whoever holds it.

    What is kept is the JSON text, so that nothing a caller changes afterwards changes the store,
    and what cannot be written to a database cannot be written here either.
    """

    def __init__(self) -> None:
        self._runs: dict[str, _Run] = {}
        self._facts: list[_Line] = []
        self._of_run: defaultdict[str, list[_Line]] = defaultdict(list)
        self._of_group: defaultdict[str, list[_Line]] = defaultdict(list)
        self._ids: dict[str | tuple[str | None, str], str] = {}
        self._undos: dict[str, Undo] = {}
        self._proven: dict[str, datetime] = {}
        self._orders: list[Order] = []
        self._fences: dict[str, str] = {}
        self._rows: dict[str, IncidentRow] = {}
        self._claims: dict[str, tuple[str, datetime]] = {}
        self._items: dict[str, ActionItem] = {}
        self._changes: dict[str, ActionChange] = {}
        self._learned: set[str] = set()
        self._postmortems: dict[str, Postmortem] = {}
        self._tokens: dict[str, Token] = {}
        self._audit: list[AuditEntry] = []
        self._bound: str | None = None
        self._alone = Lock()

    # --- facts -------------------------------------------------------------------------------

    def append(self, run: str, fact: Fact, *, fenced: bool = False) -> None:
        """Append one fact that a run records about itself; the same fact again is passed over."""
        if not fenced:
            self._refuse_if_fenced(run)
        text = json.dumps(fact.to_json())
        with self._alone:
            if not self._add(fact, text, run=run) and text != self._ids[run, fact.id]:
                raise StoreError(
                    f"the store cannot be used: run {run} has another fact {fact.id!r} already"
                )

    def _add(
        self, fact: Fact, text: str, *, run: str | None = None, group: str | None = None
    ) -> bool:
        """Return whether the fact was new."""
        key = (run, fact.id) if group is None else fact.id
        if key in self._ids:
            return False
        self._ids[key] = text
        line = _Line(len(self._facts) + 1, run, group, str(fact.kind), text)
        self._facts.append(line)
        if run is not None:
            self._of_run[run].append(line)
        if group is not None:
            self._of_group[group].append(line)
        return True

    def timeline_text(self, run: str) -> str:
        """Return the facts of a run as stored, a line of JSON each."""
        return "\n".join(line.text for line in self._of_run.get(run, ()))

    def facts(self, run: str) -> Sequence[Fact]:
        """Return every fact of a run's timeline in the order they were recorded."""
        return tuple(_read(line) for line in self._of_run.get(run, ()))

    def group_facts(self, group: str) -> Sequence[Fact]:
        """Return the facts of one group in the order they were recorded."""
        return tuple(_read(line) for line in self._of_group.get(group, ()))

    def facts_after(self, number: int, *, limit: int) -> Sequence[Recorded]:
        """Return the facts with a higher number, in order: of groups and of runs."""
        found = self._facts[number : number + limit]
        return tuple(Recorded(line.number, _read(line), line.run, line.group) for line in found)

    def last_number(self) -> int:
        """Return the number of the newest fact; 0 where there is none."""
        return len(self._facts)

    def glance(self) -> int:
        """Return the number of the newest fact: memory does not wait."""
        return len(self._facts)

    # --- runs --------------------------------------------------------------------------------

    def open_run(
        self,
        run: str,
        *,
        scenario: str,
        target: str,
        started_at: datetime,
        documents: Mapping[str, str],
    ) -> None:
        """Begin a run."""
        if run in self._runs:
            raise StoreError(f"the store cannot be used: there is a run {run!r} already")
        record = RunRecord(run, scenario, target, started_at, None, None, None)
        self._runs[run] = _Run(record, dict(documents))

    def save_undo(self, undo: Undo) -> None:
        """Commit an undo before its fault is injected."""
        self._refuse_if_fenced(undo.run)
        if undo.id in self._undos:
            raise StoreError(f"the store cannot be used: there is an undo {undo.id!r} already")
        self._undos[undo.id] = replace(undo, data=json.loads(json.dumps(dict(undo.data))))

    def has_run(self, run: str) -> bool:
        """Return whether this run was ever begun."""
        return run in self._runs

    def undos(self) -> Sequence[Undo]:
        """Return every undo ever stored, oldest first."""
        return tuple(self._undos.values())

    def knows(self, undo: str) -> bool:
        """Return whether this undo was ever stored."""
        return undo in self._undos

    def close_undo(self, undo: str, *, proven_at: datetime) -> None:
        """Mark an undo as done and proven."""
        if undo in self._undos:
            self._proven[undo] = proven_at

    def open_undos(self, run: str | None = None, *, target: str | None = None) -> Sequence[Undo]:
        """Return undos not yet proven, newest first."""
        return tuple(
            undo
            for undo in reversed(self._undos.values())
            if undo.id not in self._proven
            and run in (None, undo.run)
            and (target is None or self._target(undo.run) == target)
        )

    def _target(self, run: str) -> str | None:
        known = self._runs.get(run)
        return known.record.target if known else None

    def give(self, order: Order) -> None:
        """Give an order."""
        self._orders.append(order)
        if order.kind is OrderKind.FENCE and order.run is not None:
            self._fences.setdefault(order.run, order.by)

    def orders(self, run: str | None = None) -> Sequence[Order]:
        """Return the orders in force for a run, oldest first: its own and those for every run."""
        if not self._orders:
            return ()
        return tuple(o for o in self._orders if o.run is None or o.run == run)

    def lift_stop(self, *, at: datetime) -> bool:
        """Lift the stop; return whether there was one."""
        left = [o for o in self._orders if o.kind is not OrderKind.STOP]
        lifted = len(left) < len(self._orders)
        self._orders[:] = left
        return lifted

    def close_run(
        self,
        run: str,
        *,
        ended_at: datetime,
        result: RunResult,
        fenced: bool = False,
    ) -> None:
        """End a run, or judge an ended one again."""
        if not fenced:
            self._refuse_if_fenced(run)
        one = self._runs.get(run)
        if one is None:
            return
        score = result.score
        one.record = replace(
            one.record,
            ended_at=ended_at,
            verdict=result.verdict,
            percent=score.percent,
            system_percent=score.system.percent if score.system else None,
            response_percent=score.response.percent if score.response else None,
        )
        one.result = json.dumps(result.to_json())

    def documents(self, run: str) -> Mapping[str, str]:
        """Return the texts the run was planned from."""
        return dict(self._known(run).documents)

    def result(self, run: str) -> RunResult | None:
        """Return the result of a run; None where it never ended."""
        text = self._known(run).result
        return None if text is None else RunResult.from_json(json.loads(text))

    def runs(self, *, limit: int = 50) -> Sequence[RunRecord]:
        """Return runs, newest first."""
        records = (one.record for one in self._runs.values())
        return tuple(sorted(records, key=lambda r: (r.started_at, r.id), reverse=True)[:limit])

    def find(self, prefix: str) -> str:
        """Return the id of the one run that starts with this; ``last`` is the newest.

        Raises:
            UsageError: none or several do.
        """
        found = [r.id for r in self.runs(limit=1 if prefix == "last" else len(self._runs))]
        if prefix != "last":
            found = [r for r in found if r == prefix] or [r for r in found if r.startswith(prefix)]
        if not found:
            raise UsageError(f"there is no run {prefix!r}; `gameday runs` lists them")
        if len(found) > 1:
            raise UsageError(f"{prefix!r} fits {len(found)} runs: {', '.join(found[:5])} …")
        return found[0]

    def _known(self, run: str) -> _Run:
        known = self._runs.get(run)
        if known is None:
            raise UsageError(f"there is no run {run!r}; `gameday runs` lists them")
        return known

    def _refuse_if_fenced(self, run: str) -> None:
        by = self._fences.get(run)
        if by is not None:
            raise StoreError(
                f"run {run} was taken over by its {by} and may write no more; "
                f"`gameday show {run}` tells what was recovered"
            )

    # --- incidents ---------------------------------------------------------------------------

    def of_run(self, run: str) -> Self:
        """Return this store as the process of a run uses it; both hold the same."""
        bound = copy(self)
        bound._bound = run
        return bound

    def commit(
        self,
        facts: Sequence[GroupFact],
        *,
        rows: Sequence[IncidentRow] = (),
        audit: Sequence[AuditEntry] = (),
        unless_beyond: int | None = None,
    ) -> Written:
        """Write all of this or nothing; a fact whose id is known already is passed over."""
        if self._bound is not None:
            self._refuse_if_fenced(self._bound)
        # All that can fail comes first.
        new = [(said, json.dumps(said.fact.to_json())) for said in facts]
        entries = [AuditEntry(a.at, a.who, a.what, a.about) for a in audit]
        with self._alone:
            before = len(self._facts)
            if unless_beyond is not None and self._has_news(facts, beyond=unless_beyond):
                return Written(before, before, is_done=False)
            for said, text in new:
                self._add(said.fact, text, run=said.run, group=said.group)
            self._rows |= {row.id: self._updated(row) for row in rows}
            self._audit += entries
            return Written(before, len(self._facts))

    def _has_news(self, facts: Sequence[GroupFact], *, beyond: int) -> bool:
        groups = {said.group for said in facts}
        return any(line.group in groups for line in self._facts[beyond:])

    def _updated(self, row: IncidentRow) -> IncidentRow:
        known = self._rows.get(row.id, row)
        return replace(
            known,
            severity=row.severity,
            state=row.state,
            drill=row.drill,
            merged_into=row.merged_into,
        )

    def claim(self, *keys: str, holder: str, now: datetime, until: datetime) -> frozenset[str]:
        """Return which of the keys are this holder's alone now, until then; again: until later."""
        if self._bound is not None:
            self._refuse_if_fenced(self._bound)
        mine = set()
        with self._alone:
            for key in keys:
                by, ends_at = self._claims.get(key, (holder, now))
                if by == holder or not now < ends_at <= until + (until - now):
                    self._claims[key] = (holder, until)
                    mine.add(key)
        return frozenset(mine)

    def release(self, *keys: str, holder: str) -> None:
        """Give claims back; what another holds stays."""
        for key in keys:
            if self._claims.get(key, ("", None))[0] == holder:
                del self._claims[key]

    def open_groups(self, *, since: datetime) -> Sequence[str]:
        """Return the groups with an incident that is open or younger, or with facts of none yet."""
        rows = self._rows.values()
        listed = {r.group for r in rows}
        found = {r.group for r in rows if r.state not in CLOSED or r.opened_at >= since}
        paged = (
            group
            for group, lines in self._of_group.items()
            if group not in listed and any(line.kind == Kind.PAGE_RECEIVED for line in lines)
        )
        return sorted({*found, *paged})

    def incidents(self, *, limit: int = 100, only_open: bool = False) -> Sequence[IncidentRow]:
        """Return incidents, newest first, without the ones merged into another."""
        rows = [
            row
            for row in self._rows.values()
            if row.merged_into is None and not (only_open and row.state in CLOSED)
        ]
        by_id = sorted(rows, key=lambda r: r.id)
        return tuple(sorted(by_id, key=lambda r: r.opened_at, reverse=True)[:limit])

    def incident(self, id: str) -> IncidentRow | None:
        """Return one incident, or None where there is none of this id."""
        return self._rows.get(id)

    # --- action items ------------------------------------------------------------------------

    def change_actions(
        self,
        changes: Sequence[ActionChange],
        *,
        learned_from: str | None = None,
        at: datetime | None = None,
    ) -> Sequence[ActionItem]:
        """Say all of this or nothing; return the items as they stand then."""
        found: dict[str, ActionItem] = {}
        with self._alone:
            new = {c.id: c for c in changes if c.id not in self._changes}
            for change in new.values():
                known = found.get(change.item) or self._items.get(change.item)
                item = changed(known, change)
                if item is None:
                    raise UsageError(f"there is no action item {change.item!r}")
                found[change.item] = item
            self._items |= found
            self._changes |= new
            if learned_from is not None and at is not None:
                self._learned.add(learned_from)
        return tuple(found.values())

    def action_items(
        self, *states: ActionState, beginning: str = "", limit: int = 1000
    ) -> Sequence[ActionItem]:
        """Return items, the newest first."""
        items = sorted(self._items.values(), key=lambda item: item.id)
        shown = [
            i for i in items if i.id.startswith(beginning) and i.state in (states or (i.state,))
        ]
        return tuple(sorted(shown, key=lambda item: item.filed_at, reverse=True)[:limit])

    def action_item(self, id: str) -> ActionItem | None:
        """Return one, or None where there is none of this id."""
        return self._items.get(id)

    def action_changes(self, item: str) -> Sequence[ActionChange]:
        """Return every word about an item, in the order they were written down."""
        return tuple(change for change in self._changes.values() if change.item == item)

    def runs_to_learn_from(self) -> Sequence[str]:
        """Return the runs that have ended and are not noted as learned from, oldest first."""
        records = (one.record for one in self._runs.values())
        ended = [(r.ended_at, r.id) for r in records if r.ended_at and r.id not in self._learned]
        return tuple(id for _, id in sorted(ended))

    def put_postmortem(self, postmortem: Postmortem, *, known: Postmortem | None) -> bool:
        """Write one in place of the one that is known; return whether it was written."""
        with self._alone:
            if self._postmortems.get(postmortem.id) != known:
                return False
            self._postmortems[postmortem.id] = postmortem
            return True

    def postmortem(self, id: str) -> Postmortem | None:
        """Return one, or None where there is none of this id."""
        return self._postmortems.get(id)

    def postmortems(self, *, limit: int = 1000) -> Sequence[Postmortem]:
        """Return postmortems, the one that was over last first."""
        by_id = sorted(self._postmortems.values(), key=lambda one: one.id)
        return tuple(sorted(by_id, key=lambda one: one.resolved_at, reverse=True)[:limit])

    # --- tokens and the audit ----------------------------------------------------------------

    def add_token(self, token: Token) -> None:
        """Keep a token: its hash, never itself."""
        self._tokens[token.id] = token

    def revoke_token(self, id: str, *, at: datetime) -> None:
        """Let a token open nothing any more.

        Raises:
            UsageError: there is no such token, or it is revoked already.
        """
        known = self._tokens.get(id)
        if known is None or known.revoked_at is not None:
            raise UsageError(f"there is no token {id!r} in force; `gameday token list` shows them")
        self._tokens[id] = replace(known, revoked_at=at)

    def tokens(self) -> Sequence[Token]:
        """Return every token, also revoked ones, oldest first."""
        return tuple(sorted(self._tokens.values(), key=lambda t: t.created_at))

    def audit(self, *, limit: int = 100) -> Sequence[AuditEntry]:
        """Return who changed what, newest first."""
        return tuple(reversed(self._audit[-limit:]))


def _read(line: _Line) -> Fact:
    return Fact.from_json(json.loads(line.text))
