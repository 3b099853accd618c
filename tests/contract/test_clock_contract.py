"""The clocks: the system's, and the ones tests own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest

from gameday.drivers.clock import SystemClock
from gameday.testing.contracts import (
    ClockContract,
    RunningClock,
    SettableClock,
    SettableClockContract,
)
from gameday.testing.machine import Machine
from gameday.testing.virtual import VirtualClock


class TestSystemClock(ClockContract):
    @pytest.fixture
    def subject(self) -> RunningClock:
        return RunningClock(SystemClock())


class TestVirtualClock(ClockContract, SettableClockContract):
    @pytest.fixture
    def subject(self) -> SettableClock:
        clock = VirtualClock()
        return SettableClock(clock, lambda work: asyncio.run(clock.run(work)), step=clock.step)


class TestMachineClock(ClockContract, SettableClockContract):
    @pytest.fixture
    def subject(self) -> Iterator[SettableClock]:
        machine = Machine()
        yield SettableClock(
            machine.clock,
            lambda work: machine.run(work, within=timedelta(hours=1)),
            step=machine.clock.step,
        )
        machine.close()
