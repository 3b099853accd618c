"""What was asked of a target without an answer, and is done all the same some seconds later."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from gameday.conductor import Outcome, Recoverer, Sentinel
from gameday.errors import StoreError, TemporaryDriverError
from gameday.ports import Order, Undo
from gameday.testing.machine import Machine
from gameday.testing.memory import MemoryStore
from gameday.testing.world import SimulatedUndoer, World

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
LEASE = 5 * SECOND


class Late:
    """A world in which something may land, and a store that knows of it."""

    def __init__(self) -> None:
        self.machine = Machine()
        self.world = World(self.machine)
        self.store = MemoryStore()
        self.undo = Undo("gd-r1-1", "experiment", "r1", "slow", "gameday recover r1")
        self.store.save_undo(self.undo)
        self.may_end = True

    def lands(self, *seconds: float) -> None:
        for second in seconds:
            self.machine.after(second * SECOND, self.world.put, "gd-r1-1@0", 1.0)

    def recover(self, undoer: SimulatedUndoer, settle: timedelta) -> list[str]:
        recovery = Recoverer(
            undoer=undoer,
            store=self.store,
            clock=self.machine.clock,
            budget=SECOND,
        )
        work = recovery.recover(
            [self.undo], record=lambda *_, **__: None, by="conductor", settle=settle
        )
        return [error for _, error in self.machine.run(work, within=MINUTE)]

    def sentinel(self, store: MemoryStore | None = None) -> Sentinel:
        async def end() -> bool:
            return self.may_end

        return Sentinel(
            "r1",
            undoer=SimulatedUndoer(self.world),
            store=store or self.store,
            clock=self.machine.clock,
            lease=LEASE,
            budget=SECOND,
            end_run=end,
        )


@pytest.fixture
def late() -> Iterator[Late]:
    late = Late()
    yield late
    late.machine.close()
    assert [] == late.machine.complaints


def test_what_lands_while_it_settles_is_taken_back_before_its_undo_is_closed(late: Late) -> None:
    late.lands(1, 2.5, 4.9)

    assert [] == late.recover(SimulatedUndoer(late.world), LEASE)

    assert ((), ()) == late.world.state()
    assert () == late.store.open_undos()
    assert LEASE < late.machine.elapsed < 2 * LEASE


def test_nothing_is_waited_for_where_nothing_can_land(late: Late) -> None:
    assert [] == late.recover(SimulatedUndoer(late.world), timedelta(0))

    assert late.machine.elapsed < SECOND


def test_what_cannot_be_read_while_it_settles_is_taken_back_again(late: Late) -> None:
    class Unreadable(SimulatedUndoer):
        answers = 1
        recovered = 0

        async def is_present(self, undo: Undo) -> bool:
            self.answers -= 1
            if self.answers == -1:
                raise TemporaryDriverError("the proxy does not answer")
            return await super().is_present(undo)

        async def recover(self, undo: Undo) -> None:
            self.recovered += 1
            await super().recover(undo)

    undoer = Unreadable(late.world)

    assert [] == late.recover(undoer, LEASE)
    assert 2 == undoer.recovered


def test_what_lands_and_cannot_be_taken_back_stays_open(late: Late) -> None:
    class Stuck(SimulatedUndoer):
        async def recover(self, undo: Undo) -> None:
            if late.machine.elapsed > SECOND:
                raise TemporaryDriverError("the proxy does not answer")

    late.lands(2)

    assert ["the proxy does not answer"] == late.recover(Stuck(late.world), LEASE)
    assert [late.undo] == list(late.store.open_undos())


def test_a_sentinel_that_took_over_holds_nothing_more(late: Late) -> None:
    sentinel = late.sentinel()

    before = sentinel.hold(late.undo, at_most=MINUTE)
    sentinel.lose("its process is gone")
    after = sentinel.hold(late.undo, at_most=MINUTE)

    assert (True, False) == (before, after)


def test_a_sentinel_fences_as_soon_as_the_store_answers(late: Late) -> None:
    class Mute(MemoryStore):
        refusals = 3

        def give(self, order: Order) -> None:
            self.refusals -= 1
            if self.refusals >= 0:
                raise StoreError("the disk is full")
            super().give(order)

    store = Mute()
    sentinel = late.sentinel(store)
    late.may_end = False
    late.machine.after(8 * SECOND, lambda: setattr(late, "may_end", True))
    sentinel.lose("its heartbeat was silent")

    assert Outcome.TOOK_OVER == late.machine.run(sentinel.watch(), within=MINUTE)

    assert ["fence"] == [str(order.kind) for order in store.orders("r1")]


def test_a_sentinel_recovers_what_a_run_that_goes_on_stores_after_the_takeover(late: Late) -> None:
    late.store.close_undo(late.undo.id, proven_at=late.machine.clock.now())
    sentinel = late.sentinel()
    late.may_end = False
    sentinel.lose("its heartbeat was silent")
    later = Undo("gd-r1-2", "experiment", "r1", "slow", "gameday recover r1")

    def goes_on() -> None:
        late.store._fences.clear()  # it had asked the store before it was fenced
        late.store.save_undo(later)
        late.world.put("gd-r1-2@0", 1.0)
        late.may_end = True

    late.machine.after(3 * SECOND, goes_on)

    assert Outcome.TOOK_OVER == late.machine.run(sentinel.watch(), within=MINUTE)

    assert ((), ()) == late.world.state()
    assert () == late.store.open_undos()
