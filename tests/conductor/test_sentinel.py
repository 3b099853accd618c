"""The sentinel in virtual time: what it does when the run is gone, hangs, or comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from gameday.conductor import Outcome, Sentinel
from gameday.drivers.database import Database
from gameday.errors import StoreError, TemporaryDriverError
from gameday.ports import MITIGATIONS, OrderKind, Undo
from gameday.testing.virtual import START, VirtualClock
from scoring.timeline import Fact, Kind

SECOND = timedelta(seconds=1)
LEASE = 5 * SECOND


def undo(id: str = "u1", kind: str = "experiment") -> Undo:
    return Undo(id, kind, "run", f"{id} is taken back", "gameday recover run")


class Target:
    """Things in place, by undo; each recovery takes one away."""

    def __init__(self) -> None:
        self.present = {"u1"}
        self.calls: list[str] = []
        self.broken: set[str] = set()

    async def is_present(self, undo: Undo) -> bool:
        return undo.id in self.present

    async def recover(self, undo: Undo) -> None:
        self.calls.append(undo.id)
        if undo.id in self.broken:
            raise TemporaryDriverError("the proxy does not answer")
        self.present.discard(undo.id)


class Watched:
    """A sentinel over a run, with a store, in virtual time."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock()
        self.target = Target()
        self.store = Database(f"sqlite:///{folder / 'runs.db'}")
        self.store.open_run("run", scenario="s", target="t", started_at=START, documents={})
        self.store.save_undo(undo())
        self.kills = 0
        self.dies = True
        self.sentinel = Sentinel(
            "run",
            undoer=self.target,
            store=self.store,
            clock=self.clock,
            lease=LEASE,
            budget=10 * SECOND,
            end_run=self.end_run,
        )

    async def end_run(self) -> bool:
        self.kills += 1
        return self.dies

    async def watch(self, script: asyncio.Future[None] | None = None) -> Outcome:
        return await self.clock.run(self.sentinel.watch())

    def kinds(self) -> list[str]:
        return [f.kind for f in self.store.facts("run")]

    def seconds(self) -> float:
        return (self.clock.now() - START).total_seconds()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Watched]:
    watched = Watched(tmp_path)
    yield watched
    watched.store.close()


async def test_a_silent_heartbeat_is_taken_over_after_the_lease(run: Watched) -> None:
    run.sentinel.hold(undo(), at_most=timedelta(minutes=5))
    recovered_at: list[float] = []
    recover = run.target.recover

    async def and_note(taken: Undo) -> None:
        recovered_at.append(run.seconds())
        await recover(taken)

    run.target.recover = and_note  # type: ignore[method-assign]

    outcome = await run.watch()

    assert outcome is Outcome.TOOK_OVER
    assert run.target.present == set()
    assert 5 < recovered_at[0] < 5.1
    assert run.kills == 1
    assert run.store.open_undos() == ()
    assert run.kinds() == [
        Kind.RUN_ABORTED,
        Kind.FAULT_RECOVERED,
        Kind.RECOVERY_PROVEN,
        Kind.RUN_ENDED,
    ]


async def test_a_process_that_is_gone_is_taken_over_at_once(run: Watched) -> None:
    run.sentinel.hold(undo(), at_most=timedelta(minutes=5))
    run.sentinel.lose("its process is gone")

    await run.watch()

    aborted = run.store.facts("run")[0]
    assert aborted.happened_at == START
    assert aborted.data["reason"] == "its process is gone"


async def test_beats_keep_the_lease(run: Watched) -> None:
    run.sentinel.hold(undo(), at_most=timedelta(minutes=5))

    async def live() -> Outcome:
        watching = asyncio.ensure_future(run.sentinel.watch())
        for _ in range(20):
            await run.clock.sleep(2 * SECOND)
            run.sentinel.beat()
        run.sentinel.release("u1")
        run.sentinel.farewell()
        return await watching

    assert await run.clock.run(live()) is Outcome.RELIEVED
    assert run.kills == 0
    assert run.target.calls == []


async def test_what_lands_after_the_takeover_is_taken_back_too(run: Watched) -> None:
    run.target.present = set()
    run.sentinel.hold(undo(), at_most=timedelta(minutes=5))
    run.sentinel.lose("its process is gone")

    async def late() -> Outcome:
        watching = asyncio.ensure_future(run.sentinel.watch())
        await run.clock.sleep(3 * SECOND)
        run.target.present.add("u1")
        return await watching

    assert await run.clock.run(late()) is Outcome.TOOK_OVER
    assert run.target.present == set()


async def test_a_run_that_cannot_be_ended_is_fenced_and_watched_until_it_is_gone(
    run: Watched,
) -> None:
    run.dies = False
    run.sentinel.hold(undo(), at_most=timedelta(minutes=5))
    run.sentinel.lose("frozen")

    async def unkillable() -> Outcome:
        watching = asyncio.ensure_future(run.sentinel.watch())
        await run.clock.sleep(60 * SECOND)
        fact = Fact("f1", Kind.FAULT_INJECTED, START, START, "conductor")
        with pytest.raises(StoreError, match="taken over"):
            run.store.append("run", fact)
        with pytest.raises(StoreError, match="taken over"):
            run.store.save_undo(undo("u2"))
        run.target.present.add("u1")  # it went on with what it was about to do
        await run.clock.sleep(SECOND)
        assert run.target.present == set()
        run.dies = True
        return await watching

    assert await run.clock.run(unkillable()) is Outcome.TOOK_OVER
    assert [o.kind for o in run.store.orders("run")] == [OrderKind.FENCE]


async def test_a_fault_whose_time_is_over_is_recovered_while_the_run_lives(run: Watched) -> None:
    run.sentinel.hold(undo(), at_most=3 * SECOND)

    async def live() -> Outcome:
        watching = asyncio.ensure_future(run.sentinel.watch())
        await run.clock.sleep(4 * SECOND)
        run.sentinel.farewell()
        return await watching

    assert await run.clock.run(live()) is Outcome.RELIEVED
    assert run.target.present == set()
    assert run.kills == 0
    assert run.store.open_undos() == ()


async def test_a_second_hold_sets_the_time_anew(run: Watched) -> None:
    run.sentinel.hold(undo(), at_most=2 * SECOND)
    run.sentinel.hold(undo(), at_most=60 * SECOND)

    async def live() -> Outcome:
        watching = asyncio.ensure_future(run.sentinel.watch())
        await run.clock.sleep(4 * SECOND)
        assert run.target.present == {"u1"}
        run.sentinel.release("u1")
        run.sentinel.farewell()
        return await watching

    assert await run.clock.run(live()) is Outcome.RELIEVED


async def test_what_a_run_leaves_at_its_farewell_is_tried_once_more(run: Watched) -> None:
    run.sentinel.hold(undo(), at_most=timedelta(minutes=5))
    run.sentinel.farewell()

    assert await run.watch() is Outcome.RELIEVED
    assert run.target.present == set()
    assert run.kills == 0


async def test_what_cannot_be_taken_back_is_stuck_and_stays_open(run: Watched) -> None:
    run.target.broken = {"u1"}
    run.sentinel.hold(undo(), at_most=timedelta(minutes=5))
    run.sentinel.lose("its process is gone")

    assert await run.watch() is Outcome.STUCK
    assert [u.id for u in run.store.open_undos()] == ["u1"]
    stuck = [f for f in run.store.facts("run") if f.kind == Kind.RECOVERY_STUCK]
    assert stuck[0].data["command"] == "gameday recover run"


async def test_mitigations_stay_in_force_while_a_fault_is_stuck(run: Watched) -> None:
    run.target.broken = {"u1"}
    run.target.present = {"u1", "m1"}
    run.store.save_undo(undo("m1", MITIGATIONS))
    run.sentinel.hold(undo(), at_most=timedelta(minutes=5))
    run.sentinel.hold(undo("m1", MITIGATIONS), at_most=timedelta(minutes=5))
    run.sentinel.lose("its process is gone")

    assert await run.watch() is Outcome.STUCK
    assert "m1" in run.target.present


async def test_an_undo_that_only_the_store_knows_is_recovered_as_well(run: Watched) -> None:
    run.sentinel.lose("its process is gone")

    assert await run.watch() is Outcome.TOOK_OVER
    assert run.target.calls == ["u1"]


async def test_a_store_that_cannot_be_written_does_not_keep_a_fault_in_place(
    run: Watched,
) -> None:
    run.sentinel.hold(undo(), at_most=timedelta(minutes=5))

    def full(*_: object, **__: object) -> None:
        raise StoreError("the disk is full")

    for name in ("append", "close_undo", "give", "open_undos"):
        setattr(run.store, name, full)
    run.sentinel.lose("its process is gone")

    assert await run.watch() is Outcome.STUCK  # the store does not know; the target is well
    assert run.target.present == set()


async def test_a_sentinel_that_was_frozen_itself_gives_the_run_another_lease(
    run: Watched,
) -> None:
    run.sentinel.hold(undo(), at_most=timedelta(minutes=5))
    sleep = run.clock.sleep
    naps = iter([timedelta(minutes=2)])

    async def oversleep(duration: timedelta) -> None:
        await sleep(duration + next(naps, timedelta(0)))

    run.clock.sleep = oversleep  # type: ignore[method-assign]

    async def live() -> Outcome:
        watching = asyncio.ensure_future(run.sentinel.watch())
        await sleep(timedelta(minutes=2) + 6 * SECOND)
        assert run.kills == 0
        run.sentinel.release("u1")
        run.sentinel.farewell()
        return await watching

    assert await run.clock.run(live()) is Outcome.RELIEVED
