"""What every fault driver promises."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from gameday.errors import DriverError
from gameday.ports import FaultDriver, PlannedFault, Undo
from gameday.testing.contracts.contract import case, refused

__all__ = ["FaultDriverContract", "FaultyPlace", "MovablePlace", "PinnedFaultsContract"]

T = TypeVar("T")


class FaultyPlace(ABC):
    """A fault driver under the contract, the system it plays on, and a look at that past it."""

    @abstractmethod
    def driver(self) -> FaultDriver:
        """Return a driver that knows nothing of another one's doings, as in another process."""

    @abstractmethod
    def prepare(self, number: int = 1, run: str = "r7") -> PlannedFault:
        """Return a fault, not yet injected; two of one run go side by side."""

    @abstractmethod
    def state(self) -> object:
        """Return all that is in place, whosever it is."""

    @abstractmethod
    def disturb(self) -> None:
        """Put something in place that is somebody else's."""

    @abstractmethod
    def unreachable(self) -> FaultDriver:
        """Return a driver whose system does not answer."""

    def lost(self) -> Undo:
        """Return the undo of a fault on the system that does not answer."""
        return self.prepare().undo

    def now(self) -> datetime:
        """Return the time of the system."""
        return datetime.now(UTC)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what a call returns."""
        return asyncio.run(work)


class MovablePlace(FaultyPlace):
    """A system to whose address another one may come to answer, in which nothing is wrong."""

    @abstractmethod
    def lead_elsewhere(self) -> None:
        """Let another system of the same kind answer at the address, with the same names in it."""

    @abstractmethod
    def lead_back(self) -> None:
        """Let the first one answer again."""

    @abstractmethod
    def state_elsewhere(self) -> object:
        """Return all that is in place in the other one."""


class FaultDriverContract:
    """For a `gameday.ports.FaultDriver`."""

    def test_preparing_changes_nothing_and_names_everything(self, subject: FaultyPlace) -> None:
        before = subject.state()

        first, second, other = subject.prepare(), subject.prepare(2), subject.prepare(1, "r8")

        assert before == subject.state()
        assert 3 == len({first.undo.id, second.undo.id, other.undo.id})
        assert ("r7", "r8") == (first.undo.run, other.undo.run)
        assert "r7" in first.undo.command
        assert first.undo.description
        assert subject.prepare() == first
        assert _sent(first.undo) == first.undo

    def test_a_fault_is_in_place_from_its_injection_to_its_recovery(
        self, subject: FaultyPlace
    ) -> None:
        subject.disturb()
        before = subject.state()
        fault = subject.prepare()
        began = subject.now()

        assert not subject.do(subject.driver().is_present(fault.undo))
        injection = subject.do(subject.driver().inject(fault))

        assert began <= injection.injected_at <= subject.now()
        assert timedelta(0) == injection.injected_at.utcoffset()
        json.dumps(dict(injection.detail))
        assert subject.do(subject.driver().is_present(fault.undo))

        # Another process takes it back, from the undo alone; once more changes nothing.
        for _ in range(2):
            subject.do(subject.driver().recover(_sent(fault.undo)))
            assert not subject.do(subject.driver().is_present(_sent(fault.undo)))
            assert before == subject.state()

    def test_recovering_takes_back_what_the_undo_names_and_nothing_else(
        self, subject: FaultyPlace
    ) -> None:
        first, second = subject.prepare(1), subject.prepare(2)
        subject.do(subject.driver().inject(first))
        subject.do(subject.driver().inject(second))

        subject.do(subject.driver().recover(first.undo))

        assert not subject.do(subject.driver().is_present(first.undo))
        assert subject.do(subject.driver().is_present(second.undo))

    def test_recovering_what_was_never_injected_changes_nothing(self, subject: FaultyPlace) -> None:
        subject.disturb()
        before = subject.state()

        subject.do(subject.driver().recover(subject.prepare().undo))

        assert before == subject.state()

    def test_what_a_run_left_is_found_without_its_store(self, subject: FaultyPlace) -> None:
        subject.disturb()
        before = subject.state()
        fault = subject.prepare()
        assert [] == list(subject.do(subject.driver().strays()))
        subject.do(subject.driver().inject(fault))

        (stray,) = subject.do(subject.driver().strays())
        subject.do(subject.driver().recover(_sent(stray)))

        assert (fault.undo.id, "r7") == (stray.id, stray.run)
        assert before == subject.state()
        assert [] == list(subject.do(subject.driver().strays()))

    def test_a_system_that_does_not_answer_is_a_driver_error(self, subject: FaultyPlace) -> None:
        undo, driver = subject.lost(), subject.unreachable()

        async def ask() -> Sequence[Any]:
            # At once, because each is patient.
            asked = (driver.is_present(undo), driver.recover(undo), driver.strays())
            return await asyncio.gather(*asked, return_exceptions=True)

        assert [DriverError] * 3 == [
            DriverError if isinstance(said, DriverError) else said for said in subject.do(ask())
        ]

    def test_injecting_again_needs_no_second_recovery(self, subject: FaultyPlace) -> None:
        before = subject.state()
        fault = subject.prepare()
        subject.do(subject.driver().inject(fault))

        try:
            subject.do(subject.driver().inject(fault))
        except DriverError:
            pass  # saying that it is there already is as good

        assert subject.do(subject.driver().is_present(fault.undo))
        subject.do(subject.driver().recover(fault.undo))
        assert before == subject.state()


class PinnedFaultsContract:
    """For a `gameday.ports.FaultDriver` that tells its system from another one at its address."""

    def test_what_another_system_does_not_show_is_not_gone(self, subject: MovablePlace) -> None:
        fault = self._pinned(subject)
        subject.do(subject.driver().inject(fault))
        before = subject.state()

        subject.lead_elsewhere()

        for reading in ("is_present", "recover"):
            with case(reading), refused(DriverError, "another"):
                subject.do(getattr(subject.driver(), reading)(_sent(fault.undo)))
        assert before == subject.state()

    def test_nothing_is_taken_back_or_changed_in_another_system(
        self, subject: MovablePlace
    ) -> None:
        fault = self._pinned(subject)
        subject.do(subject.driver().inject(fault))
        subject.lead_elsewhere()
        before = subject.state_elsewhere()

        with refused(DriverError, "another"):
            subject.do(subject.driver().recover(_sent(fault.undo)))

        assert before == subject.state_elsewhere()

    def test_once_the_system_answers_again_its_fault_is_recovered(
        self, subject: MovablePlace
    ) -> None:
        before = subject.state()
        fault = self._pinned(subject)
        subject.do(subject.driver().inject(fault))
        subject.lead_elsewhere()
        with refused(DriverError, "another"):
            subject.do(subject.driver().recover(_sent(fault.undo)))

        subject.lead_back()

        assert subject.do(subject.driver().is_present(_sent(fault.undo)))
        subject.do(subject.driver().recover(_sent(fault.undo)))
        assert not subject.do(subject.driver().is_present(_sent(fault.undo)))
        assert before == subject.state()

    def _pinned(self, subject: MovablePlace) -> PlannedFault:
        fault = subject.prepare()
        return replace(fault, undo=subject.do(subject.driver().pinned(fault.undo)))


def _sent(undo: Undo) -> Undo:
    """Return an undo as it comes out of a store, or through a pipe."""
    return replace(undo, data=json.loads(json.dumps(dict(undo.data))))
