"""The names by which experiments call faults of a workload: `scale_to_zero`, `bad_deploy`."""

from __future__ import annotations

from gameday.chaos.controllers import workload_is_untouched
from gameday.chaos.faults.bad_deploy import change_is_live, change_workload, recover_change
from gameday.chaos.faults.scale_to_zero import recover_scale, scale_to_zero, workload_is_scaled_down

__all__ = [
    "change_is_live",
    "change_workload",
    "recover_change",
    "recover_scale",
    "scale_to_zero",
    "workload_is_scaled_down",
    "workload_is_untouched",
]
