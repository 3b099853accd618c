"""How long the parts of a run may take, by its plan and by what has fired."""

from __future__ import annotations

from datetime import timedelta

from gameday.ledger import Ledger
from gameday.plan import Plan
from gameday.ports import PlannedFault
from gameday.settings import Settings
from scoring.slo import nominal
from scoring.timeline import Kind
from scoring.timing import theory_limit

INJECTION = timedelta(seconds=75)
"""How long putting one fault in place may take, unless it says that it takes longer.

The driver's own limit is shorter and says more.
"""

GRACE = timedelta(seconds=5)
"""Past a fault's duration the sentinel leaves the run this long to recover it itself."""


def injecting(fault: PlannedFault) -> timedelta:
    """Return how long putting a fault in place may take."""
    return max(INJECTION, fault.takes + GRACE)


class Deadlines:
    """The deadlines of one run."""

    def __init__(self, plan: Plan, *, ledger: Ledger, settings: Settings) -> None:
        self._plan = plan
        self._ledger = ledger
        self._settings = settings

    def longest(self) -> timedelta:
        """Return how long the whole run may take from here on, generously."""
        faults = self._plan.faults
        ends = max((f.at + f.duration for f in faults), default=timedelta(0))
        due = self._plan.awaited_for + self._plan.target.timing.group_wait
        injected = max((injecting(f) for f in faults), default=INJECTION)
        return ends + due + self._settings.answer_patience + self.clears_within() + injected

    def clears_within(self) -> timedelta:
        """Return how long after the mitigation the alert is waited for.

        A branch clears at the latest when its short window holds nothing of the fault any more.
        Only branches that fired matter, and which do is known late: a cold Prometheus fires the
        slow one first.
        """
        within = self._plan.scenario.spec.expect.recovered.within
        if isinstance(within, timedelta):
            return within + self._settings.detection_slack
        # Where an alert does not tell which of its branches fired, any may have.
        may_be_any = self._plan.slo.is_joint or bool(self._plan.slo.unread)
        fired = {f.data.get("long") for f in self._ledger.timeline.of_kind(Kind.ALERT_FIRED)}
        branches = zip(self._plan.slo.windows, self._plan.windows, strict=True)
        slowest = max(
            (
                real.short
                for declared, real in branches
                if (may_be_any or nominal(declared.long) in fired)
                and real in self._plan.page_windows
            ),
            default=timedelta(0),
        )
        longest = slowest + self._plan.target.timing.longest
        return theory_limit(longest, longest) + self._settings.detection_slack
