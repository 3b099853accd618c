"""How a scenario goes through the house while it is played, and how often it climbs.

``python bench/climbs.py [RUNS]`` plays rehearsed runs, whole, from `play` to the rendered
scorecard, and watches every call. What carries the scenario is a value of `CARRIERS`. Code has it
in hands when it is an argument, is closed over, or is an attribute of ``self``. Printed are

- the rooms it is in hands in, in the order of the first time;
- the climbs: where a room calls a room on a floor above its own, and the code called there has the
  scenario in hands. A call down that returns is no climb, however often; nor is a fact that
  somebody waits for. Climbs between the same two rooms are one, with every function called.

The world outside is simulated, and stands above the house (`testing`): a driver that calls back is
not seen. Nor is what only watches a run: the live view, which `play` shows the plan.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

from gameday.governance.admission import Admitted
from gameday.house.run.play import play
from gameday.house.run.stories import Story
from gameday.model.page import Page
from gameday.model.plan_record import PlanRecord
from gameday.model.result import RunResult
from gameday.model.scenario import Scenario
from gameday.plan import Plan
from gameday.report.scorecard import html, markdown
from gameday.testing.drawing import draw
from gameday.testing.rehearsal import Parts, rehearse
from scoring.timeline import Timeline

ROOT = Path(__file__).parents[1]
CARRIERS = (Scenario, Story, Plan, Admitted, PlanRecord, Page, Timeline, RunResult)
OURS = ("gameday.", "scoring")
RUNS = 20


@dataclass
class Walk:
    """What was seen: rooms in the order in which the scenario came to them, and its climbs."""

    rooms: dict[str, None] = field(default_factory=dict)
    climbs: dict[tuple[str, str], set[str]] = field(default_factory=dict)


def floors() -> Mapping[str, int]:
    """Return the floor of every room, counted from the cellar, as the linter has it."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers: Sequence[str] = told["tool"]["importlinter"]["contracts"][0]["layers"]
    found = {
        room.strip(): floor
        for floor, layer in enumerate(reversed(layers), 1)
        for room in layer.replace(":", "|").split("|")
    }
    return {**found, "scoring": 0}


def room(module: str) -> str:
    """Return the room of a module of ours."""
    parts = module.split(".")
    return "scoring" if parts[0] == "scoring" else parts[1]


def in_hands(frame: FrameType) -> Iterator[Any]:
    """Yield all that the code of a frame has in hands as it begins."""
    yield from frame.f_locals.values()
    me = frame.f_locals.get("self")
    if type(me).__module__.startswith(OURS):
        yield from getattr(me, "__dict__", {}).values()
        for base in type(me).__mro__:
            slots = base.__dict__.get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else slots:
                yield getattr(me, name, None)


def caller(frame: FrameType) -> str | None:
    """Return the room that made the call; None where it was the event loop."""
    back = frame.f_back
    while back is not None:
        module = str(back.f_globals.get("__name__", ""))
        if module.startswith("asyncio"):
            return None
        if module.startswith(OURS):
            return room(module)
        back = back.f_back
    return None


def watching(walk: Walk) -> Callable[[FrameType, str, Any], None]:
    """Return a profiler's function that notes in a walk what it sees."""
    floor = floors()

    def watch(frame: FrameType, event: str, _: Any) -> None:
        module = str(frame.f_globals.get("__name__", ""))
        if event != "call" or not module.startswith(OURS):
            return
        here = room(module)
        if here == "testing" or not any(isinstance(v, CARRIERS) for v in in_hands(frame)):
            return
        walk.rooms.setdefault(here)
        there = caller(frame)
        if there is not None and floor[there] < floor[here]:
            called = f"{module}.{frame.f_code.co_qualname}"
            walk.climbs.setdefault((there, here), set()).add(called)

    return watch


def walked(runs: int = RUNS) -> Walk:
    """Return how the scenario went in rehearsed runs in which nothing outside fails."""
    walk = Walk()
    watch = watching(walk)

    async def plays(*args: Any, **named: Any) -> Any:
        sys.setprofile(watch)
        try:
            result, error = await play(*args, **named)
            markdown(result)
            html(result, Timeline.of(named["store"].facts(result.run)))
            return result, error
        finally:
            sys.setprofile(None)

    for seed in range(runs):
        calm = replace(draw(seed), failures=(), moments=(), theirs=0.0, interrupts=0)
        rehearse(seed, drawn=calm, parts=Parts(play=plays))
    return walk


def main() -> None:
    """Print the walk."""
    walk = walked(*map(int, sys.argv[1:2]))
    print(f"rooms: {', '.join(walk.rooms)}")
    print(f"climbs: {len(walk.climbs)}")
    for (low, high), called in sorted(walk.climbs.items()):
        print(f"  {low} → {high}: {', '.join(sorted(called))}")


if __name__ == "__main__":
    main()
