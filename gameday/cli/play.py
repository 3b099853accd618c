"""``gameday run``."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from gameday.cli.crash import crashed
from gameday.cli.output import print_json, say, say_refused
from gameday.cli.plan import (
    APPROVED_BY,
    CONTEXT,
    KEEP_HISTORY,
    REGION,
    RESPONDER,
    TARGET,
    show_plan,
)
from gameday.cli.verdicts import code_of
from gameday.errors import ExitCode, GamedayError, PlanRefused

if TYPE_CHECKING:
    from gameday.house.run.asking import Asked
    from gameday.house.run.drill import Door
    from gameday.house.targets.open_system import OpenSystem
    from gameday.model.result import RunResult
    from gameday.ports import Pager, Store
    from gameday.settings import Settings


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a run.

    Attributes:
        result: its result; None: it has none, for it had not begun.
        error: what ended it early, in words.
        defect: what ended it that nobody thought of.
        is_interrupted: whether somebody stopped this process.
    """

    result: RunResult | None
    error: GamedayError | None = None
    defect: Exception | None = None
    is_interrupted: bool = False

    @property
    def exit_code(self) -> int:
        """What the shell hears: first what is still in place, then what ended the run early."""
        if self.result is not None and self.result.recovery.open:
            return int(ExitCode.RECOVERY_INCOMPLETE)
        if self.defect is not None:
            return int(ExitCode.CRASHED)
        if self.is_interrupted:
            return int(ExitCode.INTERRUPTED)
        if self.error is not None:
            return int(self.error.exit_code)
        return int(code_of(self.result) if self.result is not None else ExitCode.UNREACHABLE)


def run_command(
    scenario: str = typer.Argument(help="Path or name of a scenario."),
    target: str | None = TARGET,
    context: str | None = CONTEXT,
    region: list[str] | None = REGION,
    responder: str | None = RESPONDER,
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
    approved_by: str | None = APPROVED_BY,
    keep_history: bool = KEEP_HISTORY,
    dry_run: bool = typer.Option(False, "--dry-run", help="Plan only; inject nothing."),
    yes: bool = typer.Option(False, "--yes", help="Do not ask before injecting."),
    open_: bool = typer.Option(
        False, "--open", help="Open the on-call's console in this machine's browser."
    ),
) -> int:
    """Play a game day and score it.

    Exit codes: 0 passed, 1 missed or unknown, 2 invalid file or usage, 3 refused, 4 aborted and
    recovered, 5 recovery incomplete, 6 target unreachable, 70 a mistake in gameday ended it, 130
    interrupted and recovered.
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
    if dry_run:
        return show_plan(asked, settings, json=json)
    from gameday.cli.actions import say_learned
    from gameday.cli.runs import print_result, say_ended
    from gameday.drivers.clock import SystemClock
    from gameday.house.run.endings import end_left_behind
    from gameday.house.run.opening import open_store
    from gameday.house.service.pagers import drill_pager

    tool = drill_pager(SystemClock(), settings, pager)
    with open_store(settings) as store:
        say_ended(end_left_behind(store, settings))
        played = _play(asked, store, settings, tool=tool, opens=open_)
        result, error = played.result, played.error
        if result is not None and result.run:
            say_learned(store)
        if report is not None and result is not None and result.run:
            from gameday.house.run.reports import write_reports

            for path in write_reports(store, result.run, report):
                say(f"wrote {path}")
    if junit is not None and result is not None and result.run:
        from gameday.report.scorecard import junit as junit_of

        junit.parent.mkdir(parents=True, exist_ok=True)
        junit.write_text(junit_of(result), encoding="utf-8")
    if result is not None:
        if json:
            print_json(result.to_json())
        elif not played.is_interrupted and not isinstance(error, PlanRefused):
            print_result(result)
    if isinstance(error, PlanRefused):
        say_refused(error.refusals)
    elif error is not None:
        say(f"gameday: {error}")
    if played.defect is not None:
        crashed(played.defect, ["run"])
    return played.exit_code


def _play(
    asked: Asked, store: Store, settings: Settings, *, tool: Pager | None, opens: bool
) -> Played:
    """Play in an event loop whose interruption is a cancellation; return what came of it."""
    from gameday.cli.door import ToldDoor, door_of
    from gameday.cli.live import LiveView
    from gameday.house.run.running import run_story

    @contextmanager
    def opened(system: OpenSystem) -> Iterator[Door]:
        with closing(door_of(asked.run, system, store, settings)) as door:
            yield ToldDoor(door, asked.story, opens=opens)

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
        with ExitStack() as shown:

            def told(plan: Any, ledger: Any, conductor: Any) -> None:
                if sys.stderr.isatty():
                    view = shown.enter_context(LiveView(asked.run, asked.story))
                    view.follow(plan, ledger, conductor)
                else:
                    _tell(plan, ledger)

            return await run_story(
                asked,
                store=store,
                settings=settings,
                door=opened,
                tool=tool,
                on_plan=told,
                on_notices=_say_all,
            )

    try:
        result, error = asyncio.run(main())
    except asyncio.CancelledError:
        # The loop gave the signal back; an impatient second Ctrl-C has nothing left to stop.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return Played(_stored(store, asked.run), is_interrupted=True)
    except GamedayError:
        raise
    except Exception as defect:  # noqa: BLE001 - the run has its end, and that is shown first
        return Played(_stored(store, asked.run), defect=defect)
    return Played(result, error)


def _say_all(notices: Sequence[str]) -> None:
    for notice in notices:
        say(notice)


def _stored(store: Store, run: str) -> RunResult | None:
    """Return the result of a run that broke off; None where it has none, or none can be read."""
    try:
        return store.result(run)
    except GamedayError:
        return None


def _tell(plan: Any, ledger: Any) -> None:
    """Say one line per fact that matters, for logs and CI."""
    from gameday.report.progress import sentence

    say(f"run {plan.run}: {plan.scenario.metadata.name} on {plan.target.name}")

    def listen(fact: Any) -> None:
        words = sentence(fact)
        if words:
            say(f"{fact.happened_at:%H:%M:%S} {words}")

    ledger.listen(listen)
