"""A system to play on: by its name, and opened, with the drivers that reach it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gameday import plan
from gameday.house.targets.check import Check
from gameday.http.credentials import NO_CREDENTIALS, Credentials
from gameday.incidents import deeplinks
from gameday.model.slo import Slo
from gameday.ports import (
    AlertSource,
    DeployLog,
    EffectSource,
    FaultDriver,
    PlannedFault,
    Target,
)


@dataclass(frozen=True, slots=True)
class Keyring:
    """How each instrument of a system is asked."""

    metrics: Credentials = NO_CREDENTIALS
    traces: Credentials = NO_CREDENTIALS
    profiles: Credentials = NO_CREDENTIALS


NOBODY_ASKS = Keyring()
"""No instrument wants to know who asks, as those of the shops do not."""


@dataclass(frozen=True, slots=True)
class OpenSystem:
    """The system a game day plays on, with the drivers that reach it.

    Attributes:
        regions: the regions it has.
        tools: where the deeplinks lead.
        count: counts how far a fault would reach now, in pods, and says what it cannot count;
            blocks while it asks.
        effects: tells what a drill sets off; None where nothing does.
        keyring: how its instruments are asked.
        hears_deploys: whether what pipelines tell of went live in it.
        absent: the steps of the funnel that it has no instrument for.
        forget: makes it forget what its Prometheus has measured so far, so that the bad minutes of
            an earlier drill do not count; None where that may not be.
        slo: the SLO as the rules in force have it, where they were read; None: as its file does.
        rule_chain: how old a recording may be when the SLO's alert reads it.
        notices: what should be known of it before it is played on.
        take_pages: takes the pages that are sent to us; None: they are fetched.
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
    forget: Callable[[], Coroutine[Any, Any, None]] | None = None
    keyring: Keyring = NOBODY_ASKS
    hears_deploys: bool = False
    absent: tuple[str, ...] = ()
    slo: Slo | None = None
    rule_chain: timedelta = timedelta(0)
    notices: tuple[str, ...] = ()
    take_pages: Callable[[Mapping[str, Any]], Awaitable[None]] | None = None


async def _nothing_to_examine() -> Sequence[Check]:
    return ()


@dataclass(frozen=True, slots=True)
class NamedTarget:
    """A system to play on that is not opened yet.

    Attributes:
        name: what programmes, locks and stores call it: ``sandbox``, ``kubernetes/prod-eu``.
        open: opens it, starting it where it is one that gameday starts; `PlanRefused` where it says
            itself that no run may be played there, `DriverError` where it cannot be reached.
        is_up: whether opening it would start nothing.
        examine: holds what its document says against it, for the SLO that is drilled.
        close: gives back what opening and examining it took of this machine; blocks for a moment.
    """

    name: str
    open: Callable[[], Awaitable[OpenSystem]]
    is_up: Callable[[], bool] = lambda: True
    examine: Callable[[], Awaitable[Sequence[Check]]] = _nothing_to_examine
    close: Callable[[], None] = lambda: None
