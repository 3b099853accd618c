"""``gameday run`` and ``gameday plan``."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from gameday.cli.output import print_json, print_table, say
from gameday.errors import ExitCode, GamedayError, PlanRefused, UsageError
from scoring.verdict import RunVerdict

if TYPE_CHECKING:
    from gameday.house.run.stories import Story
    from gameday.house.targets.open_system import OpenSystem
    from gameday.model.plan_record import ReachRecord
    from gameday.model.result import RunResult
    from gameday.ports import Pager, Store

VERDICT_CODES = {
    RunVerdict.PASSED: ExitCode.PASSED,
    RunVerdict.MISSED: ExitCode.MISSED,
    RunVerdict.UNKNOWN: ExitCode.MISSED,
    RunVerdict.REFUSED: ExitCode.REFUSED,
    RunVerdict.ABORTED: ExitCode.ABORTED,
    RunVerdict.FAILED: ExitCode.UNREACHABLE,
}

SHOWN = 5
"""Pods of a blast radius that a plan names; all of them are in its JSON."""

TARGET = typer.Option(None, "--target", help="Play on another target than the scenario names.")
CONTEXT = typer.Option(
    None, "--context", help="Context of the kubeconfig, for the target kubernetes."
)
REGION = typer.Option(None, "--region", help="Play in these regions instead of the scenario's.")


def run_command(
    scenario: str = typer.Argument(help="Path or name of a scenario."),
    target: str | None = TARGET,
    context: str | None = CONTEXT,
    region: list[str] | None = REGION,
    responder: str | None = typer.Option(
        None, "--responder", help="bot, human or none, instead of the scenario's."
    ),
    pager: str | None = typer.Option(
        None,
        "--pager",
        metavar="PAGER",
        help="What calls the on-call: pagerduty, slack or webhook, as the settings' [drill_pager] "
        "says, or console for nothing else. Without it: whichever is set up.",
    ),
    json: bool = typer.Option(False, "--json", help="Print the result as one JSON object."),
    report: Path | None = typer.Option(
        None, "--report", help="Write scorecard, postmortem draft and patches into this folder."
    ),
    junit: Path | None = typer.Option(None, "--junit", help="Write a JUnit file for CI."),
    approved_by: str | None = typer.Option(
        None, "--approved-by", metavar="ROLE", help="Who approved it, where the programme asks."
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="Plan only; inject nothing."),
    yes: bool = typer.Option(False, "--yes", help="Do not ask before injecting."),
    open_: bool = typer.Option(
        False, "--open", help="Open the on-call's console in this machine's browser."
    ),
) -> int:
    """Play a game day and score it.

    Exit codes: 0 passed, 1 missed or unknown, 2 invalid file or usage, 3 refused, 4 aborted and
    recovered, 5 recovery incomplete, 6 target unreachable, 130 interrupted and recovered.
    """
    if dry_run:
        return plan_command(scenario, target=target, context=context, region=region, json=json)
    from gameday.cli.runs import say_ended
    from gameday.drivers.clock import SystemClock
    from gameday.house.run.endings import end_left_behind
    from gameday.house.run.opening import only_run, open_store
    from gameday.house.run.orders import refuse_if_stopped
    from gameday.house.run.recover import refuse_over_leftovers, refuse_over_strays
    from gameday.house.service.pagers import drill_pager
    from gameday.settings import Settings

    story = _story(scenario, target=target, region=region, responder=responder)
    settings = Settings.from_environment()
    name, open_system = _target(story, context)
    tool = drill_pager(SystemClock(), settings, pager)
    with open_store(settings) as store:
        say_ended(end_left_behind(store, settings))
    with only_run(settings, name), open_store(settings) as store:
        refuse_if_stopped(store)
        refuse_over_leftovers(store, name)
        system = open_system()
        asyncio.run(refuse_over_strays(system))
        permission = _permission(story, system, approved_by)
        result, error, interrupted = _play(
            story, system, store, settings, permission, tool=tool, opens=open_
        )
        if report is not None and result is not None:
            from gameday.house.run.reports import write_reports

            for path in write_reports(store, result.run, report):
                say(f"wrote {path}")
        if junit is not None and result is not None:
            from gameday.report.scorecard import junit as junit_of

            junit.parent.mkdir(parents=True, exist_ok=True)
            junit.write_text(junit_of(result), encoding="utf-8")
    if result is not None:
        if json:
            print_json(result.to_json())
        elif not interrupted and not isinstance(error, PlanRefused):
            from gameday.cli.runs import print_result

            print_result(result)
    if error is not None:
        say(f"gameday: {error}")
    return _exit_code(result, error, interrupted)


def _exit_code(result: RunResult | None, error: GamedayError | None, interrupted: bool) -> int:
    if result is not None and result.recovery.open:
        return int(ExitCode.RECOVERY_INCOMPLETE)
    if interrupted:
        return int(ExitCode.INTERRUPTED)
    if error is not None:
        return int(error.exit_code)
    return int(VERDICT_CODES[result.verdict] if result is not None else ExitCode.UNREACHABLE)


def plan_command(
    scenario: str = typer.Argument(help="Path or name of a scenario."),
    target: str | None = TARGET,
    context: str | None = CONTEXT,
    region: list[str] | None = REGION,
    json: bool = typer.Option(False, "--json", help="Print the plan as JSON."),
) -> int:
    """Say what a run would do, when the alert must fire, and how all of it is undone."""
    from gameday.house.run.alert_routing import paged_past_gameday, routing_of
    from gameday.house.run.planning import make_plan
    from gameday.settings import Settings

    story = _story(scenario, target=target, region=region, responder=None)
    system = _target(story, context)[1]()
    planned = asyncio.run(make_plan(story, system, run="plan")).record()
    notices = asyncio.run(
        paged_past_gameday(story.slo, routing_of(Settings.from_environment().tools))
    )
    planned = replace(planned, notices=tuple(notices))
    for notice in notices:
        say(notice)
    if json:
        print_json(planned.to_json())
        return 0
    print(f"{story.scenario.metadata.title or planned.scenario}  ({planned.scenario})")
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
    if planned.expects_alert:
        print(
            f"\nthe alert must fire after {_seconds(planned.predicted_seconds)} "
            f"with full, clean windows; it is late after {_seconds(planned.due_seconds)}"
        )
    else:
        print("\nno alert is expected")
    return 0


def _reach(reach: ReachRecord | None, uncounted: Sequence[str]) -> Iterator[str]:
    """Yield what a fault touches, and what of it nobody counts."""
    if reach is not None:
        pods = ", ".join(reach.pods[:SHOWN]) + (", …" if len(reach.pods) > SHOWN else "")
        yield f"touches {len(reach.pods)} of {reach.of} pods" + (f": {pods}" if pods else "")
    yield from uncounted


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"


def _story(
    argument: str, *, target: str | None, region: list[str] | None, responder: str | None
) -> Story:
    from json import dumps

    from gameday.house.run.judgement import overridden
    from gameday.house.run.stories import read_story

    story = read_story(argument)
    asked = {"target": target, "responder": responder, "regions": region}
    changes = {name: value for name, value in asked.items() if value}
    if not changes:
        return story
    return replace(
        story,
        scenario=overridden(story.scenario, changes),
        documents=replace(story.documents, overrides=dumps(changes)),
    )


def _target(story: Story, context: str | None) -> tuple[str, Callable[[], OpenSystem]]:
    """Return what the target is called, and what opens it."""
    from gameday.house.run.misfits import refuse_misfits
    from gameday.model.scenario import TargetKind

    kind = story.scenario.spec.target
    refuse_misfits(story)
    if kind is TargetKind.KUBERNETES:
        return _cluster(story, context)
    if kind is not TargetKind.SANDBOX:
        raise UsageError(f"target {str(kind)!r} is not supported yet; use sandbox or kubernetes")
    if context is not None:
        raise UsageError("--context is for the target kubernetes; add `--target kubernetes`")
    from gameday.house.targets.sandbox import open_sandbox, sandbox_system

    return str(kind), lambda: sandbox_system(open_sandbox(reload_rules=False, on_progress=say))


def _cluster(story: Story, context: str | None) -> tuple[str, Callable[[], OpenSystem]]:
    import os

    from gameday.house.run.permission import programme_in_force
    from gameday.house.targets.cluster import cluster_system, place_of
    from gameday.settings import Settings

    place = place_of(story.scenario, context=context, environment=os.environ)

    def open_system() -> OpenSystem:
        return cluster_system(
            place,
            programme=programme_in_force(story.scenario.path),
            settings=Settings.from_environment(),
        )

    return place.target, open_system


def _permission(story: Story, system: OpenSystem, approved_by: str | None) -> Mapping[str, Any]:
    """Ask the programme; say what should be known, and refuse with every reason."""
    from datetime import UTC, datetime

    from gameday.house.run.permission import permission
    from gameday.model.scenario import TargetKind

    given = asyncio.run(permission(story, system, now=datetime.now(UTC), approved_by=approved_by))
    # Nobody's budget is at stake on the embedded sandbox; what is noticed there is only recorded.
    for notice in () if story.scenario.spec.target is TargetKind.SANDBOX else given.notices:
        say(notice)
    given.require()
    return given.to_json()


def _play(
    story: Story,
    system: OpenSystem,
    store: Any,
    settings: Any,
    permission: Mapping[str, Any],
    *,
    tool: Pager | None,
    opens: bool,
) -> tuple[RunResult | None, GamedayError | None, bool]:
    """Play in an event loop whose interruption is a cancellation; return what came of it."""
    from datetime import UTC, datetime

    from gameday.cli.door import ToldDoor, door_of
    from gameday.cli.live import LiveView
    from gameday.house.run.play import new_run_id, play

    run = new_run_id(datetime.now(UTC).strftime("%Y%m%d-%H%M"))
    view = LiveView(run, story) if sys.stderr.isatty() else None
    told = view.follow if view else _tell

    async def main() -> tuple[RunResult, GamedayError | None]:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def stop() -> None:
            task.cancel()
            say("stopping: recovering every fault first …")

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # `nohup gameday run …` means to outlive its terminal.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                loop.add_signal_handler(number, stop)
        with view or nullcontext(), closing(door_of(run, system, store, settings)) as door:
            return await play(
                story,
                system,
                store=store,
                settings=settings,
                door=ToldDoor(door, story, opens=opens),
                tool=tool,
                run=run,
                on_plan=told,
                permission=permission,
            )

    try:
        result, error = asyncio.run(main())
    except asyncio.CancelledError:
        # The loop gave the signal back; an impatient second Ctrl-C has nothing left to stop.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return _stored(store, run), None, True
    return result, error, False


def _stored(store: Store, run: str) -> RunResult | None:
    """Return the result of an interrupted run; None where it had not even begun."""
    try:
        return store.result(run)
    except UsageError:
        return None


def _tell(plan: Any, ledger: Any, _conductor: Any) -> None:
    """Say one line per fact that matters, for logs and CI."""
    from gameday.report.progress import sentence

    say(f"run {plan.run}: {plan.scenario.metadata.name} on {plan.target.name}")

    def listen(fact: Any) -> None:
        words = sentence(fact)
        if words:
            say(f"{fact.happened_at:%H:%M:%S} {words}")

    ledger.listen(listen)
