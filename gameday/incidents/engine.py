"""The engine: webhooks and people in, facts to the store, pages out.

What arrived meanwhile is committed in one transaction, and only then are the senders told and the
incidents changed: what was acknowledged is on disk, and what is not on disk was never seen.
What is due is worked out from what is stored, so a restart forgets nothing; each incident's anew
when something is heard of it, and when its next duty has come due (`gameday.incidents.rounds`).

Several processes may share one store: each follows what the others commit
(`gameday.incidents.memory`), an incident is opened only by who knows all of its group,
and a duty is claimed before it is done (`gameday.incidents.dispatch`).
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from gameday.errors import Pruned, Refused, StoreError, UsageError
from gameday.incidents.alerts import alerts_of, has_beat, left_out_of
from gameday.incidents.answers import incident_of
from gameday.incidents.calling import Calling
from gameday.incidents.calls import PagerCall
from gameday.incidents.deploy_marker import deploy_fact
from gameday.incidents.disk import Disk, Threads
from gameday.incidents.dispatch import Dispatch, Done
from gameday.incidents.incident import CLOSING
from gameday.incidents.memory import Listener, Memory
from gameday.incidents.mitigation import Mitigations
from gameday.incidents.openings import Openings
from gameday.incidents.pagerduty_events import PagerDutyEvent
from gameday.incidents.paging import Paging
from gameday.incidents.previews import Previews
from gameday.incidents.rounds import Rounds
from gameday.incidents.routing import routed
from gameday.incidents.standing import standing
from gameday.incidents.state import IncidentState
from gameday.incidents.terms import Terms
from gameday.incidents.writer import Writer
from gameday.ports import AuditEntry, Clock, GroupFact, IncidentRow, IncidentStore
from scoring.timeline import Fact, Kind

TICK = timedelta(seconds=1)
"""How often the engine looks for what is due; the shortest target is 30 s."""

FOLLOW_EVERY = timedelta(milliseconds=200)
"""How often it looks for what other processes wrote; before anything is shown it looks anyway."""

REMEMBERED = timedelta(days=7)
"""Closed incidents this young are loaded at the start: their postmortem may still be owed."""

RUN = "conductor"
"""Source of what a run itself says about its incident."""

_log = logging.getLogger(__name__)


class NoSuchIncident(UsageError):
    """An incident is asked for that does not exist."""


class Engine:
    """The incidents of one store, as one process serves them.

    Args:
        terms: whose incidents' duties it does, and how.
        disk: makes the calls of the store; threads where None.
        token: draws an id; from the machine's randomness where it is not given.
    """

    def __init__(
        self,
        store: IncidentStore,
        *,
        clock: Clock,
        paging: Paging | None = None,
        terms: Terms | None = None,
        disk: Disk | None = None,
        token: Callable[[], str] = partial(secrets.token_hex, 8),
    ) -> None:
        self.terms = terms or Terms()
        self._store = store
        self._clock = clock
        self._token = token
        self._paging = paging or Paging({})
        self._disk = disk or Threads()
        self._memory = Memory(store, self._disk)
        self._writer = Writer(store, self._disk, self._memory, after=self._opened)
        self._dispatch = Dispatch(
            store,
            self._disk,
            clock=clock,
            paging=self._paging,
            # A run's incidents are nobody else's while it goes on: nothing is to be claimed.
            name=token() if self.terms.run is None else None,
            still=lambda call: self._calling.still(call),
            is_wanted=lambda call: self._calling.is_wanted(call),
            record=self._record,
        )
        self._calling = Calling(
            self._memory,
            paging=self._paging,
            terms=self.terms,
            now=self.now,
            fresh=self._state,
            is_under_way=self._dispatch.is_under_way,
        )
        self._mitigations = Mitigations(
            run=self.terms.run,
            mitigator=self.terms.mitigator,
            applied=self._mitigated,
            clock=clock,
        )
        self._memory.listen(self._mitigations.hear)
        self._openings = Openings(
            store, self._disk, self._memory, terms=self.terms, now=self.now, token=token
        )
        self._rounds = Rounds(
            store,
            self._disk,
            self._memory,
            openings=self._openings,
            calling=self._calling,
            terms=self.terms,
            now=self.now,
            start=self._start,
        )
        self._counter = itertools.count()
        self._previews = Previews()
        self.beat_at: datetime | None = None
        """When the watchdog was heard last; None: never since the start."""

    @property
    def commits(self) -> int:
        """Transactions with facts so far."""
        return self._writer.commits

    @property
    def committed(self) -> int:
        """Facts written so far."""
        return self._writer.committed

    @property
    def fulfilled(self) -> int:
        """Duties done so far: pages, answers to the pager, reminders."""
        return self._dispatch.fulfilled

    @property
    def failed(self) -> int:
        """Calls of a pager that it did not take."""
        return self._dispatch.failed

    @property
    def waiting(self) -> int:
        """Requests that wait for the writer."""
        return self._writer.waiting

    @property
    def looked(self) -> int:
        """Groups looked at so far, for what they ask for."""
        return self._rounds.looked

    def trouble(self) -> str:
        """Return why nothing can be taken in at present, in words; empty where it can."""
        return self._writer.trouble()

    def listen(self, listener: Listener) -> None:
        """Call this with every fact from now on, once it is on disk; also other processes'."""
        self._memory.listen(listener)

    def now(self) -> datetime:
        """Return the present instant."""
        return self._clock.now()

    @asynccontextmanager
    async def running(
        self, *, tick: timedelta = TICK, follow: timedelta = FOLLOW_EVERY
    ) -> AsyncIterator[Engine]:
        """Load what is open, then write and keep deadlines for as long as the context lasts."""
        await self._memory.begin(since=self.now() - REMEMBERED)
        await self._openings.open(self._memory.groups)
        loops = [
            asyncio.create_task(self._writer.write_for_ever()),
            asyncio.create_task(self._tick_for_ever(tick)),
            asyncio.create_task(self._follow_for_ever(follow)),
        ]
        try:
            yield self
        finally:
            tasks = (*loops, *self.busy, *self._mitigations.busy)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._disk.close()

    # --- in ----------------------------------------------------------------------------------

    async def hook(
        self,
        payload: Mapping[str, Any],
        *,
        arrived_at: datetime | None = None,
        is_resent: bool = False,
    ) -> int:
        """Take an Alertmanager webhook; return how many facts were new once they are on disk.

        Args:
            arrived_at: when the request came, by `now`; reading and writing take time of their own.
                None: now.
            is_resent: whether the sender says it again when told no, see `Writer.commit`.

        Raises:
            UsageError: it is not shaped like one.
            StoreError: it could not be written down; the sender is to send it again.
        """
        received_at = arrived_at or self.now()
        found = alerts_of(payload, received_at=received_at)
        if left_out := left_out_of(payload):
            # Alerts that are known already say it to nobody else.
            _log.warning("webhook was cut by its sender alerts_left_out=%d", left_out)
        terms = self.terms
        if has_beat(payload):
            self.beat_at = received_at
            if terms.beat is not None:
                terms.beat(received_at)
        drills = terms.drills()
        alerts = [routed(a, drills) for a in found] if drills else found
        facts = [GroupFact(a.group, a.to_fact(), a.drill) for a in alerts if terms.keeps(a)]
        new = await self._writer.commit(facts, is_resent=is_resent) if facts else 0
        if terms.heard is not None:
            for alert in alerts:
                if alert.drill != terms.run:
                    terms.heard(alert.to_fact())
        return new

    async def deploy(self, sent: Mapping[str, Any], *, by: str) -> Fact:
        """Take a deploy marker.

        Raises:
            UsageError: it does not name a service and a revision.
        """
        fact = deploy_fact(sent, by=by, now=self.now())
        await self._writer.commit([GroupFact(f"deploy:{fact.subject}", fact)])
        return fact

    async def deploys(self, service: str) -> Sequence[Fact]:
        """Return the deploys of a service that were told of, oldest first."""
        facts = await self._disk.read(partial(self._store.group_facts, f"deploy:{service}"))
        return sorted(facts, key=lambda f: f.happened_at)

    async def say(
        self, incident: str, kind: str, data: Mapping[str, Any], *, by: str, source: str
    ) -> Fact:
        """Put one word about an incident on record.

        Args:
            by: who says so, for the audit; the record of the incident holds it too.

        Raises:
            UsageError: there is no such incident.
            Refused: it cannot be said as it stands.
        """
        state = await self.state(incident)
        self._refuse(state, kind, data, is_runs_own=source == RUN)
        known = next((w for w in state.events if w.kind == kind), None)
        if kind == Kind.ACKNOWLEDGED and known is not None and state.acked_at:
            return known
        if kind == Kind.MERGED:
            into = await self.state(str(data["into"]))
            if into.id == state.id or into.merged_into:
                raise Refused(f"{incident} cannot be merged into {data['into']}")
        fact = self._word(state, kind, {**data, "by": by}, source=source)
        words = [(state, fact)]
        if kind == Kind.ACKNOWLEDGED:
            # Whoever answers a page that told of several incidents has heard of all of them.
            also = {**data, "by": by, "with": state.id}
            words += [
                (other, self._word(other, kind, also, source=source))
                for other in self._calling.told_with(state)
            ]
        await self._say_all(words, audit=[_entry(f, by, str(kind), s) for s, f in words])
        return fact

    async def mitigate(
        self, incident: str, name: str, parameters: Mapping[str, str], *, by: str
    ) -> Fact:
        """Have a drill's mitigation done by the run it belongs to, and return the outcome.

        Raises:
            UsageError: there is no such incident.
            Refused: nobody does anything about this one; what was done can be said.
            TemporaryDriverError: nobody said in time what came of it.
        """
        state = await self.state(incident)
        if not self.is_performed(state):
            raise Refused(
                f"nobody performs a mitigation of {state.id}: do it yourself, and say what you did"
            )
        asked = {"name": name, "parameters": dict(parameters), "by": by}
        fact = self._word(state, Kind.MITIGATION_STARTED, asked, source="responder")
        entry = AuditEntry(fact.happened_at, by, f"mitigate {name}", state.id)
        future = self._mitigations.awaiting(fact.id)
        await self._say_of(state, fact, audit=[entry])
        return await self._mitigations.outcome(fact.id, future)

    def is_performed(self, state: IncidentState) -> bool:
        """Return whether a mitigation of this incident is done by the run it belongs to."""
        return self.terms.drill(state.drill) is not None

    async def _mitigated(self, incident: str, outcome: Mapping[str, Any]) -> None:
        state = await self.state(incident)
        fact = self._word(state, Kind.MITIGATION_APPLIED, outcome, source="target")
        await self._say_of(state, fact)

    async def opened(self, incident: str, view: str, *, by: str | None) -> IncidentState:
        """Put the opening of a deeplink on record and return the incident.

        Args:
            by: the responder who opened it; None: nobody knows (a chat's preview, a mail scanner).
                Only so many of those are recorded, see `gameday.incidents.previews`.
        """
        state = await self.state(incident)
        if by is None and not self._previews.is_worth_a_fact(state.id, view):
            return state
        data = {"link": view, "by": by, "attributed": by is not None}
        fact = self._word(state, Kind.LINK_OPENED, data, source="link")
        await self._say_of(state, fact)
        return state

    async def answered(self, event: PagerDutyEvent) -> int:
        """Take what was done in PagerDuty; return how many facts were new: none of a repeat.

        Events about what was never paged from here, or not by this store, are passed over.

        Raises:
            StoreError: it could not be written down; the sender is to send it again.
        """
        await self._memory.catch_up()
        incident = incident_of(event) or self._memory.tied_to(event.incident)
        if not incident:
            return 0
        try:
            lead = await self.state(incident)
        except (NoSuchIncident, Pruned):
            lead = None  # whose page may have told of others, which are there
        unwritten = self._dispatch.told_of(event.key)
        words = self._calling.answers(event, lead, unwritten=unwritten)
        if not words:
            return 0
        by = str(words[0][1].data["by"])
        return await self._say_all(words, audit=[_entry(f, by, f.kind, s) for s, f in words])

    async def _record(self, done: Sequence[Done]) -> None:
        await self._say_all(
            [(state, self._word(state, kind, data, source="engine")) for state, kind, data in done]
        )

    async def _say_of(
        self, state: IncidentState, fact: Fact, *, audit: Sequence[AuditEntry] = ()
    ) -> int:
        return await self._say_all([(state, fact)], audit=audit)

    async def _say_all(
        self, words: Sequence[tuple[IncidentState, Fact]], *, audit: Sequence[AuditEntry] = ()
    ) -> int:
        said = [GroupFact(state.group, fact, state.drill) for state, fact in words]
        return await self._writer.commit(said, audit=audit, is_urgent=True)

    def _refuse(
        self, state: IncidentState, kind: str, data: Mapping[str, Any], *, is_runs_own: bool
    ) -> None:
        is_runs = kind in (*CLOSING, Kind.MERGED, Kind.ROLE_TAKEN) and not is_runs_own
        if is_runs and self.is_performed(state):
            raise Refused(
                "a drill's incident is closed by its run, when the alert has cleared; it has one "
                "on-call, and is merged with no other"
            )
        if kind == Kind.RESOLVED and state.cleared_at is None and not data.get("anyway"):
            raise Refused(
                f"{state.firing} of its alerts still fire; resolve it when they have cleared, say "
                "that it is a false alarm, or resolve it `anyway`"
            )
        if kind in CLOSING and not state.is_open:
            raise Refused(f"{state.id} is {state.state} already")

    def _word(
        self, state: IncidentState, kind: str, data: Mapping[str, Any], *, source: str
    ) -> Fact:
        now = self.now()
        return Fact(
            # Counted, so that what is said in one instant keeps its order.
            id=f"{state.id}/{next(self._counter):09d}-{self._token()}",
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
        await self._memory.catch_up()
        return await self._state(incident)

    async def _state(self, incident: str) -> IncidentState:
        name = await self._memory.group_of(incident)
        if name is None:
            raise NoSuchIncident(f"there is no incident {incident!r}; `gameday incident list`")
        found = (await self._memory.group(name)).incident_of(incident)
        if found is None:
            raise await self._memory.gone(incident)
        return standing(self._memory, name, found, now=self.now())

    async def listed(self, *, limit: int, only_open: bool) -> Sequence[IncidentRow]:
        """Return incidents, newest first."""
        return await self._disk.read(
            partial(self._store.incidents, limit=limit, only_open=only_open)
        )

    @property
    def busy(self) -> Sequence[asyncio.Task[None]]:
        """The duties that are being fulfilled."""
        return self._dispatch.busy

    def open_incidents(self) -> int:
        """Return how many incidents are open, as of the last tick."""
        rows = self._openings.rows.values()
        return sum(1 for r in rows if r.state not in ("resolved", "false alarm"))

    # --- what is due -------------------------------------------------------------------------

    async def _opened(self, names: Collection[str]) -> None:
        await self._openings.open(names)
        # An incident that a ticket opened is paged as soon as it wakes somebody.
        self._start(
            self._calling.of_some(
                [
                    standing(self._memory, name, found, now=self.now())
                    for name in names
                    for found in (await self._memory.group(name)).incidents()
                    if found.ids and found.waking
                ]
            )
        )

    def _start(self, calls: Sequence[PagerCall]) -> None:
        for call in calls:
            self._dispatch.start(call)

    async def _tick_for_ever(self, every: timedelta) -> None:
        while True:
            try:
                await self.tick()
            except StoreError as error:
                _log.warning("tick failed error=%s", error)
            await self._clock.sleep(every)

    async def _follow_for_ever(self, every: timedelta) -> None:
        while True:
            with suppress(StoreError):
                await self._memory.catch_up()
            await self._clock.sleep(every)

    async def tick(self) -> None:
        """Do what is due now, and bring the list of incidents up to date."""
        self._dispatch.make_up()
        await self._memory.catch_up()
        await self._rounds.go()


def _entry(fact: Fact, by: str, what: str, state: IncidentState) -> AuditEntry:
    return AuditEntry(fact.happened_at, by, what, state.id)
