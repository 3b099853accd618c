"""A system to play on, opened: the drivers that reach it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from gameday import plan
from gameday.incidents import deeplinks
from gameday.ports import (
    AlertSource,
    DeployLog,
    EffectSource,
    FaultDriver,
    PlannedFault,
    Target,
)


@dataclass(frozen=True, slots=True)
class OpenSystem:
    """The system a game day plays on, with the drivers that reach it.

    Attributes:
        regions: the regions it has.
        tools: where the deeplinks lead.
        count: counts how far a fault would reach now, in pods, and says what it cannot count;
            blocks while it asks.
        effects: tells what a drill sets off; None where nothing does.
    """

    target: Target
    alerts: AlertSource
    faults: FaultDriver
    deploys: DeployLog | None
    tools: deeplinks.Tools
    regions: tuple[str, ...]
    group_wait: timedelta = timedelta(0)
    count: Callable[[PlannedFault], plan.Reach | None] | None = None
    effects: EffectSource | None = None
