"""The one way in: whether a run may begin, asked of everything that could say no.

Command line, API and whatever plays by a calendar ask here, and get every reason at once. What is
found out here is judged in `gameday.governance.admission`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from gameday.conductor.limit import limited
from gameday.conductor.steady import burn_rates, foretold
from gameday.drivers.clock import SystemClock
from gameday.errors import DriverError, Ground, PlanRefused, Refusal, TemporaryDriverError
from gameday.governance import permission as programme
from gameday.governance.admission import Admitted, NotAdmitted, Situation, judge
from gameday.house.run.alert_routing import paged_past_gameday, routing_of
from gameday.house.run.asking import Asked
from gameday.house.run.misfits import experiment_notices, misfits
from gameday.house.run.opening import only_run
from gameday.house.run.orders import stopped
from gameday.house.run.permission import address, permission, programme_in_force
from gameday.house.run.planning import make_plan
from gameday.house.targets.check import Check
from gameday.house.targets.open_system import OpenSystem
from gameday.model.scenario import TargetKind
from gameday.plan import Plan
from gameday.ports import Clock, Store
from gameday.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entered:
    """A run that may begin, and the system that is open for it."""

    system: OpenSystem
    admitted: Admitted


@asynccontextmanager
async def admission(
    asked: Asked, *, store: Store, settings: Settings, clock: Clock | None = None
) -> AsyncIterator[Entered | NotAdmitted]:
    """Let a run in, or say all that speaks against it; its target is held until the context ends.

    Nothing is stored, and nothing on the target is changed but that it is started, where it is one
    that gameday starts and nothing known before speaks against the run.

    Raises:
        SpecError: the programme is wrong; a rule nobody can read must not be passed over.
        DriverError: nothing speaks against the run, but something could not be looked at.
        StoreError: the store cannot be read, or the target not be held.
    """
    with _held(settings, asked.target.name) as is_ours:
        try:
            yield await _asked_of_all(
                asked, store=store, settings=settings, is_busy=not is_ours, clock=clock
            )
        finally:
            asked.target.close()


async def would_enter(
    asked: Asked, *, store: Store, settings: Settings, clock: Clock | None = None
) -> Entered | NotAdmitted:
    """Say what `admission` would, and hold nothing: for a plan."""
    with _held(settings, asked.target.name) as is_ours:
        pass  # held for no longer than it takes to know
    try:
        return await _asked_of_all(
            asked, store=store, settings=settings, is_busy=not is_ours, clock=clock
        )
    finally:
        asked.target.close()


@contextmanager
def _held(settings: Settings, target: str) -> Iterator[bool]:
    """Hold the right to play on a target; yield whether it was free."""
    with ExitStack() as holding:
        try:
            holding.enter_context(only_run(settings, target))
            is_ours = True
        except PlanRefused:
            is_ours = False
        yield is_ours


async def _asked_of_all(
    asked: Asked, *, store: Store, settings: Settings, is_busy: bool, clock: Clock | None
) -> Entered | NotAdmitted:
    clock = clock or SystemClock()
    found, system = await _opened(asked, store, is_busy, clock)
    if system is not None:
        found = await _looked_at(found, system, asked, settings, clock)
    judged = judge(found)
    if isinstance(judged, NotAdmitted):
        return judged
    assert system is not None  # without it something was not looked at
    return Entered(system, judged)


async def _opened(
    asked: Asked, store: Store, is_busy: bool, clock: Clock
) -> tuple[Situation, OpenSystem | None]:
    """Return what is known without the target, and the target where it is worth opening."""
    story, target = asked.story, asked.target
    start = programme.Start(
        target=address(story.scenario, target.name),
        regions=story.scenario.spec.regions,
        at=clock.now(),
        approved_by=asked.approved_by,
    )
    unfit = misfits(story)
    found = Situation(
        target=target.name,
        permission=programme.judge(programme_in_force(story.scenario.path), start),
        is_busy=is_busy,
        stop=stopped(store),
        leftovers=tuple(store.open_undos(target=target.name)),
        said=unfit,
    )
    if unfit:
        return found, None  # what cannot be played there has no plan to be made there
    is_refused = bool(is_busy or found.stop or found.leftovers or found.permission.refusals)
    if is_refused and not target.is_up():
        why = TemporaryDriverError(f"{target.name} is not up, and is not started only to say no")
        return replace(found, unseen=(why,)), None
    barring = [check for check in await target.examine() if check.bars and not check.ok]
    found = replace(
        found,
        said=(*found.said, *(_barred(check) for check in barring if check.error is None)),
        unseen=tuple(check.error for check in barring if check.error is not None),
    )
    if found.unseen:
        return found, None  # what does not answer now would be waited for once more
    try:
        return found, await target.open()
    except PlanRefused as refused:
        return replace(found, said=(*found.said, *refused.refusals)), None
    except DriverError as error:
        return replace(found, unseen=(error,)), None


def _barred(check: Check) -> Refusal:
    return Refusal(Ground.TARGET, f"{check.what}: {check.found}", check.how)


async def _looked_at(
    found: Situation, system: OpenSystem, asked: Asked, settings: Settings, clock: Clock
) -> Situation:
    """Return what is known with what the open target says."""
    story = asked.story
    unseen: list[DriverError] = list(found.unseen)

    async def seen(call: Coroutine[Any, Any, T]) -> T | None:
        try:
            return await call
        except DriverError as error:
            unseen.append(error)
            return None

    strays, given, made, routing = await asyncio.gather(
        seen(limited(clock, system.faults.strays(), found.target)),
        permission(story, system, now=clock.now(), approved_by=asked.approved_by),
        seen(_planned(asked, system, clock)),
        paged_past_gameday(story.slo, routing_of(settings.tools)),
    )
    windows: tuple[str, ...] = ()
    if isinstance(made, Plan):
        # Only foretold: the run itself waits for it, or has it forgotten.
        with suppress(DriverError):
            rates = await burn_rates(made, system.alerts, clock)
            forgets = system.forget is not None and not asked.keeps_history
            windows = foretold(made, rates, forgets=forgets)
    # Nobody's budget is at stake on the embedded sandbox; what is noticed there is only recorded.
    is_ours = story.scenario.spec.target is TargetKind.SANDBOX
    return replace(
        found,
        strays=tuple(strays or ()),
        permission=given,
        said=(*found.said, *(made.refusals if isinstance(made, PlanRefused) else ())),
        plan=None if isinstance(made, PlanRefused) else made,
        notices=(
            *(() if is_ours else given.notices),
            *system.notices,
            *routing,
            *windows,
            *experiment_notices(story),
        ),
        unseen=tuple(unseen),
    )


async def _planned(asked: Asked, system: OpenSystem, clock: Clock) -> Plan | PlanRefused:
    try:
        return await make_plan(asked.story, system, run=asked.run, clock=clock)
    except PlanRefused as refused:
        return refused
