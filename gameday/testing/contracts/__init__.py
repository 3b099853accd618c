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

from gameday.testing.contracts.actions import ActionStoreContract, OpensActionStore
from gameday.testing.contracts.alerts import Alerted, AlertSourceContract, alerted
from gameday.testing.contracts.clock import (
    ClockContract,
    RunningClock,
    SettableClock,
    SettableClockContract,
)
from gameday.testing.contracts.contract import Broken, check, promises
from gameday.testing.contracts.deploys import DeployedSystem, DeployLogContract
from gameday.testing.contracts.faults import (
    FaultDriverContract,
    FaultyPlace,
    MovablePlace,
    PinnedFaultsContract,
)
from gameday.testing.contracts.incidents import (
    IncidentStoreContract,
    OpensSharedStore,
    SharedStore,
)
from gameday.testing.contracts.lease import HeldLease, LeaseContract, PlaysLease
from gameday.testing.contracts.pager import MakesPager, PagedTool, PagerContract
from gameday.testing.contracts.postmortems import OpensPostmortemStore, PostmortemStoreContract
from gameday.testing.contracts.profiles import ProfiledService, ProfileSourceContract, Sample
from gameday.testing.contracts.runs import OpensStore, StoreContract
from gameday.testing.contracts.traces import TracedShop, TraceSourceContract

__all__ = [
    "ActionStoreContract",
    "AlertSourceContract",
    "Alerted",
    "Broken",
    "ClockContract",
    "DeployLogContract",
    "DeployedSystem",
    "FaultDriverContract",
    "FaultyPlace",
    "HeldLease",
    "IncidentStoreContract",
    "LeaseContract",
    "MakesPager",
    "MovablePlace",
    "OpensActionStore",
    "OpensPostmortemStore",
    "OpensSharedStore",
    "OpensStore",
    "PagedTool",
    "PagerContract",
    "PinnedFaultsContract",
    "PlaysLease",
    "PostmortemStoreContract",
    "ProfileSourceContract",
    "ProfiledService",
    "RunningClock",
    "Sample",
    "SettableClock",
    "SettableClockContract",
    "SharedStore",
    "StoreContract",
    "TraceSourceContract",
    "TracedShop",
    "alerted",
    "check",
    "promises",
]
