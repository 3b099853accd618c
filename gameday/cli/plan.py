"""``gameday plan``, and ``gameday run --dry-run``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING

import typer

from gameday.cli.output import print_json, print_table, say, say_refused
from gameday.errors import ExitCode

if TYPE_CHECKING:
    from gameday.house.run.asking import Asked
    from gameday.model.plan_record import PlanRecord, ReachRecord
    from gameday.settings import Settings

SHOWN = 5
"""Pods of a blast radius that a plan names; all of them are in its JSON."""

TARGET = typer.Option(None, "--target", help="Play on another target than the scenario names.")
CONTEXT = typer.Option(
    None, "--context", help="Context of the kubeconfig, for the target kubernetes."
)
REGION = typer.Option(None, "--region", help="Play in these regions instead of the scenario's.")
RESPONDER = typer.Option(None, "--responder", help="bot, human or none, instead of the scenario's.")
KEEP_HISTORY = typer.Option(
    False,
    "--keep-history",
    help="Let the bad minutes of an earlier drill count. Without it the sandbox forgets them.",
)
APPROVED_BY = typer.Option(
    None, "--approved-by", metavar="ROLE", help="Who approved it, where the programme asks."
)


def plan_command(
    scenario: str = typer.Argument(help="Path or name of a scenario."),
    target: str | None = TARGET,
    context: str | None = CONTEXT,
    region: list[str] | None = REGION,
    responder: str | None = RESPONDER,
    approved_by: str | None = APPROVED_BY,
    keep_history: bool = KEEP_HISTORY,
    json: bool = typer.Option(False, "--json", help="Print the plan as JSON."),
) -> int:
    """Say what a run would do, when the alert must fire, and how all of it is undone.

    Exit codes: 0 a run might begin now, 2 invalid file or usage, 3 it would be refused, 6 target
    unreachable.
    """
    from gameday.house.run.asking import ask_for
    from gameday.settings import Settings

    settings = Settings.from_environment()
    asked = ask_for(
        scenario,
        settings,
        target=target,
        context=context,
        regions=region or (),
        responder=responder,
        approved_by=approved_by,
        keeps_history=keep_history,
        on_progress=say,
    )
    return show_plan(asked, settings, json=json)


def show_plan(asked: Asked, settings: Settings, *, json: bool) -> int:
    """Print what a run would do, and tell every reason why it would be refused now."""
    from gameday.governance.admission import NotAdmitted
    from gameday.house.run.admission import would_enter
    from gameday.house.run.opening import open_store
    from gameday.house.run.planning import record_of

    with open_store(settings) as store:
        asked = replace(asked, run="plan")
        entered = asyncio.run(would_enter(asked, store=store, settings=settings))
    judged = entered if isinstance(entered, NotAdmitted) else entered.admitted
    planned = record_of(asked, judged)
    for notice in planned.notices:
        say(notice)
    if json:
        print_json(planned.to_json())
    elif judged.plan is not None:
        _print(planned, title=asked.story.scenario.metadata.title)
    if not planned.refusals:
        return int(ExitCode.PASSED)
    say_refused(planned.refusals)
    return int(ExitCode.REFUSED)


def _print(planned: PlanRecord, *, title: str) -> None:
    print(f"{title or planned.scenario}  ({planned.scenario})")
    print(
        f"on {planned.target}, time runs {planned.time_scale:g}× faster; "
        f"SLO {planned.slo} of {planned.service}; responder: {planned.responder}"
    )
    print(f"the fault should make {planned.error_ratio:.0%} of the requests bad\n")
    for fault, reach in zip_longest(planned.faults, planned.reaches):
        shown = ", ".join(f"{k}={v}" for k, v in fault.configuration.items())
        print(
            f"at {fault.at_seconds:g} s, at most {fault.duration_seconds:g} s: "
            f"{fault.experiment} ({shown})"
        )
        print(f"    undo: {fault.undo}  ·  `{fault.undo_command}`")
        if fault.recovers:
            print(f"    its recovery {fault.recovers}")
        for line in _reach(reach, fault.uncounted):
            print(f"    {line}")
    print()
    print_table(
        ("branch", "burn rate", "severity", "fires after", "resets after the fault"),
        [
            (
                f"{b.long}/{b.short}",
                b.burn_rate,
                b.severity,
                _seconds(b.detects_after_s),
                _seconds(b.resets_after_s),
            )
            for b in planned.branches
        ],
        empty="",
    )
    if planned.expects_alert and planned.unpredicted:
        print(f"\nwhen the alert must fire is unknown: {planned.unpredicted}")
    elif planned.expects_alert:
        print(
            f"\nthe alert must fire after {_seconds(planned.predicted_seconds)} "
            f"with full, clean windows; it is late after {_seconds(planned.due_seconds)}"
        )
    else:
        print("\nno alert is expected")


def _reach(reach: ReachRecord | None, uncounted: Sequence[str]) -> Iterator[str]:
    """Yield what a fault touches, and what of it nobody counts."""
    if reach is not None:
        pods = ", ".join(reach.pods[:SHOWN]) + (", …" if len(reach.pods) > SHOWN else "")
        yield f"touches {len(reach.pods)} of {reach.of} pods" + (f": {pods}" if pods else "")
    yield from uncounted


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"
