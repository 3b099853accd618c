"""A run that is asked for: which story, on which target, on whose word."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gameday.house.run.permission import programme_in_force
from gameday.house.run.stories import Story, read_story
from gameday.house.targets.choice import choose_target
from gameday.house.targets.open_system import NamedTarget
from gameday.settings import Settings


@dataclass(frozen=True, slots=True)
class Asked:
    """A run that is asked for.

    Attributes:
        story: what would be played.
        target: where.
        run: its id.
        approved_by: role that approved it, as the operator says; None: nobody.
        keeps_history: whether a target that could forget an earlier drill's bad minutes must not.
    """

    story: Story
    target: NamedTarget
    run: str
    approved_by: str | None = None
    keeps_history: bool = False


def ask_for(
    scenario: str,
    settings: Settings,
    *,
    target: str | None = None,
    context: str | None = None,
    regions: Sequence[str] = (),
    responder: str | None = None,
    approved_by: str | None = None,
    keeps_history: bool = False,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Asked:
    """Return the run of a scenario under a new id; nothing is opened yet.

    Args:
        scenario: path or name of a scenario.
        target: instead of the scenario's; likewise regions and responder.
        context: of the kubeconfig, for a cluster.
        keeps_history: see `Asked`.
        on_progress: told in a few words what opening the target waits for.

    Raises:
        SpecError: a file is wrong, with every problem of every file.
        UsageError: there is no such scenario, target, context or responder.
        DriverError: there is no such context, or the settings do not allow it.
    """
    story = read_story(scenario, target=target, responder=responder, regions=regions)
    chosen = choose_target(
        story.scenario,
        story.slo,
        story.system,
        context=context,
        settings=settings,
        programme=programme_in_force(story.scenario.path),
        on_progress=on_progress,
    )
    return Asked(story, chosen, new_run_id(datetime.now(UTC)), approved_by, keeps_history)


def new_run_id(now: datetime) -> str:
    """Return an id that sorts by time and can be typed: ``20261123-0812-5f3a``."""
    return f"{now:%Y%m%d-%H%M}-{secrets.token_hex(2)}"
