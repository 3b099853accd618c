"""How far a fault would reach on its target as it is now."""

from __future__ import annotations

from gameday.errors import Ground, PlanRefused, Refusal
from gameday.plan import Reach
from gameday.ports import PlannedFault


def reach(fault: PlannedFault) -> Reach:
    """Return what a fault would touch now, and what of it nobody counts.

    Raises:
        PlanRefused: it could not be injected: nothing fits, a fence, the cluster's no.
    """
    from chaoslib.exceptions import ActivityFailed

    from gameday.chaos.radius import count

    try:
        return count(fault.undo.data["experiment"], fault.configuration)
    except ActivityFailed as problem:
        remedy = "change what it names under `with`, or what gameday may touch there"
        raise PlanRefused(
            Refusal(Ground.PLAN, f"{fault.experiment}: {problem}", remedy)
        ) from problem
