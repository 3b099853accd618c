"""A machine of virtual time on which processes run, freeze and die.

An event loop that knows no sockets and no wall clock: when nobody has anything left to do, its
clock jumps to the next timer. Every task belongs to the process that started it. A frozen process
does nothing until it is thawed; of a killed one nothing runs any more, not even a ``finally``.
Limits by `asyncio.timeout` and sleeps by `asyncio.sleep` pass in the same virtual time. All order
is by when things were asked for, so the same program plays the same way every time.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

__all__ = ["Killed", "Machine", "MachineClock", "Process", "StandsStill"]

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

if TYPE_CHECKING:
    # The stubs call abstract what at run time raises NotImplementedError: sockets, signals, pipes.
    _Loop = asyncio.BaseEventLoop
else:
    _Loop = asyncio.AbstractEventLoop

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

LAST_TURNS = 10_000
"""Turns given to what is left when a machine is closed; more would be an endless ``finally``."""

_process: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)


class StandsStill(Exception):
    """Nobody has anything to do and nobody sleeps: what is awaited will never come."""


class Killed(BaseException):
    """Unwinds the stack of a call at which its process died; nothing catches it on purpose."""


class _State(Enum):
    RUNNING = "running"
    FROZEN = "frozen"
    DEAD = "dead"


class Process:
    """Tasks that live and die together; made by `Machine.process`.

    Attributes:
        name: for people.
        on_death: called once, right after the process died: its sockets close.
    """

    def __init__(self, machine: Machine, name: str) -> None:
        self.name = name
        self.on_death: list[Callable[[], None]] = []
        self._machine = machine
        self._state = _State.RUNNING
        self._freezes = 0
        self._parked: list[_Handle] = []
        self._context = contextvars.Context()
        self._context.run(_process.set, self)

    @property
    def is_alive(self) -> bool:
        """Return whether it may still do something, now or once it is thawed."""
        return self._state is not _State.DEAD

    @property
    def is_frozen(self) -> bool:
        """Return whether it does nothing for now."""
        return self._state is _State.FROZEN

    def check(self) -> None:
        """Return if the process may touch the world; every simulated call asks this first.

        Raises:
            Killed: it is dead, and its stack is being unwound.
        """
        if self._state is _State.DEAD:
            raise Killed(self.name)

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task of this process."""
        return self._context.copy().run(self._machine.create_task, work)

    def kill(self) -> None:
        """End the process as SIGKILL does; without effect on a dead one."""
        if self._state is _State.DEAD:
            return
        self._state = _State.DEAD
        for closed in self.on_death:
            closed()

    def freeze(self) -> None:
        """Stop the process as SIGSTOP does; what was frozen twice is to be thawed twice."""
        if self.is_alive:
            self._state = _State.FROZEN
            self._freezes += 1

    def thaw(self) -> None:
        """Let a frozen process go on where it stood, as SIGCONT does."""
        if not self.is_frozen:
            return
        self._freezes -= 1
        if self._freezes == 0:
            self._state = _State.RUNNING
            self._machine.requeue(self._parked)
            self._parked = []

    def runs(self, handle: _Handle) -> bool:
        """Return whether this is to be run now; else it is kept, of a dead process for ever."""
        if self._state is _State.RUNNING:
            return True
        self._parked.append(handle)
        return False

    def unwind(self) -> list[_Handle]:
        """Die, and return what was to be run: to be run once all of it is without effect."""
        self.kill()
        return self._parked


class _Task(asyncio.Task[Any]):
    """A task whose place in a set does not depend on its address: sets of tasks have an order."""

    _log_destroy_pending: bool
    _log_traceback: bool  # whether it ended with an exception that nobody has asked for

    def __init__(self, work: Coroutine[Any, Any, Any], *, loop: Machine, **options: Any) -> None:
        self._number = next(loop.numbers)  # first: a task is put into a set while it is made
        self.process = (options.get("context") or contextvars.copy_context()).get(_process)
        super().__init__(work, loop=loop, **options)

    def __hash__(self) -> int:
        return self._number


class _Handle(asyncio.TimerHandle):
    """A callback with the process it belongs to; None: the machine itself."""

    __slots__ = ("process",)

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        machine: Machine,
        context: contextvars.Context | None,
    ) -> None:
        context = contextvars.copy_context() if context is None else context
        super().__init__(when, callback, args, machine, context)
        self.process: Process | None = context.get(_process)


class MachineClock:
    """The time of a machine as `gameday.ports.Clock`; a microsecond is the smallest step."""

    def __init__(self, machine: Machine, start: datetime) -> None:
        self._machine = machine
        self._start = start
        self._stepped = timedelta(0)

    def now(self) -> datetime:
        """Return the present virtual instant, as the wall clock has it."""
        return self._start + self._machine.elapsed + self._stepped

    def elapsed(self) -> timedelta:
        """Return how much virtual time has passed, whatever the wall clock was set to."""
        return self._machine.elapsed

    def step(self, by: timedelta) -> None:
        """Set the wall clock forward, or back where negative; who sleeps is not woken by it."""
        self._stepped += by

    async def sleep(self, duration: timedelta) -> None:
        """Return once the machine's clock has moved that far."""
        if duration <= timedelta(0):
            await asyncio.sleep(0)
            return
        future = self._machine.create_future()
        timer = self._machine.call_later(duration.total_seconds(), _wake, future)
        try:
            await future
        finally:
            timer.cancel()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Machine(_Loop):
    """The event loop of one simulation: its processes, their tasks, and the time they share.

    Attributes:
        clock: the time of this machine.
        complaints: errors in callbacks, and those that `listen` found.
        numbers: of the tasks, in the order in which they were made.
    """

    def __init__(self, start: datetime = START) -> None:
        self.clock = MachineClock(self, start)
        self.complaints: list[str] = []
        self.numbers = itertools.count()
        self._elapsed = 0  # microseconds
        self._ready: deque[_Handle] = deque()
        self._timers: list[tuple[int, int, _Handle]] = []
        self._timer_numbers = itertools.count()
        self._tasks: list[_Task] = []
        self._processes: list[Process] = []
        self._own_context = contextvars.Context()
        self._running = False
        self._closing = False

    @property
    def elapsed(self) -> timedelta:
        """Return how much virtual time has passed since the machine was made."""
        return timedelta(microseconds=self._elapsed)

    # --- processes ---------------------------------------------------------------------------

    def process(self, name: str) -> Process:
        """Return a new process of this machine."""
        process = Process(self, name)
        self._processes.append(process)
        return process

    def pause(self, process: Process, duration: timedelta) -> None:
        """Freeze the process that calls this, in the middle of its call, for a time.

        The others go on meanwhile. This is how a call that is not awaited can be slow, and how a
        process is stopped at a call. Where another process pauses meanwhile, the first one goes on
        when both are due.

        Raises:
            Killed: the process was killed meanwhile.
        """
        process.freeze()
        self.after(duration, process.thaw)
        task = asyncio.current_task(self)
        if task is not None:
            asyncio._leave_task(self, task)
        try:
            self._turn_until(lambda: not process.is_frozen)
        finally:
            if task is not None:
                asyncio._enter_task(self, task)
        process.check()

    def after(self, duration: timedelta, callback: Callable[..., object], *args: Any) -> None:
        """Call this after a time, whatever becomes of the process that asks for it."""
        self.call_later(duration.total_seconds(), callback, *args, context=self._own_context)

    def requeue(self, handles: list[_Handle]) -> None:
        """Run these when it is their turn."""
        self._ready.extend(handles)

    # --- running -----------------------------------------------------------------------------

    def run(self, work: asyncio.Future[T] | Coroutine[Any, Any, T], *, within: timedelta) -> T:
        """Return the result of the work, moving time on whenever everybody sleeps.

        Raises:
            StandsStill: the work waits for something that cannot come any more.
            TimeoutError: it was not done within this much virtual time.
        """
        future = self.create_task(work) if asyncio.iscoroutine(work) else work
        assert isinstance(future, asyncio.Future)
        self.until(future.done, within=within)
        return future.result()

    def until(self, done: Callable[[], bool], *, within: timedelta) -> None:
        """Return once this is so; raises as `run` does."""
        with self._as_running():
            self._turn_until(done, self._elapsed + within // MICROSECOND)

    def rest(self, duration: timedelta) -> None:
        """Let this much time pass."""
        self.run(self.clock.sleep(duration), within=duration)

    def _turn_until(self, done: Callable[[], bool], deadline: int | None = None) -> None:
        ready, timers = self._ready, self._timers
        while not done():
            while not ready:
                if not timers:
                    raise StandsStill("nobody sleeps and nothing moves")
                at, _, timer = timers[0]
                if deadline is not None and at > deadline and not timer.cancelled():
                    raise TimeoutError("not done in the time given")
                heapq.heappop(timers)
                if not timer.cancelled():
                    self._elapsed = max(self._elapsed, at)
                    ready.append(timer)
            handle = ready.popleft()
            if not handle.cancelled() and (handle.process is None or handle.process.runs(handle)):
                handle._run()

    @contextmanager
    def _as_running(self) -> Generator[None, None, None]:
        asyncio._set_running_loop(self)
        self._running = True
        try:
            yield
        finally:
            self._running = False
            asyncio._set_running_loop(None)

    def listen(self) -> None:
        """Add errors that ended a task while nobody was waiting for it to the complaints.

        Of a dead process nobody can be waiting; this is to be asked before one ends as it should.
        """
        for task in self._tasks:
            alive = task.process is None or task.process.is_alive
            if task._log_traceback and alive:
                error = task.exception()
                self.complaints.append(f"nobody waited for the end of a task: {error!r}")

    def close(self) -> None:
        """Take apart what is left, so that nothing of it runs later; fills in `complaints`.

        Every task that is left is unwound as if its process had died: `Process.check` raises in
        whatever it still tries. Time does not pass any more.
        """
        self._closing = True
        self._timers.clear()
        self.listen()
        with self._as_running():
            for process in self._processes:
                self._ready.extend(process.unwind())
            # What was begun and never ran has a beginning first: cancelled before that, a task is
            # over without its ``finally``.
            self._turn(LAST_TURNS)
            left = [task for task in self._tasks if not task.done()]
            for task in left:
                task.cancel()
            self._turn(LAST_TURNS)
            for task in left:
                if not task.done():
                    task._log_destroy_pending = False  # it was told to end, and does not
                    with suppress(BaseException):
                        task.get_coro().close()
        self._tasks.clear()

    def _turn(self, times: int) -> None:
        for _ in range(times):
            if not self._ready:
                break
            handle = self._ready.popleft()
            if not handle.cancelled():
                handle._run()

    # --- what asyncio asks of its loop -------------------------------------------------------

    def time(self) -> float:
        """Return the seconds since the machine was made."""
        return self._elapsed / 1e6

    def call_soon(
        self,
        callback: Callable[[*Arguments], object],
        *args: *Arguments,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        """Run a callback when it is its turn."""
        handle = _Handle(0.0, callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Arguments], object],
        *args: *Arguments,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run a callback after this many seconds."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Arguments], object],
        *args: *Arguments,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run a callback at an instant of this loop's time."""
        handle = _Handle(when, callback, args, self, context)
        heapq.heappush(self._timers, (round(when * 1e6), next(self._timer_numbers), handle))
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        """Return a future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]  # the parameters of newer Pythons are passed on
        self, work: Coroutine[Any, Any, T], **options: Any
    ) -> asyncio.Task[T]:
        """Start a task in the process that asks for it."""
        task = _Task(work, loop=self, **options)
        self._tasks.append(task)  # what a dead process left unfinished must not be collected early
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what asyncio complains about, unless it is about what is being taken apart."""
        if not self._closing:
            self.complaints.append(f"{context.get('message')}: {context.get('exception')!r}")

    def get_debug(self) -> bool:
        """Return that this loop is not in asyncio's debug mode."""
        return False

    def is_running(self) -> bool:
        """Return whether it turns."""
        return self._running

    def is_closed(self) -> bool:
        """Return whether it has been closed."""
        return self._closing and not self._running

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Leave a cancelled timer where it is: it is passed over when its time comes."""
