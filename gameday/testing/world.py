"""A simulated target: faults in place, mitigations in force, and the errors that follow from them.

Whoever is allowed to touch it goes through `SimulatedFaults` and `SimulatedTarget`; the rest of the
simulation reads it. Time comes from the machine it stands on.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from gameday.errors import PermanentDriverError, TemporaryDriverError
from gameday.ports import MITIGATIONS, Injection, PlannedFault, Undo
from gameday.testing.machine import Machine

__all__ = ["SimulatedFaults", "SimulatedTarget", "SimulatedUndoer", "World"]

SHIELD = "shed-load"
"""A mitigation that keeps users well while the fault is in place."""

ROLLBACK = "roll-back"
"""A mitigation that takes the fault itself away."""

MARK = "gd-"
"""What the name of everything a run puts in place begins with."""

HERE = "here"
"""What tells the world from any other that may answer at its address."""

ONE_STEP = timedelta(milliseconds=40)
"""How long the target takes to do one thing."""


@dataclass(frozen=True, slots=True)
class Placed:
    """One thing that is wrong with the target.

    Attributes:
        name: of the thing, as the proxy's toxics have names.
        ratio: share of requests that fail while it is there, 0–1.
        until: when the target itself ends it; None: never.
    """

    name: str
    ratio: float
    until: datetime | None


class World:
    """What is true, whatever anybody believes.

    Attributes:
        changes: every change, as (seconds since the start, what was done): for people, and to
            compare two runs.
        on_put: called with the name of everything that is put in place, before it is.
        on_change: called after every change.
        webhook: where pages are sent; None: nowhere yet.
        is_elsewhere: whether another world answers at its address: one where nothing is wrong, and
            where what is asked for changes nothing here.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.faults: dict[str, Placed] = {}
        self.mitigations: list[str] = []
        self.changes: list[tuple[float, str]] = []
        self.on_put: list[Callable[[str], None]] = []
        self.on_change: list[Callable[[], None]] = []
        self.webhook: str | None = None
        self.is_elsewhere = False
        self._times = [0.0]
        self._ratios = [0.0]
        self._sums = [0.0]

    def lead_elsewhere(self) -> None:
        """Let another world answer at its address from now on."""
        self.is_elsewhere = True

    def lead_back(self) -> None:
        """Let this one answer again."""
        self.is_elsewhere = False

    def will_lead_elsewhere(self, when: tuple[float, float] | None) -> None:
        """Let another world answer from a second on, for so many seconds; None: never."""
        if when is not None:
            since, lasts = (timedelta(seconds=s) for s in when)
            self.machine.after(since, self.lead_elsewhere)
            self.machine.after(since + lasts, self.lead_back)

    def until_back(self, when: tuple[float, float] | None) -> timedelta:
        """Return how long it is until this world answers for good."""
        ends = sum(when) if when is not None else 0.0
        return timedelta(seconds=max(0.0, ends - self.machine.time()))

    # --- changing it -------------------------------------------------------------------------

    def put(self, name: str, ratio: float, *, ttl: timedelta | None = None) -> None:
        """Put a fault in place; one that is there already stays as it is."""
        for told in self.on_put:
            told(name)
        if name in self.faults:
            return
        until = None if ttl is None else self.machine.clock.now() + ttl
        self.faults[name] = Placed(name, ratio, until)
        self._changed(f"put {name}")
        if ttl is not None:
            self.machine.after(ttl, self._expire, name)

    def remove(self, name: str) -> None:
        """Take a fault away; without effect where it is not."""
        if self.faults.pop(name, None) is not None:
            self._changed(f"remove {name}")

    def _expire(self, name: str) -> None:
        placed = self.faults.get(name)
        until = placed.until if placed is not None else None
        if until is not None and until <= self.machine.clock.now():
            self.remove(name)

    def mitigate(self, name: str) -> None:
        """Put a mitigation in force."""
        if name == ROLLBACK:
            for fault in [f for f in self.faults if f.startswith(MARK)]:
                self.remove(fault)
        if name not in self.mitigations:
            self.mitigations.append(name)
            self._changed(f"mitigate {name}")

    def restore(self) -> None:
        """Take every mitigation back."""
        if self.mitigations:
            self.mitigations.clear()
            self._changed("restore")

    # --- reading it --------------------------------------------------------------------------

    def present(self, undo: Undo) -> list[str]:
        """Return the names of what this undo would take back."""
        if undo.kind == MITIGATIONS:
            return list(self.mitigations)
        return [name for name in self.faults if name.partition("@")[0] == undo.id]

    def state(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return what is in place now: (faults, mitigations), each sorted."""
        return tuple(sorted(self.faults)), tuple(sorted(self.mitigations))

    @property
    def ratio(self) -> float:
        """Return the share of requests that fail now."""
        return self._ratios[-1]

    def bad_seconds(self, until: float) -> float:
        """Return ∫ error ratio dt from the start to this second of the machine's time."""
        if until <= 0:
            return 0.0
        at = bisect_right(self._times, until) - 1
        return self._sums[at] + self._ratios[at] * (until - self._times[at])

    def _changed(self, what: str) -> None:
        now = self.machine.time()
        self.changes.append((now, what))
        for told in self.on_change:
            told()
        shielded = SHIELD in self.mitigations
        ratio = max((f.ratio for f in self.faults.values()), default=0.0)
        ratio = 0.0 if shielded else ratio
        if ratio != self._ratios[-1]:
            self._sums.append(self.bad_seconds(now))
            self._times.append(now)
            self._ratios.append(ratio)


class SimulatedUndoer:
    """Takes back what an undo names, in a simulated world; fulfils `gameday.ports.Undoer`."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def is_present(self, undo: Undo) -> bool:
        """Return whether anything of it is there."""
        await self._world.machine.clock.sleep(ONE_STEP)
        self._answers(undo)
        return not self._world.is_elsewhere and bool(self._world.present(undo))

    async def recover(self, undo: Undo) -> None:
        """Take it back, one thing after the other."""
        await self._world.machine.clock.sleep(ONE_STEP)
        self._answers(undo)
        if self._world.is_elsewhere:
            return
        if undo.kind == MITIGATIONS:
            self._world.restore()
            return
        for name in self._world.present(undo):
            self._world.remove(name)
            await self._world.machine.clock.sleep(ONE_STEP)

    def _answers(self, undo: Undo) -> None:
        """Return where the very world answers that an undo is pinned to."""
        if undo.data.get("world") is not None and self._world.is_elsewhere:
            raise TemporaryDriverError("another world answers than the one that is meant")


class SimulatedFaults(SimulatedUndoer):
    """Puts faults into a simulated world; fulfils `gameday.ports.FaultDriver`.

    A fault's configuration says what it does: ``ratio`` (share of requests that fail, default 1),
    ``places`` (how many things make it up, default 1; they go in one after the other) and ``ttl``
    (whether the target itself ends it after its duration, default true).
    """

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
        """Return the fault with its undo; changes nothing."""
        undo = _undo(f"{MARK}{run}-{number}", run, fault)
        return PlannedFault(fault, path, dict(configuration), at, duration, undo)

    async def pinned(self, undo: Undo) -> Undo:
        """Return the undo with the world it is for."""
        await self._world.machine.clock.sleep(ONE_STEP)
        if self._world.is_elsewhere:
            raise TemporaryDriverError("another world answers than the one that is meant")
        return replace(undo, data={**undo.data, "world": HERE})

    async def inject(self, fault: PlannedFault) -> Injection:
        """Put the fault in place."""
        world = self._world
        ratio = float(fault.configuration.get("ratio", 1.0))
        ttl = fault.duration if fault.configuration.get("ttl", True) else None
        for place in range(int(fault.configuration.get("places", 1))):
            await world.machine.clock.sleep(ONE_STEP)
            if not world.is_elsewhere:
                world.put(f"{fault.undo.id}@{place}", ratio, ttl=ttl)
        self._answers(fault.undo)
        return Injection(world.machine.clock.now(), {"actions": [fault.experiment]})

    async def steady(self, path: str) -> bool:
        """Return whether nobody is hurt now."""
        await self._world.machine.clock.sleep(ONE_STEP)
        return self._world.ratio == 0

    async def strays(self) -> Sequence[Undo]:
        """Return what takes back everything that bears the mark of some run."""
        await self._world.machine.clock.sleep(ONE_STEP)
        if self._world.is_elsewhere:
            return []
        marked = sorted({n.partition("@")[0] for n in self._world.faults if n.startswith(MARK)})
        return [_undo(name, name.removeprefix(MARK).rpartition("-")[0], name) for name in marked]


def _undo(id: str, run: str, what: str) -> Undo:
    return Undo(
        id, "experiment", run, f"{what} of {run}", f"gameday recover {run}", {"fault": what}
    )


class SimulatedTarget:
    """The simulated world as a `gameday.ports.Target`."""

    name = "world"

    def __init__(self, world: World, *, time_scale: float) -> None:
        self._world = world
        self.time_scale = time_scale

    async def check(self) -> None:
        """Return; everything answers."""
        await self._world.machine.clock.sleep(ONE_STEP)

    async def mitigate(self, name: str, parameters: Mapping[str, str]) -> str:
        """Do what a responder asked for."""
        await self._world.machine.clock.sleep(ONE_STEP)
        if name not in (SHIELD, ROLLBACK):
            raise PermanentDriverError(f"the world knows no mitigation {name!r}")
        if self._world.is_elsewhere:
            raise unreachable("the world that is meant")
        self._world.mitigate(name)
        return f"{name} is in force"

    async def route_pages(self, url: str) -> None:
        """Have pages sent there."""
        await self._world.machine.clock.sleep(ONE_STEP)
        self._world.webhook = url

    def undo_of_mitigation(self, run: str, name: str, parameters: Mapping[str, str]) -> Undo:
        """Return what takes the mitigations of a run back."""
        return Undo(
            id=f"{MARK}{run}-mitigations",
            kind=MITIGATIONS,
            run=run,
            description="mitigations in the world",
            command=f"gameday recover {run}",
            data={"world": HERE},
        )


def unreachable(what: str) -> TemporaryDriverError:
    """Return the error of a tool that does not answer."""
    return TemporaryDriverError(f"{what} does not answer")
