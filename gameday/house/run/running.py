"""A run from asking to its result: what command line, API and schedulers call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from gameday.errors import GamedayError
from gameday.governance.admission import NotAdmitted
from gameday.house.run.admission import admission
from gameday.house.run.asking import Asked
from gameday.house.run.drill import Door
from gameday.house.run.judgement import refused
from gameday.house.run.play import OnPlan, play
from gameday.house.targets.open_system import OpenSystem
from gameday.model.result import RunResult
from gameday.ports import Pager, Store
from gameday.settings import Settings


async def run_story(
    asked: Asked,
    *,
    store: Store,
    settings: Settings,
    door: Callable[[OpenSystem], AbstractContextManager[Door]],
    tool: Pager | None = None,
    on_plan: OnPlan = lambda *_: None,
    on_notices: Callable[[Sequence[str]], None] = lambda _: None,
) -> tuple[RunResult, GamedayError | None]:
    """Play what is asked for and return (its result, the error that ended it early or None).

    The target is held until the run has ended. A run that is not admitted has a result as well,
    with every reason; nothing of it is stored.

    Args:
        door: opens the door of a run on this system; closed when the run has ended.
        tool: the pager that calls a drill's on-call, beside the console; None: nothing does.
        on_plan: told about the run before it begins.
        on_notices: told what should be known although it forbids nothing.

    Raises:
        SpecError, DriverError, StoreError: as `admission` and `play` raise them.
    """
    async with admission(asked, store=store, settings=settings) as entered:
        if isinstance(entered, NotAdmitted):
            on_notices(entered.notices)
            documents = asked.story.documents
            result = refused(documents, entered.refusals, target=asked.target.name)
            return result, entered.error()
        on_notices(entered.admitted.notices)
        system = entered.system
        if asked.keeps_history:
            system = replace(system, forget=None)
        with door(system) as opened:
            return await play(
                asked.story,
                system,
                entered.admitted,
                store=store,
                settings=settings,
                door=opened,
                tool=tool,
                on_plan=on_plan,
            )
