"""The names by which experiments call the fault `pressure`."""

from __future__ import annotations

from gameday.chaos.faults.pressure import press, pressure_is_on, recover_pressure

__all__ = [
    "press",
    "pressure_is_on",
    "recover_pressure",
]
