"""The retention at work: what is over for long enough is deleted, a small transaction at a time.

Each step is one transaction, and between two of them whoever takes alerts has the store; how long
to wait there is the caller's business. What was begun and left (a run half deleted) is gone on with
at the next pass.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

from gameday.errors import StoreError
from gameday.house.run.endings import timeline_path
from gameday.incidents.alert_group import AlertGroup
from gameday.incidents.incident import Incident
from gameday.incidents.retention import AT_ONCE, old_deploys, removals
from gameday.model.retention import Deleted, StoreSize
from gameday.ports import Clock, IncidentStore, RetentionStore, RunRecord
from gameday.settings import Settings

EVERY = timedelta(hours=1)
"""How often `gameday serve` looks for what may go, and how long after its start at first: a clock
that was wrong when the machine started is right by then."""

REST = 4.0
"""How many times longer than a step took is waited before the next: at most a fifth of a core."""

SHORTEST_REST = 0.05
"""Seconds."""

DRIFT = timedelta(seconds=5)
"""By how much the wall clock may have been set since the last pass for it to be believed."""

CLAIMS_LAST = timedelta(days=1)
"""How long a claim that ran out is kept: seconds would do."""

CLAIM = "retention"

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Tally:
    """What went of one sort of things.

    Attributes:
        count: how many of them.
        since: when the oldest of them began; until: the newest.
    """

    what: str
    count: int = 0
    facts: int = 0
    bytes: int = 0
    since: datetime | None = None
    until: datetime | None = None

    def add(self, deleted: Deleted, began: Sequence[datetime]) -> None:
        """Count what was deleted, and when each of the things began."""
        self.count += len(began)
        self.facts += deleted.facts
        self.bytes += deleted.bytes
        instants = [*began, *(at for at in (self.since, self.until) if at is not None)]
        self.since, self.until = min(instants, default=None), max(instants, default=None)

    def to_json(self) -> dict[str, Any]:
        """Return it as ``gameday prune --json`` prints it."""
        return {
            "what": self.what,
            "count": self.count,
            "facts": self.facts,
            "bytes": self.bytes,
            "since": self.since.isoformat() if self.since else None,
            "until": self.until.isoformat() if self.until else None,
        }


@dataclass(frozen=True, slots=True)
class Kept:
    """What is old enough and stays, and why."""

    what: str
    why: str

    def to_json(self) -> dict[str, str]:
        """Return it as ``gameday prune --json`` prints it."""
        return {"what": self.what, "why": self.why}


@dataclass(slots=True)
class PruningOutcome:
    """What one pass did."""

    before: StoreSize
    incidents: Tally = field(default_factory=lambda: Tally("incidents"))
    runs: Tally = field(default_factory=lambda: Tally("runs"))
    deploys: Tally = field(default_factory=lambda: Tally("deploys"))
    lines: int = 0
    kept: list[Kept] = field(default_factory=list)
    after: StoreSize | None = None

    @property
    def tallies(self) -> Sequence[Tally]:
        """What went, by sort."""
        return self.incidents, self.runs, self.deploys

    def to_json(self) -> dict[str, Any]:
        """Return it as ``gameday prune --json`` prints it."""
        return {
            "pruned": [tally.to_json() for tally in self.tallies],
            "lines": self.lines,
            "kept": [kept.to_json() for kept in self.kept],
            "store_bytes": self.before.whole,
            "store_bytes_after": (self.after or self.before).whole,
        }


class Pruning:
    """One pass of the retention over a store.

    Args:
        now: of this pass; what is old enough is so by it.
        forget_file: deletes what lies beside the store of a run.
    """

    def __init__(
        self,
        store: RetentionStore,
        settings: Settings,
        *,
        now: datetime,
        forget_file: Callable[[str], None] | None = None,
    ) -> None:
        self._store = store
        self._keep = settings.retention
        self._now = now
        self._forget_file = forget_file or partial(_forget_file, settings)
        self.outcome = PruningOutcome(store.size())

    def steps(self) -> Iterator[None]:
        """Do one small transaction after another; between two of them others may write.

        Raises:
            StoreError: the store cannot be used; what is done stays done.
        """
        yield from self._incidents()
        yield from self._deploys()
        yield from self._runs()
        yield from self._lines()
        while self._store.shrink():
            yield
        self.outcome.after = self._store.size()

    # --- incidents and deploys ---------------------------------------------------------------

    def _incidents(self) -> Iterator[None]:
        keep = self._keep.incidents
        if keep is None:
            return
        before = self._now - keep
        runs = self._store.known_runs()
        for group in self._store.groups_over(before=before):
            yield from self._removed(group, keep, lambda one: one.drill not in runs)
        if waiting := self._store.count_open(before=before):
            self.outcome.kept.append(Kept(_counted(waiting, "incident"), "open"))

    def _removed(
        self,
        group: str,
        keep: timedelta,
        may_go: Callable[[Incident], bool],
        gone: set[str] | None = None,
    ) -> Iterator[None]:
        """Remove what may go of a group.

        Args:
            gone: gets the ids of the incidents that went.
        """
        seen = self._store.last_number()
        facts = self._store.group_facts(group)
        for removal in removals(group, facts, now=self._now, keep=keep, may_go=may_go):
            deleted = self._store.remove(removal, unless_beyond=seen)
            if not deleted.is_done:
                return  # there is news of it; the next pass looks again
            seen = deleted.last
            self.outcome.incidents.add(deleted, removal.began)
            if gone is not None:
                gone.update(removal.incidents)
            yield

    def _deploys(self) -> Iterator[None]:
        keep = self._keep.incidents
        if keep is None:
            return
        for group in self._store.groups_of_deploys():
            seen = self._store.last_number()
            facts = self._store.group_facts(group)
            removal = old_deploys(group, facts, now=self._now, keep=keep)
            if removal is not None:
                deleted = self._store.remove(removal, unless_beyond=seen)
                if deleted.is_done:
                    self.outcome.deploys.add(deleted, removal.began)
                yield

    # --- runs --------------------------------------------------------------------------------

    def _runs(self) -> Iterator[None]:
        for run in self._store.runs_half_pruned():
            yield from self._facts_of(run)
        keep = self._keep.runs
        if keep is None:
            return
        before = self._now - keep
        for record in self._store.runs_over(before=before):
            yield from self._run(record, keep)
        for record in self._store.runs_kept(before=before):
            why = "it never ended" if record.ended_at is None else "a fault is not proven gone"
            kept = Kept(f"run {record.id}", f"{why}; `gameday recover {record.id}`")
            self.outcome.kept.append(kept)

    def _run(self, record: RunRecord, keep: timedelta) -> Iterator[None]:
        run = record.id
        listed = {row.id: row.group for row in self._store.incidents_of_run(run)}
        gone: set[str] = set()
        for group in sorted(set(listed.values())):
            yield from self._removed(group, keep, lambda one: one.drill == run, gone)
        if any(self._is_there(id, group) for id, group in listed.items() if id not in gone):
            self.outcome.kept.append(Kept(f"run {run}", "the incident of its drill may not go yet"))
            return
        deleted = self._store.prune_run(run, at=self._now, after=keep)
        if deleted.is_done:
            self.outcome.runs.add(deleted, [record.started_at])
            self._forget_file(run)
            yield
            yield from self._facts_of(run)

    def _is_there(self, incident: str, group: str) -> bool:
        """Return whether anything is left of an incident beside its line."""
        facts = self._store.group_facts(group)
        return AlertGroup(group, facts).incident_of(incident) is not None

    def _facts_of(self, run: str) -> Iterator[None]:
        while True:
            deleted = self._store.remove_facts_of(run, limit=AT_ONCE)
            self.outcome.runs.add(deleted, ())
            if not deleted.facts:
                return
            yield

    # --- lines -------------------------------------------------------------------------------

    def _lines(self) -> Iterator[None]:
        while self._store.remove_claims(before=self._now - CLAIMS_LAST, limit=AT_ONCE):
            yield
        keeps = (self._keep.lines, self._keep.incidents, self._keep.runs)
        bounded = [keep for keep in keeps if keep is not None]
        if len(bounded) < len(keeps):
            return
        before = self._now - max(bounded)
        while lines := self._store.remove_lines(before=before, limit=AT_ONCE):
            self.outcome.lines += lines
            yield
        while self._store.remove_audit(before=before, limit=AT_ONCE):
            yield


def whole(pruning: Pruning) -> PruningOutcome:
    """Do a pass at once, and return what it did."""
    for _ in pruning.steps():
        pass
    return pruning.outcome


async def prune_for_ever(
    store: PrunedStore, settings: Settings, *, clock: Clock, holder: str
) -> None:
    """Do a pass now and then until cancelled, by one process of those that share the store.

    A wall clock that was set since the last pass is not believed: a year too late, it would have
    everything deleted.
    """
    while True:
        began, elapsed = clock.now(), clock.elapsed()
        await clock.sleep(EVERY)
        now = clock.now()
        was_set = now - began - (clock.elapsed() - elapsed)
        if abs(was_set) > DRIFT:
            _log.warning(
                "wall clock was set, nothing is pruned seconds=%.0f", was_set.total_seconds()
            )
            continue
        try:
            claim = partial(store.claim, CLAIM, holder=holder, now=now, until=now + EVERY / 2)
            if await asyncio.to_thread(claim):
                await _pass(store, settings, now)
        except StoreError as error:
            _log.warning("retention failed, and goes on in its next pass error=%s", error)
        except Exception:  # noqa: BLE001 - one record that cannot be read must not end it for good
            _log.exception("retention failed, and goes on in its next pass")


async def _pass(store: PrunedStore, settings: Settings, now: datetime) -> None:
    pruning = await asyncio.to_thread(Pruning, store, settings, now=now)
    steps = pruning.steps()
    while True:
        began = time.monotonic()
        if await asyncio.to_thread(next, steps, _DONE) is _DONE:
            break
        await asyncio.sleep(max(SHORTEST_REST, REST * (time.monotonic() - began)))
    for tally in pruning.outcome.tallies:
        if tally.count:
            _log.info("pruned what=%s count=%d facts=%d bytes=%d", *astuple(tally)[:4])


_DONE = object()


class PrunedStore(RetentionStore, IncidentStore, Protocol):
    """The store as `gameday serve` prunes it: claims say which process does."""


def _forget_file(settings: Settings, run: str) -> None:
    try:
        timeline_path(settings, run).unlink(missing_ok=True)
    except OSError as error:
        _log.warning("timeline of a pruned run cannot be deleted run=%s error=%s", run, error)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
