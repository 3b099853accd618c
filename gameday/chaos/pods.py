"""The names by which experiments call the fault `kill_pod`."""

from __future__ import annotations

from gameday.chaos.faults.kill_pod import kill_pods
from gameday.chaos.selection import pods_are_ready

__all__ = [
    "kill_pods",
    "pods_are_ready",
]
