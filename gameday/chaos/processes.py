"""The names by which experiments call the fault `kill_service`."""

from __future__ import annotations

from gameday.chaos.faults.kill_service import kill_service, service_is_healthy

__all__ = [
    "kill_service",
    "service_is_healthy",
]
