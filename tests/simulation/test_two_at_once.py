"""Two sentinels of one run, or a sentinel and a person, at work in the same moment."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from gameday.conductor import Outcome, Recoverer, Sentinel
from gameday.ports import PlannedFault
from gameday.testing.machine import Machine
from gameday.testing.memory import MemoryStore
from gameday.testing.world import SHIELD, SimulatedFaults, SimulatedTarget, World

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
LEASE = 5 * SECOND


class Left:
    """What a run left behind that died: two faults and a mitigation, all stored."""

    def __init__(self) -> None:
        self.machine = Machine()
        self.world = World(self.machine)
        self.store = MemoryStore()
        self.faults = SimulatedFaults(self.world)
        self.world.put("theirs@0", 0.1)
        self.undos = [self.planned(n).undo for n in (1, 2)]
        for number in (1, 2):
            self.machine.run(self.faults.inject(self.planned(number)), within=MINUTE)
        self.undos.append(
            SimulatedTarget(self.world, time_scale=1).undo_of_mitigation("r1", "shed-load", {})
        )
        self.world.mitigate(SHIELD)
        for undo in self.undos:
            self.store.save_undo(undo)

    def planned(self, number: int) -> PlannedFault:
        return self.faults.prepare(
            "slow",
            path="slow.yaml",
            configuration={"places": 2, "ttl": False},
            at=timedelta(0),
            duration=MINUTE,
            run="r1",
            number=number,
        )

    def sentinel(self, *, holds: bool = True) -> Sentinel:
        async def gone() -> bool:
            return True

        sentinel = Sentinel(
            "r1",
            undoer=self.faults,
            store=self.store,
            clock=self.machine.clock,
            lease=LEASE,
            budget=10 * SECOND,
            end_run=gone,
        )
        for undo in self.undos if holds else ():
            sentinel.hold(undo, at_most=MINUTE)
        return sentinel

    def assert_recovered(self) -> None:
        assert (("theirs@0",), ()) == self.world.state()
        assert () == self.store.open_undos()
        self.machine.close()
        assert [] == self.machine.complaints


@pytest.mark.parametrize("seed", range(40))
def test_two_sentinels_recover_without_harm(seed: int) -> None:
    left, dice = Left(), random.Random(seed)
    watches = []
    for number in range(2):
        sentinel = left.sentinel(holds=number == 0 or dice.random() < 0.5)
        process = left.machine.process(f"sentinel {number}")
        watches.append(process.start(sentinel.watch()))
        left.machine.after(dice.uniform(0, 2) * SECOND, sentinel.lose, "its process is gone")

    ended = [left.machine.run(watch, within=10 * MINUTE) for watch in watches]

    assert [Outcome.TOOK_OVER] * 2 == ended
    left.assert_recovered()


@pytest.mark.parametrize("seed", range(40))
def test_a_sentinel_and_a_person_recover_without_harm(seed: int) -> None:
    left, dice = Left(), random.Random(seed)
    sentinel = left.sentinel()
    watch = left.machine.process("sentinel").start(sentinel.watch())
    left.machine.after(SECOND, sentinel.lose, "its process is gone")
    recovery = Recoverer(
        undoer=left.faults,
        store=left.store,
        clock=left.machine.clock,
        budget=10 * SECOND,
        source="operator",
    )

    async def by_hand() -> int:
        await left.machine.clock.sleep(dice.uniform(0.5, 8) * SECOND)
        undos = list(reversed(left.store.open_undos()))
        return len(await recovery.recover(undos, record=lambda *_, **__: None, by="operator"))

    typed = left.machine.process("operator").start(by_hand())

    assert Outcome.TOOK_OVER == left.machine.run(watch, within=10 * MINUTE)
    assert 0 == left.machine.run(typed, within=10 * MINUTE)
    left.assert_recovered()
