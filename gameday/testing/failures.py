"""How an outside call can go wrong, and ports whose calls do.

A `Failure` names one call of one process and what becomes of it. `Calls` counts the calls of a
process and lets its failures happen; `Port` wraps whatever fulfils a port, so that every call goes
through it. A process that is dead touches nothing any more.
"""

from __future__ import annotations

import inspect
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from gameday.errors import GamedayError, StoreError, TemporaryDriverError
from gameday.testing.machine import Killed, Machine, Process
from gameday.testing.world import ONE_STEP

__all__ = ["Calls", "Failure", "Port", "Way"]

LOCKED_FOR = timedelta(seconds=3)
"""How long a store waits for a locked file before it gives up, as the real one does."""


class Way(StrEnum):
    """What becomes of a call."""

    REFUSED = "refused"  # an error, and nothing was done
    LOST = "answer lost"  # it was done, and an error is the answer
    HALF = "half done"  # it was begun, and an error is the answer
    LATE = "lands late"  # an error is the answer, and it is done all the same some seconds later
    HANGS = "hangs"  # no answer, ever; a store gives up waiting for its lock after a while
    SLOW = "slow"  # the answer comes late
    TWICE = "done twice"
    KILLED_BEFORE = "killed before"  # the process dies at the call
    KILLED_AFTER = "killed after"
    KILLED_LATE = "killed, lands late"  # … and what it asked for is done some seconds later
    FROZEN_BEFORE = "frozen before"  # the process stands still at the call, and goes on later
    FROZEN_AFTER = "frozen after"
    INTERRUPTED = "interrupted"  # Ctrl-C at the call
    ABORTED = "aborted"  # somebody orders this run to end
    STOPPED = "stopped"  # somebody orders all runs to end
    PAGED = "paged"  # a page comes that the drill does not explain: a real incident


ORDERS = frozenset({Way.INTERRUPTED, Way.ABORTED, Way.STOPPED, Way.PAGED})
"""Ways after which a run has to end early; the call itself goes well."""

KILLING = frozenset({Way.KILLED_BEFORE, Way.KILLED_AFTER, Way.KILLED_LATE})
DEADLY = KILLING | {Way.FROZEN_BEFORE, Way.FROZEN_AFTER}
"""Ways after which somebody else has to take over; a short standstill is survived."""

RAISING = frozenset({Way.REFUSED, Way.LOST, Way.HALF, Way.LATE, Way.HANGS})
"""Ways that end with an error, or with no answer at all."""

NEEDS_AWAIT = frozenset({Way.HALF, Way.LATE, Way.KILLED_LATE})
"""Ways that make no sense for a call that is not awaited: a store's write is done or it is not."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One thing that goes wrong.

    Attributes:
        process: whose call it is.
        call: port and method: ``faults.inject``.
        way: what becomes of it.
        skips: so many calls of this kind go well before.
        times: so many calls in a row are hit; one that kills or orders something hits once.
        lasts: how long a slow answer, a standstill or a late landing takes.
    """

    process: str
    call: str
    way: Way
    skips: int = 0
    times: int = 1
    lasts: timedelta = timedelta(seconds=1)

    def __str__(self) -> str:
        often = f", {self.times} times" if self.times > 1 else ""
        timed = self.way in (Way.SLOW, Way.FROZEN_BEFORE, Way.FROZEN_AFTER, *NEEDS_AWAIT)
        long = f", {self.lasts.total_seconds():g} s" if timed and self.way is not Way.HALF else ""
        return f"{self.process}: {self.call} no. {self.skips + 1} {self.way}{often}{long}"


class Calls:
    """The outside calls of one process, and what goes wrong with them.

    Args:
        orders: what each way of `ORDERS` does.

    Attributes:
        seen: how often each call was made.
        happened: the failures that came to pass, as (second, failure), in order.
    """

    def __init__(
        self,
        machine: Machine,
        process: Process,
        failures: Iterable[Failure],
        orders: dict[Way, Callable[[], None]],
    ) -> None:
        self.process = process
        self.seen: Counter[str] = Counter()
        self.happened: list[tuple[float, Failure]] = []
        self._machine = machine
        self._network = machine.process(f"network of {process.name}")
        self._orders = orders
        self._failures: dict[str, list[Failure]] = defaultdict(list)
        for failure in failures:
            if failure.process == process.name:
                self._failures[failure.call].append(failure)

    def went_well(self, call: str) -> bool:
        """Return whether a call of this name was ever answered."""
        unanswered = sum(f.call == call and f.way in RAISING for _, f in self.happened)
        return self.seen[call] > unanswered

    def _next(self, call: str) -> Failure | None:
        """Count the call and return what goes wrong with it."""
        self.process.check()
        number = self.seen[call]
        self.seen[call] = number + 1
        for failure in self._failures.get(call, ()):
            if failure.skips <= number < failure.skips + failure.times:
                if failure.way not in (Way.KILLED_AFTER, Way.FROZEN_AFTER):
                    self.happened.append((self._machine.time(), failure))
                return failure
        return None

    # --- calls that are not awaited ----------------------------------------------------------

    def told(self, call: str, effect: Callable[[], Any]) -> Any:
        """Make a call that is not awaited: the store's."""
        failure = self._next(call)
        if failure is None:
            return effect()
        way, lasts = failure.way, failure.lasts
        if way is Way.REFUSED:
            raise StoreError("the store cannot be used: disk I/O error")
        if way is Way.HANGS:
            self._machine.pause(self.process, LOCKED_FOR)
            raise StoreError("the store cannot be used: database is locked")
        if way is Way.KILLED_BEFORE:
            self._die()
        if way in (Way.SLOW, Way.FROZEN_BEFORE):
            self._machine.pause(self.process, min(lasts, LOCKED_FOR) if way is Way.SLOW else lasts)
        if way in self._orders:
            self._orders[way]()
        try:
            answer = effect()
            if way is Way.LOST:
                raise StoreError("the store cannot be used: the connection was closed")
            if way is Way.TWICE:
                with suppress(StoreError):
                    effect()
            return answer
        finally:
            self._afterwards(failure)

    # --- calls that are awaited --------------------------------------------------------------

    async def asked(self, call: str, effect: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Make a call that is awaited: a driver's."""
        failure = self._next(call)
        if failure is None:
            answer = await effect()
            self.process.check()
            return answer
        way, lasts = failure.way, failure.lasts
        if way is Way.REFUSED:
            raise _unanswered(call)
        if way is Way.KILLED_BEFORE:
            self._die()
        if way in (Way.LATE, Way.KILLED_LATE):
            self._machine.after(lasts, self._land, effect)
            if way is Way.KILLED_LATE:
                self._die()
            raise _unanswered(call)
        if way is Way.HANGS:
            await self._machine.create_future()
        if way is Way.FROZEN_BEFORE:
            self._machine.pause(self.process, lasts)
        if way is Way.SLOW:
            await self._machine.clock.sleep(lasts)
        if way in self._orders:
            self._orders[way]()
        if way is Way.HALF:
            self._begin(effect)
            raise _unanswered(call)
        try:
            answer = await effect()
            self.process.check()
            if way is Way.LOST:
                raise _unanswered(call)
            if way is Way.TWICE:
                with suppress(GamedayError):
                    await effect()
            return answer
        finally:
            self._afterwards(failure)

    def _afterwards(self, failure: Failure) -> None:
        self.process.check()
        if failure.way is Way.KILLED_AFTER:
            self.happened.append((self._machine.time(), failure))
            self._die()
        if failure.way is Way.FROZEN_AFTER:
            self.happened.append((self._machine.time(), failure))
            self._machine.pause(self.process, failure.lasts)

    def _die(self) -> None:
        self.process.kill()
        raise Killed(self.process.name)

    def _land(self, effect: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self._network.start(_unheard(effect()))

    def _begin(self, effect: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        begun = self._network.start(_unheard(effect()))
        self._machine.after(ONE_STEP * 1.5, begun.cancel)


async def _unheard(work: Coroutine[Any, Any, Any]) -> None:
    with suppress(GamedayError):
        await work


def _unanswered(call: str) -> TemporaryDriverError:
    return TemporaryDriverError(f"{call.partition('.')[0]} does not answer")


class Port:
    """Whatever fulfils a port, with every one of its calls made through `Calls`.

    Args:
        name: of the port, as failures name it.
        methods: the calls; everything else of the inner object is passed through untouched.
    """

    def __init__(self, name: str, inner: object, calls: Calls, methods: Sequence[str]) -> None:
        self._inner = inner
        for method in methods:
            call = f"{name}.{method}"
            setattr(self, method, _through(calls, call, getattr(inner, method)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _through(calls: Calls, call: str, method: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(method):

        async def asked(*args: Any, **named: Any) -> Any:
            return await calls.asked(call, lambda: method(*args, **named))

        return asked

    def told(*args: Any, **named: Any) -> Any:
        return calls.told(call, lambda: method(*args, **named))

    return told
