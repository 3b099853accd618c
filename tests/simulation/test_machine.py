"""The machine of virtual time: processes that run, freeze and die, always in the same order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest

from gameday.testing.machine import Killed, Machine, Process, StandsStill

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def machine() -> Iterator[Machine]:
    machine = Machine()
    yield machine
    machine.close()
    assert [] == machine.complaints


async def ticks(machine: Machine, seen: list[float], number: int = 10) -> None:
    for _ in range(number):
        await machine.clock.sleep(SECOND)
        seen.append(machine.elapsed.total_seconds())


def test_an_hour_passes_when_everybody_sleeps(machine: Machine) -> None:
    began = machine.clock.now()

    machine.run(machine.clock.sleep(HOUR), within=HOUR)

    assert began + HOUR == machine.clock.now()


def test_limits_of_asyncio_pass_in_the_same_time(machine: Machine) -> None:
    async def limited() -> None:
        async with asyncio.timeout(90):
            await machine.create_future()

    with pytest.raises(TimeoutError):
        machine.run(limited(), within=HOUR)

    assert timedelta(seconds=90) == machine.elapsed


def test_what_can_never_come_is_told(machine: Machine) -> None:
    async def waits() -> None:
        await machine.create_future()

    with pytest.raises(StandsStill):
        machine.run(waits(), within=HOUR)


def test_what_takes_too_long_is_told(machine: Machine) -> None:
    with pytest.raises(TimeoutError):
        machine.run(machine.clock.sleep(HOUR), within=HOUR / 2)


def test_a_frozen_process_goes_on_where_it_stood(machine: Machine) -> None:
    one, two = machine.process("one"), machine.process("two")
    first: list[float] = []
    second: list[float] = []
    one.start(ticks(machine, first, 5))
    two.start(ticks(machine, second, 5))

    machine.rest(1.5 * SECOND)
    one.freeze()
    machine.rest(5 * SECOND)
    frozen = list(first)
    one.thaw()
    machine.rest(5 * SECOND)

    assert [1] == frozen
    assert [1, 6.5, 7.5, 8.5, 9.5] == first
    assert [1, 2, 3, 4, 5] == second


def test_what_is_frozen_twice_is_thawed_twice(machine: Machine) -> None:
    process = machine.process("one")
    process.freeze()
    process.freeze()

    process.thaw()
    still = process.is_frozen
    process.thaw()
    process.thaw()

    assert (True, False) == (still, process.is_frozen)


def test_of_a_killed_process_not_even_a_finally_runs(machine: Machine) -> None:
    process = machine.process("one")
    done: list[str] = []

    async def work() -> None:
        try:
            await machine.clock.sleep(SECOND)
        finally:
            process.check()
            done.append("finally")

    process.start(work())
    machine.rest(SECOND / 2)
    closed: list[str] = []
    process.on_death.append(lambda: closed.append("socket"))

    process.kill()
    process.kill()
    machine.rest(HOUR)
    machine.close()

    assert ([], ["socket"]) == (done, closed)
    assert not process.is_alive


def test_freezing_and_thawing_the_dead_does_nothing(machine: Machine) -> None:
    process = machine.process("one")
    process.kill()

    process.freeze()
    process.thaw()

    assert (False, False) == (process.is_alive, process.is_frozen)
    with pytest.raises(Killed):
        process.check()


def test_children_belong_to_the_process_of_their_parent(machine: Machine) -> None:
    process = machine.process("one")
    seen: list[float] = []

    async def parent() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(ticks(machine, seen))

    process.start(parent())
    machine.rest(2.5 * SECOND)
    process.kill()
    machine.rest(HOUR)

    assert [1, 2] == seen


def test_a_call_that_is_not_awaited_can_be_slow_while_others_go_on(machine: Machine) -> None:
    slow, quick = machine.process("slow"), machine.process("quick")
    seen: list[float] = []

    async def calls() -> float:
        await machine.clock.sleep(SECOND / 2)
        machine.pause(slow, 3 * SECOND)
        return machine.elapsed.total_seconds()

    quick.start(ticks(machine, seen, 3))
    task = slow.start(calls())

    assert 3.5 == machine.run(task, within=HOUR)
    assert [1, 2, 3] == seen


def test_a_process_may_be_killed_in_the_middle_of_a_slow_call(machine: Machine) -> None:
    victim, killer = machine.process("victim"), machine.process("killer")
    after: list[str] = []

    async def calls() -> None:
        machine.pause(victim, 3 * SECOND)
        after.append("went on")

    async def kills() -> None:
        await machine.clock.sleep(SECOND)
        victim.kill()

    victim.start(calls())
    killer.start(kills())
    machine.rest(HOUR)

    assert [] == after


def test_two_slow_calls_at_once_both_end(machine: Machine) -> None:
    ended: dict[str, float] = {}

    async def calls(process: Process, duration: timedelta) -> None:
        machine.pause(process, duration)
        ended[process.name] = machine.elapsed.total_seconds()

    for name, seconds in (("one", 5), ("two", 2)):
        process = machine.process(name)
        process.start(calls(process, seconds * SECOND))
    machine.rest(HOUR)

    assert {"one": 5, "two": 2} == ended


def test_sets_of_tasks_are_walked_in_the_order_they_were_made() -> None:
    def cancelled_in_order() -> list[int]:
        machine, order = Machine(), list[int]()

        async def waits(number: int) -> None:
            try:
                await machine.create_future()
            finally:
                order.append(number)

        async def group() -> None:
            async with asyncio.TaskGroup() as tasks:
                for number in range(20):
                    tasks.create_task(waits(number))
                await machine.clock.sleep(SECOND)
                raise ValueError

        with pytest.raises(ExceptionGroup):
            machine.run(group(), within=HOUR)
        machine.close()
        return order

    assert list(range(20)) == cancelled_in_order()


def test_an_error_nobody_waited_for_is_kept() -> None:
    machine = Machine()

    async def fails() -> None:
        raise ValueError("nobody looks")

    machine.process("one").start(fails())
    machine.rest(SECOND)
    machine.close()

    assert ["nobody waited for the end of a task: ValueError('nobody looks')"] == machine.complaints


def test_an_error_in_a_callback_is_kept() -> None:
    machine = Machine()

    machine.after(SECOND, lambda: 1 / 0)
    machine.rest(HOUR)
    machine.close()

    assert 1 == len(machine.complaints)
    assert "ZeroDivisionError" in machine.complaints[0]


def test_closing_unwinds_what_is_left_without_letting_it_touch_anything() -> None:
    machine = Machine()
    process = machine.process("one")
    touched: list[str] = []

    async def stubborn() -> None:
        while True:
            try:
                await machine.clock.sleep(HOUR)
            except asyncio.CancelledError:
                process.check()
                touched.append("after the end")

    async def deaf() -> None:
        while True:
            try:
                await machine.create_future()
            except asyncio.CancelledError:
                continue

    process.start(stubborn())
    process.start(deaf())
    machine.rest(SECOND)

    machine.close()
    machine.close()

    assert [] == touched
    assert machine.is_closed()
