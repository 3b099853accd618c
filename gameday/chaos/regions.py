"""The names by which experiments call the fault `drain_region`."""

from __future__ import annotations

from gameday.chaos.faults.drain_region import (
    drain_region,
    nodes_are_free,
    recover_region,
    region_is_drained,
)

__all__ = [
    "drain_region",
    "nodes_are_free",
    "recover_region",
    "region_is_drained",
]
