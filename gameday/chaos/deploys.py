"""The names by which experiments call the fault `deploy_change`."""

from __future__ import annotations

from gameday.chaos.faults.deploy_change import (
    change_is_live,
    deploy_change,
    deploys_are_known,
    recover_change,
)

__all__ = [
    "change_is_live",
    "deploy_change",
    "deploys_are_known",
    "recover_change",
]
