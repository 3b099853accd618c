"""Holding something against a contract without pytest: what is kept, and what is broken."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from datetime import timedelta

import pytest

from gameday.drivers.clock import SystemClock
from gameday.testing.contracts import Broken, ClockContract, check, promises
from gameday.testing.contracts.clock import RunningClock
from gameday.testing.contracts.contract import refused


class Hasty(SystemClock):
    """A clock on which nobody sleeps."""

    async def sleep(self, duration: timedelta) -> None:
        await asyncio.sleep(0)


def test_what_keeps_every_promise_is_told_which_these_were() -> None:
    kept = check(ClockContract, lambda: nullcontext(RunningClock(SystemClock())))

    assert "test_its_instants_are_aware_and_in_utc" in kept
    assert promises(ClockContract) == kept


def test_every_broken_promise_is_named() -> None:
    with pytest.raises(Broken) as broken:
        check(ClockContract, lambda: nullcontext(RunningClock(Hasty())))

    named = [note for error in broken.value.exceptions for note in error.__notes__]
    assert "ClockContract.test_sleeping_takes_at_least_as_long_as_was_said" in named
    assert "ClockContract.test_its_instants_are_aware_and_in_utc" not in named


def test_a_subject_that_cannot_be_made_breaks_every_promise() -> None:
    def failing() -> nullcontext[RunningClock]:
        raise OSError("no clock here")

    with pytest.raises(Broken, match=f"{len(promises(ClockContract))} of") as broken:
        check(ClockContract, failing)

    assert len(promises(ClockContract)) == len(broken.value.exceptions)


def test_a_refusal_is_of_its_kind_and_says_what_it_should() -> None:
    with refused(ValueError, "no .umber"):
        raise ValueError("this is no number")

    with pytest.raises(AssertionError, match="no ValueError"), refused(ValueError):
        pass
    with pytest.raises(AssertionError, match="is not in"), refused(ValueError, "elsewhere"):
        raise ValueError("this is no number")
    with pytest.raises(KeyError), refused(ValueError):
        raise KeyError("x")
