"""The names by which experiments call faults of a hop: `slow_downstream`, `broken_downstream`."""

from __future__ import annotations

from gameday.chaos.faults.broken_downstream import break_downstream, downstream_is_broken
from gameday.chaos.faults.slow_downstream import downstream_is_slow, slow_downstream
from gameday.chaos.hops import downstream_is_clean, downstream_is_spoiled, recover_downstream

__all__ = [
    "break_downstream",
    "downstream_is_broken",
    "downstream_is_clean",
    "downstream_is_slow",
    "downstream_is_spoiled",
    "recover_downstream",
    "slow_downstream",
]
