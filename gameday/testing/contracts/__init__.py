"""What every implementation of a port promises: one class a port, one method a promise.

For whoever writes a driver, in this repository or elsewhere. Subclass a contract, give the subclass
a fixture ``subject`` that makes what is held against it, and let pytest collect it; `check` does
the same without pytest.

    class TestMyClock(ClockContract):
        @pytest.fixture
        def subject(self) -> RunningClock:
            return RunningClock(MyClock())

A promise is a method ``test_…(self, subject)`` whose name is a sentence; nothing in here imports
pytest. What a subject has to offer beside the driver itself (how to make the tool page, trace,
fail …) stands in the class of that subject, beside its contract.
"""

from gameday.testing.contracts.clock import (
    ClockContract,
    RunningClock,
    SettableClock,
    SettableClockContract,
)
from gameday.testing.contracts.contract import Broken, check, promises

__all__ = [
    "Broken",
    "ClockContract",
    "RunningClock",
    "SettableClock",
    "SettableClockContract",
    "check",
    "promises",
]
