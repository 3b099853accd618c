"""The clocks: the system's, and the ones tests own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest

from gameday.drivers.clock import SystemClock
from gameday.testing.contracts import ClockContract
from gameday.testing.contracts.clock import RunningClock
from gameday.testing.machine import Machine
from gameday.testing.virtual import VirtualClock


class TestSystemClock(ClockContract):
    @pytest.fixture
    def subject(self) -> RunningClock:
        return RunningClock(SystemClock())


class TestVirtualClock(ClockContract):
    @pytest.fixture
    def subject(self) -> RunningClock:
        clock = VirtualClock()
        return RunningClock(clock, lambda work: asyncio.run(clock.run(work)))


class TestMachineClock(ClockContract):
    @pytest.fixture
    def subject(self) -> Iterator[RunningClock]:
        machine = Machine()
        yield RunningClock(machine.clock, lambda work: machine.run(work, within=timedelta(hours=1)))
        machine.close()
