"""The names by which experiments call faults of pods' network: `isolate_pods`, `slow_network`."""

from __future__ import annotations

from gameday.chaos.faults.isolate_pods import isolate_pods, pods_are_isolated, recover_isolation
from gameday.chaos.faults.slow_network import pods_are_slow, recover_slowness, slow_pods
from gameday.chaos.selection import pods_can_be_reached

__all__ = [
    "isolate_pods",
    "pods_are_isolated",
    "pods_are_slow",
    "pods_can_be_reached",
    "recover_isolation",
    "recover_slowness",
    "slow_pods",
]
