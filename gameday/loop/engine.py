"""The engine: webhooks and people in, facts to the store, pages out.

One writer commits what arrived meanwhile in one transaction, and only then are the senders told and
the incidents changed: what was acknowledged is on disk, and what is not on disk was never seen.
What is due is worked out again at every tick from what is stored, so a restart forgets nothing.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from gameday.errors import DriverError, PlanRefused, StoreError, UsageError
from gameday.loop.alerts import alerts_of, has_beat, instant, text
from gameday.loop.duties import Act, Duty, duties
from gameday.loop.line import CLOSING, Line, Span, Word
from gameday.loop.paging import Paging
from gameday.loop.routing import Drill, routed
from gameday.loop.state import WAKING, IncidentState, State, state_of
from gameday.ports import AuditEntry, Clock, IncidentRow, IncidentStore, LineFact
from scoring.timeline import Fact, Kind

TICK = timedelta(seconds=1)
"""How often the engine looks for what is due; the shortest target is 30 s."""

BATCH = 5_000
"""Facts of one transaction at most, so that nobody waits for a stranger's storm."""

RETRY_AFTER = timedelta(seconds=5)
"""A page that could not be delivered is tried again after this, whatever the pager tried itself."""

KEPT = timedelta(hours=1)
"""How long a closed incident stays in memory, for the news that come late."""

REMEMBERED = timedelta(days=7)
"""Closed incidents this young are loaded at the start: their postmortem may still be owed."""

WAITING = 2_000
"""Requests that may wait for the writer; above that senders are told to come back."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


class NoSuchIncident(UsageError):
    """An incident is asked for that does not exist."""


@dataclass(slots=True)
class _Job:
    facts: Sequence[LineFact]
    audit: Sequence[AuditEntry]
    done: asyncio.Future[int] = field(repr=False)


class Engine:
    """Every incident of one service process.

    Args:
        drills: the runs that go on, as of now; asked for every webhook, so it must be quick.
        on_real: told about a real incident that opens while a drill goes on.
    """

    def __init__(
        self,
        store: IncidentStore,
        *,
        clock: Clock,
        paging: Paging | None = None,
        drills: Callable[[], Sequence[Drill]] = tuple,
        on_real: Callable[[IncidentState], None] | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._paging = paging or Paging({})
        self._drills = drills
        self._on_real = on_real
        self._lines: dict[str, Line] = {}
        self._line_of: dict[str, str] = {}
        self._rows: dict[str, IncidentRow] = {}
        self._queue: asyncio.Queue[_Job] = asyncio.Queue(maxsize=WAITING)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._not_before: dict[str, datetime] = {}
        self._counter = itertools.count()
        self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._readers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="reader")
        self.beat_at: datetime | None = None
        """When the watchdog was heard last; None: never since the start."""
        self.commits = 0
        self.committed = 0

    def now(self) -> datetime:
        """Return the present instant."""
        return self._clock.now()

    @asynccontextmanager
    async def running(self, *, tick: timedelta = TICK) -> AsyncIterator[Engine]:
        """Load what is open, then write and keep deadlines for as long as the context lasts."""
        since = self.now() - REMEMBERED
        for line in await self._read(partial(self._store.open_lines, since=since)):
            await self._load(line)
        await self._open_new(self._lines)
        loops = [
            asyncio.create_task(self._write_for_ever()),
            asyncio.create_task(self._tick_for_ever(tick)),
        ]
        try:
            yield self
        finally:
            for task in (*loops, *self._tasks.values()):
                task.cancel()
            await asyncio.gather(*loops, *self._tasks.values(), return_exceptions=True)
            while not self._queue.empty():
                self._fail([self._queue.get_nowait()], StoreError("the service is going down"))
            self._disk.shutdown()
            self._readers.shutdown()

    # --- in ----------------------------------------------------------------------------------

    async def hook(self, payload: Mapping[str, Any]) -> int:
        """Take an Alertmanager webhook; return how many facts were new once they are on disk.

        Raises:
            UsageError: it is not shaped like one.
            StoreError: it could not be written down; the sender is to send it again.
        """
        received_at = self.now()
        alerts = alerts_of(payload, received_at=received_at)
        if has_beat(payload):
            self.beat_at = received_at
        drills = self._drills()
        facts = [routed(a, drills) for a in alerts] if drills else alerts
        return await self._commit([LineFact(a.line, a.to_fact()) for a in facts])

    async def deploy(self, sent: Mapping[str, Any], *, by: str) -> Fact:
        """Take a deploy marker.

        Raises:
            UsageError: it does not name a service and a revision.
        """
        service, revision = text(sent.get("service")), text(sent.get("revision"))
        if not service or not revision:
            raise UsageError("a deploy has a `service` and a `revision`")
        now = self.now()
        at = instant(sent.get("deployed_at")) or now
        region = text(sent.get("region"))
        fact = Fact(
            id=f"deploy/{service}/{revision}/{region}/{at.isoformat()}",
            kind=Word.DEPLOYED,
            happened_at=at,
            recorded_at=now,
            source="deploy",
            subject=service,
            data={
                "service": service,
                "revision": revision,
                "region": region,
                "summary": text(sent.get("summary")),
                "by": by,
            },
        )
        await self._commit([LineFact(f"deploy:{service}", fact)])
        return fact

    async def deploys(self, service: str) -> Sequence[Fact]:
        """Return the deploys of a service that were told of, oldest first."""
        facts = await self._read(partial(self._store.facts, f"deploy:{service}"))
        return sorted(facts, key=lambda f: f.happened_at)

    async def say(
        self, incident: str, kind: str, data: Mapping[str, Any], *, by: str, source: str
    ) -> Fact:
        """Put one word about an incident on record.

        Args:
            by: who says so, for the audit; the record of the incident holds it too.

        Raises:
            UsageError: there is no such incident.
            PlanRefused: it cannot be said as it stands.
        """
        state = await self.state(incident)
        self._refuse(state, kind, data)
        known = next((w for w in state.words if w.kind == kind), None)
        if kind == Kind.ACKNOWLEDGED and known is not None and state.acked_at:
            return known
        if kind == Word.MERGED:
            into = await self.state(str(data["into"]))
            if into.id == state.id or into.merged_into:
                raise PlanRefused(f"{incident} cannot be merged into {data['into']}")
        fact = self._word(state, kind, {**data, "by": by}, source=source)
        entry = AuditEntry(fact.happened_at, by, str(kind), state.id)
        await self._commit([LineFact(state.line, fact)], audit=[entry])
        return fact

    async def opened(self, incident: str, view: str, *, by: str | None) -> IncidentState:
        """Put the opening of a deeplink on record and return the incident.

        Args:
            by: the responder who opened it; None: nobody knows (a chat's preview, a mail scanner).
        """
        state = await self.state(incident)
        data = {"link": view, "by": by, "attributed": by is not None}
        fact = self._word(state, Kind.LINK_OPENED, data, source="link")
        await self._commit([LineFact(state.line, fact)])
        return state

    @staticmethod
    def _refuse(state: IncidentState, kind: str, data: Mapping[str, Any]) -> None:
        if kind == Word.RESOLVED and state.firing and not data.get("anyway"):
            raise PlanRefused(
                f"{state.firing} of its alerts still fire; resolve it when they have cleared, say "
                "that it is a false alarm, or resolve it `anyway`"
            )
        if kind in CLOSING and not state.is_open:
            raise PlanRefused(f"{state.id} is {state.state} already")

    def _word(
        self, state: IncidentState, kind: str, data: Mapping[str, Any], *, source: str
    ) -> Fact:
        now = self.now()
        return Fact(
            # Counted, so that what is said in one instant keeps its order.
            id=f"{state.id}/{next(self._counter):09d}-{secrets.token_hex(8)}",
            kind=str(kind),
            happened_at=now,
            recorded_at=now,
            source=source,
            subject=state.slo,
            data={**data, "incident": state.id},
        )

    # --- out ---------------------------------------------------------------------------------

    async def state(self, incident: str) -> IncidentState:
        """Return how an incident stands now.

        Raises:
            UsageError: there is no such incident.
        """
        name = self._line_of.get(incident)
        if name is None:
            row = await self._read(partial(self._store.incident, text(incident)))
            if row is None:
                raise NoSuchIncident(f"there is no incident {incident!r}; `gameday incident list`")
            name = row.line
        line = self._lines.get(name) or await self._load(name)
        span = line.span_of(incident)
        if span is None:
            raise StoreError(f"the facts of incident {incident!r} are gone from the store")
        return state_of(span, line=name, now=self.now())

    async def listed(self, *, limit: int, only_open: bool) -> Sequence[IncidentRow]:
        """Return incidents, newest first."""
        return await self._read(partial(self._store.incidents, limit=limit, only_open=only_open))

    @property
    def busy(self) -> Sequence[asyncio.Task[None]]:
        """The duties that are being fulfilled."""
        return tuple(self._tasks.values())

    def open_incidents(self) -> int:
        """Return how many incidents are open, as of the last tick."""
        return sum(1 for r in self._rows.values() if r.state not in ("resolved", "false alarm"))

    # --- the writer --------------------------------------------------------------------------

    async def _commit(self, facts: Sequence[LineFact], *, audit: Sequence[AuditEntry] = ()) -> int:
        job = _Job(facts, audit, asyncio.get_running_loop().create_future())
        try:
            self._queue.put_nowait(job)
        except asyncio.QueueFull as full:
            raise StoreError("too much is waiting for the store; send it again") from full
        return await job.done

    async def _write_for_ever(self) -> None:
        while True:
            jobs = [await self._queue.get()]
            waiting = len(jobs[0].facts)
            while not self._queue.empty() and waiting < BATCH:
                jobs.append(self._queue.get_nowait())
                waiting += len(jobs[-1].facts)
            try:
                await self._write(jobs)
            except StoreError as error:
                self._fail(jobs, error)
            except asyncio.CancelledError:
                self._fail(jobs, StoreError("the service is going down"))
                raise
            except Exception as error:  # noqa: BLE001
                # Whatever this is, the writer has to live: without it nothing is taken any more.
                _log.exception("writer failed")
                self._fail(jobs, StoreError(f"it could not be written: {type(error).__name__}"))

    async def _write(self, jobs: Sequence[_Job]) -> None:
        lines = {
            name: self._lines.get(name) or await self._load(name)
            for name in {f.line for job in jobs for f in job.facts}
        }
        new: dict[str, LineFact] = {}
        counts = []
        for job in jobs:
            before = len(new)
            for said in job.facts:
                if said.fact.id not in new and not lines[said.line].knows(said.fact):
                    new[said.fact.id] = said
            counts.append(len(new) - before)
        audit = [entry for job in jobs for entry in job.audit]
        if new or audit:
            await self._on_disk(partial(self._store.commit, tuple(new.values()), audit=audit))
            self.commits += 1
            self.committed += len(new)
        for said in new.values():
            # A tick may have let go of the line meanwhile; what is new makes it needed again.
            self._lines.setdefault(said.line, lines[said.line]).add(said.fact)
        with suppress(StoreError):
            # What is on disk is acknowledged; an incident that could not be opened for it now is
            # opened at the next tick or start.
            await self._open_new({said.line for said in new.values()})
        for job, count in zip(jobs, counts, strict=True):
            if not job.done.done():
                job.done.set_result(count)

    @staticmethod
    def _fail(jobs: Sequence[_Job], error: StoreError) -> None:
        for job in jobs:
            if not job.done.done():
                job.done.set_exception(error)

    async def _open_new(self, lines: Any) -> None:
        """Give every incident that has none an id, and put it in the list."""
        facts, rows, opened = [], [], []
        for name in lines:
            line = self._lines[name]
            for span in line.spans():
                if span.ids:
                    continue
                fact, state = self._opening(name, span)
                facts.append(LineFact(name, fact))
                rows.append(_row(state))
                opened.append(state)
        if not facts:
            return
        await self._on_disk(partial(self._store.commit, facts, rows=rows))
        for said, row, state in zip(facts, rows, opened, strict=True):
            self._lines[said.line].add(said.fact)
            self._line_of[row.id] = said.line
            self._rows[row.id] = row
            is_real = state.drill is None and state.severity in WAKING and state.is_open
            if is_real and self._on_real is not None and self._drills():
                await self._on_disk(partial(self._on_real, state))

    def _opening(self, name: str, span: Span) -> tuple[Fact, IncidentState]:
        now = self.now()
        first = min(span.episodes, key=lambda e: (e.starts_at, e.told.episode))
        incident = f"{first.starts_at:%Y%m%d-%H%M}-{secrets.token_hex(4)}"
        fact = Fact(
            id=f"{incident}/opened",
            kind=Word.OPENED,
            happened_at=now,
            recorded_at=now,
            source="engine",
            subject=first.told.slo,
            data={"incident": incident, "anchor": first.told.episode},
        )
        named = Span(span.episodes, (incident,), (fact,))
        return fact, state_of(named, line=name, now=now)

    async def _load(self, name: str) -> Line:
        facts = await self._on_disk(partial(self._store.facts, name))
        line = self._lines.setdefault(name, Line(name, facts))
        for span in line.spans():
            for incident in span.ids:
                self._line_of[incident] = name
        return line

    async def _on_disk(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._disk, call)

    async def _read(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, call)

    # --- what is due -------------------------------------------------------------------------

    async def _tick_for_ever(self, every: timedelta) -> None:
        while True:
            try:
                await self.tick()
            except StoreError as error:
                _log.warning("tick failed error=%s", error)
            await self._clock.sleep(every)

    async def tick(self) -> None:
        """Do what is due now, and bring the list of incidents up to date."""
        await self._open_new([n for n, line in self._lines.items() if line])
        now = self.now()
        changed = []
        for name, line in list(self._lines.items()):
            for span in line.spans():
                if not span.ids:
                    continue
                row = self._rows.get(span.ids[0])
                if row is not None and row.state == State.MERGED:
                    continue
                state = state_of(span, line=name, now=now)
                for merged in (None, *state.also):
                    fresh = _row(state, id=merged)
                    if self._rows.get(fresh.id) != fresh:
                        changed.append(fresh)
                for duty in duties(state, now=now):
                    self._start(state, duty, now)
            # A storm's thousands of alerts take milliseconds; a responder's click comes between.
            await asyncio.sleep(0)
        if changed:
            await self._on_disk(partial(self._store.commit, (), rows=changed))
            self._rows.update({r.id: r for r in changed})
        self._let_go(now)

    def _let_go(self, now: datetime) -> None:
        """Forget lines that have been over for a while; the store has them."""
        for name, line in list(self._lines.items()):
            if all(_is_done(span, now) for span in line.spans()):
                del self._lines[name]
                for id in [i for i, row in self._rows.items() if row.line == name]:
                    del self._rows[id]

    def _start(self, state: IncidentState, duty: Duty, now: datetime) -> None:
        key = f"{state.id}/{duty.key}"
        if key in self._tasks or self._not_before.get(key, now) > now:
            return
        task = asyncio.create_task(self._fulfil(state, duty, key))
        self._tasks[key] = task
        task.add_done_callback(lambda _: self._tasks.pop(key, None))

    async def _fulfil(self, state: IncidentState, duty: Duty, key: str) -> None:
        kind: str = Kind.PAGE_DELIVERED
        data: dict[str, Any] = {"duty": duty.key, "to": duty.to, "why": duty.why}
        try:
            match duty.act:
                case Act.PAGE:
                    data |= {"level": duty.level, "summary": state.summary}
                    data["accepted"] = await self._paging.page(state, duty)
                case Act.TELL_ACKED:
                    kind, data["text"] = Word.REMINDED, await self._paging.acknowledge(state)
                case Act.TELL_RESOLVED:
                    kind, data["text"] = Word.REMINDED, await self._paging.resolve(state)
                case Act.REMIND:
                    kind, data["text"] = Word.REMINDED, duty.why
        except DriverError as error:
            # On record once, not once per try: the record is read by people.
            is_first = key not in self._not_before
            self._not_before[key] = self.now() + RETRY_AFTER
            _log.warning("pager failed incident=%s duty=%s error=%s", state.id, duty.key, error)
            if not is_first:
                return
            kind, data = Word.PAGE_FAILED, {"duty": duty.key, "error": str(error)}
        fact = self._word(state, kind, data, source="engine")
        with suppress(StoreError):
            await self._commit([LineFact(state.line, fact)])


def _is_done(span: Span, now: datetime) -> bool:
    if span.cleared_at is None and span.closing() is None:
        return False
    state = state_of(span, line="", now=now)
    owed = [p.due_at + KEPT for p in state.phases if p.name == "postmortem" and p.due_at]
    return state.closed_at is not None and now > max((state.closed_at + KEPT, *owed))


def _row(state: IncidentState, *, id: str | None = None) -> IncidentRow:
    return IncidentRow(
        id=id or state.id,
        line=state.line,
        service=state.service,
        slo=state.slo,
        severity=state.severity,
        opened_at=state.paged_at,
        state=str(state.state) if id is None else str(State.MERGED),
        drill=state.drill,
        merged_into=state.merged_into if id is None else state.id,
    )
