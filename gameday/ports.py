"""Every window of the house on one page.

A port says what the rooms above need of the world, in the field's words; a driver under
``gameday.drivers`` fulfils it with one tool. Drivers raise only `gameday.errors.DriverError`.
All instants are aware UTC. Async once: there is no sync twin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from gameday.incident import Finding, Page
from gameday.pager import Pager as Pager
from gameday.record import AuditEntry as AuditEntry
from gameday.record import IncidentRow as IncidentRow
from gameday.record import LineFact as LineFact
from gameday.record import Role as Role
from gameday.record import Token as Token
from gameday.record import Written as Written
from gameday.signals import AlertState, Blame, Deploy, Profile, Series, Trace
from scoring.timeline import Fact


class Clock(Protocol):
    """Time, so that tests own it."""

    def now(self) -> datetime:
        """Return the present instant (aware, UTC)."""

    async def sleep(self, duration: timedelta) -> None:
        """Return after this long; cancellable."""


# --- faults -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Undo:
    """What takes one fault back, as plain data, written before the fault is injected.

    Attributes:
        id: unique; also marks what was changed (the toxic's name contains it).
        kind: which driver understands it, e.g. ``experiment``.
        run: the run that changed things.
        description: one line for people.
        command: what a person can type to do the same.
        data: whatever the driver needs; JSON-shaped.
    """

    id: str
    kind: str
    run: str
    description: str
    command: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """A fault ready to be injected: every name chosen, every value resolved.

    Attributes:
        takes: how long it may take to be in place, where it says so itself (a drain does).
    """

    experiment: str
    path: str
    configuration: Mapping[str, Any]
    at: timedelta
    duration: timedelta
    undo: Undo
    takes: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Injection:
    """A fault that is in place."""

    injected_at: datetime
    detail: Mapping[str, Any] = field(default_factory=dict)


MITIGATIONS = "mitigations"
"""Kind of the undo that takes back what a responder did to the target; recovered after faults."""


class Undoer(Protocol):
    """Takes back what an undo names, and tells whether it is gone."""

    async def is_present(self, undo: Undo) -> bool:
        """Return whether anything this undo takes back is still there, read from the target."""

    async def recover(self, undo: Undo) -> None:
        """Take it back. Idempotent; undoes only what this undo names."""


class FaultDriver(Undoer, Protocol):
    """Puts faults in and takes them out."""

    def prepare(
        self,
        fault: str,
        *,
        path: str,
        configuration: Mapping[str, Any],
        at: timedelta,
        duration: timedelta,
        run: str,
        number: int,
    ) -> PlannedFault:
        """Return the fault with its names chosen and its undo as data; changes nothing."""

    async def inject(self, fault: PlannedFault) -> Injection:
        """Put the fault in place; `DriverError` if it is not certainly in place.

        `SteadyStateNotMet` says that the target was left as it was.
        """

    async def steady(self, path: str) -> bool:
        """Return whether the steady-state hypothesis of an experiment holds now."""

    async def strays(self) -> Sequence[Undo]:
        """Return what takes back everything on the target that bears the mark of some run."""


class Lease(Protocol):
    """What takes a run's faults back when the run itself cannot: its sentinel.

    The run holds the lease by being alive; how its heartbeat travels is the sentinel's business.
    """

    async def hold(self, undo: Undo, *, at_most: timedelta) -> None:
        """Return once the sentinel holds the undo; `DriverError` if none does.

        Args:
            at_most: the sentinel recovers it after this time, whatever the run says; a second
                call for the same undo sets the time anew.
        """

    async def release(self, undo: str) -> None:
        """Tell the sentinel that this undo is proven done; never raises."""


# --- watching -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Counters:
    """Raw counter series of an SLI, every sample as stored, none resampled.

    One `Series` per label set; a service has several processes, each counts on its own.
    """

    good: Sequence[Series]
    total: Sequence[Series]


class AlertSource(Protocol):
    """Prometheus, as the judge of when an alert fired."""

    async def alerts(self, *, slo: str, since: datetime, until: datetime) -> Sequence[AlertState]:
        """Return the SLO's alerts seen firing or pending in this span, from stored evaluations."""

    async def counters(
        self, *, good_query: str, total_query: str, since: datetime, until: datetime
    ) -> Counters:
        """Return the raw samples of an SLI's counters in this span."""

    async def burn_rates(self, *, slo: str) -> Mapping[str, float | None]:
        """Return the present burn rate per nominal window (``1h`` → 0.2); None where no data."""

    async def timing(self, *, slo: str) -> tuple[timedelta, timedelta]:
        """Return (scrape interval, evaluation interval) in force for the SLO's rules."""

    async def started_at(self) -> datetime | None:
        """Return when this Prometheus was started; None where it does not say."""

    async def values(self, query: str) -> Sequence[float]:
        """Return the values a PromQL expression has now, one per series; empty: no data."""


class SignalSource(Protocol):
    """What a responder may read: metrics, traces, profiles."""

    async def range(
        self, query: str, *, since: datetime, until: datetime, step: timedelta
    ) -> Sequence[Series]:
        """Return a PromQL expression evaluated over a span."""


class TraceSource(Protocol):
    """Jaeger, Tempo, or the sandbox's store."""

    async def search(
        self,
        *,
        service: str,
        since: datetime,
        until: datetime,
        min_duration: timedelta | None = None,
        errors_only: bool = False,
        limit: int = 20,
    ) -> Sequence[Trace]:
        """Return traces of this service that started in this span; may be empty."""

    async def trace(self, trace_id: str) -> Trace | None:
        """Return one trace with every span known, or None."""


class ProfileSource(Protocol):
    """Pyroscope, or the sandbox's store."""

    async def by_trace(
        self, *, service: str, trace_ids: Sequence[str], since: datetime, until: datetime
    ) -> Profile:
        """Return the stacks seen while these traces were served; empty where there are none."""


class DeployLog(Protocol):
    """What went live, when."""

    async def deploys(self, *, since: datetime, until: datetime) -> Sequence[Deploy]:
        """Return deploys in this span, oldest first."""


class CodeHistory(Protocol):
    """git."""

    async def blame(
        self, *, repository: str, revision: str, file: str, line: int, function: str
    ) -> Blame:
        """Return the newest commit among the lines of the function that holds this line."""


class IncidentDesk(Protocol):
    """The incident's API as a responder sees it: everything starts from the page."""

    async def acknowledge(self) -> None:
        """Say: I have it."""

    async def report(self, finding: Finding) -> None:
        """Hand in the finding of one step."""

    async def tick(self, step: str, *, done: bool, note: str = "") -> None:
        """Tick a runbook step."""

    async def mitigate(self, name: str, parameters: Mapping[str, str]) -> str:
        """Start a mitigation the runbook gives; return what was done."""

    async def follow(self, link: str) -> str:
        """Open a deeplink and return where it leads (the URL behind the redirect)."""

    async def read(self, link: str) -> str:
        """Open a deeplink and return the text it leads to (the runbook)."""

    async def deploys(self) -> Sequence[Deploy]:
        """Return the incident's deploy timeline, oldest first."""


# --- the target ---------------------------------------------------------------------------------


class Target(Protocol):
    """The system a game day plays on."""

    name: str
    time_scale: float

    async def check(self) -> None:
        """Return when everything answers; `DriverError` says what does not."""

    async def mitigate(self, name: str, parameters: Mapping[str, str]) -> str:
        """Do what a responder asked for; return what was done. Unknown names raise."""

    async def route_pages(self, url: str) -> None:
        """Have the target's Alertmanager send its pages to this webhook."""

    def undo_of_mitigations(self, run: str) -> Undo:
        """Return what takes back every mitigation of a run, so that all is as it was before."""


class Responder(Protocol):
    """Somebody who answers pages: the bot, a person, nobody."""

    def answer(self, page: Page) -> AbstractAsyncContextManager[ResponderSession]:
        """Hand over the page; leaving the context ends the session, whatever it is doing."""


class ResponderSession(Protocol):
    """A responder at work."""

    async def ended(self) -> tuple[int, str]:
        """Return (exit code, last words) once the responder stops working."""


# --- the store ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run in the store's list."""

    id: str
    scenario: str
    target: str
    started_at: datetime
    ended_at: datetime | None
    verdict: str | None
    percent: float | None


class OrderKind(StrEnum):
    """What may be ordered from outside a run."""

    ABORT = "abort"  # this run recovers and ends
    STOP = "stop"  # every run does, and none may begin, until it is lifted
    FENCE = "fence"  # this run's process may write no more: its sentinel took over


@dataclass(frozen=True, slots=True)
class Order:
    """Something a run must obey, given from outside it.

    Attributes:
        run: whom it is for; None: every run.
        by: role or name of who gave it.
    """

    kind: OrderKind
    run: str | None
    reason: str
    by: str
    given_at: datetime


class Store(Protocol):
    """Durable memory. When a method returns, its write has been committed."""

    def open_run(
        self,
        run: str,
        *,
        scenario: str,
        target: str,
        started_at: datetime,
        documents: Mapping[str, str],
    ) -> None:
        """Begin a run; ``documents`` are the texts it was planned from, by name."""

    def append(self, run: str, fact: Fact, *, fenced: bool = False) -> None:
        """Append one fact.

        Args:
            fenced: also where the run is fenced off; only its sentinel and its heirs say so.

        Raises:
            StoreError: it could not be written, or the run is fenced off.
        """

    def save_undo(self, undo: Undo) -> None:
        """Commit an undo before its fault is injected; refused where the run is fenced off."""

    def close_undo(self, undo: str, *, proven_at: datetime) -> None:
        """Mark an undo as done and proven."""

    def open_undos(self, run: str | None = None, *, target: str | None = None) -> Sequence[Undo]:
        """Return undos not yet proven, newest first; of one run, of one target, or of all."""

    def give(self, order: Order) -> None:
        """Give an order; it holds until it is lifted."""

    def orders(self, run: str | None = None) -> Sequence[Order]:
        """Return the orders in force for a run, oldest first: its own and those for every run."""

    def lift_stop(self, *, at: datetime) -> bool:
        """Lift the stop; return whether there was one."""

    def close_run(
        self,
        run: str,
        *,
        ended_at: datetime,
        verdict: str,
        result: Mapping[str, Any],
        fenced: bool = False,
    ) -> None:
        """End a run with its result (the object ``run --json`` prints)."""

    def facts(self, run: str) -> Sequence[Fact]:
        """Return the facts of a run in the order they were recorded."""

    def documents(self, run: str) -> Mapping[str, str]:
        """Return the texts the run was planned from."""

    def result(self, run: str) -> Mapping[str, Any] | None:
        """Return the result of a run; None while it runs or if it never ended."""

    def runs(self, *, limit: int = 50) -> Sequence[RunRecord]:
        """Return runs, newest first."""

    def find(self, prefix: str) -> str:
        """Return the id of the one run that starts with this; ``last`` is the newest. Raises."""


# --- the store of incidents ---------------------------------------------------------------------


class AlertRouting(Protocol):
    """Whom alerts are sent to."""

    async def configuration(self) -> Mapping[str, Any]:
        """Return the configuration in force, as Alertmanager writes it."""


class IncidentStore(Protocol):
    """Durable memory of incidents. When a method returns, its write has been committed."""

    @property
    def is_shared(self) -> bool:
        """Whether other processes may serve from it at the same time."""

    def commit(
        self,
        facts: Sequence[LineFact],
        *,
        rows: Sequence[IncidentRow] = (),
        audit: Sequence[AuditEntry] = (),
        unless_beyond: int | None = None,
    ) -> Written:
        """Write all of this in one transaction; a fact whose id is known already is passed over.

        Facts are numbered in the order of their commits: who has seen a number has seen all below.

        Args:
            unless_beyond: write nothing where a fact of one of these lines has a higher number.
        """

    def facts(self, line: str) -> Sequence[Fact]:
        """Return the facts of one line in the order they were recorded."""

    def facts_after(self, number: int, *, limit: int) -> Sequence[tuple[int, LineFact]]:
        """Return facts with a higher number, in order, each with its own."""

    def last_number(self) -> int:
        """Return the number of the newest fact; 0 where there is none."""

    def claim(self, key: str, *, holder: str, now: datetime, until: datetime) -> bool:
        """Return whether the key is this holder's alone now, until then; again: until later."""

    def release(self, key: str, *, holder: str) -> None:
        """Give a claim back; what another holds stays."""

    def open_lines(self, *, since: datetime) -> Sequence[str]:
        """Return the lines with an incident that is open or younger, or with facts of none yet."""

    def incidents(self, *, limit: int = 100, only_open: bool = False) -> Sequence[IncidentRow]:
        """Return incidents, newest first, without the ones merged into another."""

    def incident(self, id: str) -> IncidentRow | None:
        """Return one incident, or None where there is none of this id."""

    def tokens(self) -> Sequence[Token]:
        """Return every token, also revoked ones, oldest first."""
