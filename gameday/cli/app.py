"""All commands in one tree, and what an error means to the shell."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import typer

from gameday.cli import (
    actions,
    faults,
    files,
    incident,
    orders,
    postmortem,
    programme,
    runbooks,
    runs,
    sandbox,
    slos,
    token,
)
from gameday.cli.crash import crashed
from gameday.cli.doctor import doctor
from gameday.cli.flywheel import flywheel
from gameday.cli.init import init
from gameday.cli.output import Unwritable, lasting_streams
from gameday.cli.plan import plan_command
from gameday.cli.play import run_command
from gameday.cli.prune import prune
from gameday.cli.serve import serve
from gameday.cli.settings import settings
from gameday.cli.verdicts import EXIT_CODES
from gameday.errors import ExitCode, GamedayError
from gameday.extras import explained

# Newer versions of Typer carry a click of their own, older ones use the installed one; this is
# the root of what either raises for a wrong command line.
USAGE_ERROR: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")

app = typer.Typer(
    name="gameday",
    help=(
        "Fire drills for a production system and the people on call.\n\n"
        "Start with `gameday run scenarios/slow-db.yaml`; on a system of your own with `gameday"
        " init`.\n\n"
        f"Exit codes: {EXIT_CODES}."
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("run")(run_command)
app.command("plan")(plan_command)
app.command("validate")(files.validate)
app.command("schema")(files.schema)
app.command("faults")(faults.faults)
app.command("runs")(runs.runs)
app.command("show")(runs.show)
app.command("score")(runs.score)
app.command("report")(runs.report)
app.command("recover")(runs.recover)
app.command("abort")(orders.abort)
app.command("stop")(orders.stop)
app.command("mitigate")(incident.mitigate)
app.command("serve")(serve)
app.command("prune")(prune)
app.command("settings")(settings)
app.command("init")(init)
app.command("doctor")(doctor)
app.add_typer(actions.app, name="actions")
app.command("flywheel")(flywheel)
app.add_typer(incident.app, name="incident")
app.add_typer(postmortem.app, name="postmortem")
app.add_typer(programme.app, name="programme")
app.add_typer(runbooks.app, name="runbooks")
app.add_typer(sandbox.app, name="sandbox")
app.add_typer(slos.app, name="slo")
app.add_typer(token.app, name="token")


@app.callback(invoke_without_command=True)
def _top(
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> None:
    if version:
        from gameday import __version__

        print(f"gameday {__version__}")
        raise typer.Exit


def run(arguments: Sequence[str]) -> int:
    """Run the command line; return the exit code. No traceback reaches the user."""
    try:
        with lasting_streams():
            return _run(arguments)
    except Unwritable as error:  # with the last of it
        with suppress(OSError):
            print(f"gameday: {error}", file=sys.stderr)
        return int(error.exit_code)


def _run(arguments: Sequence[str]) -> int:
    try:
        outcome = app(args=list(arguments), standalone_mode=False)
    except GamedayError as error:
        print(f"gameday: {error}", file=sys.stderr)
        return int(error.exit_code)
    except typer.Abort:
        print("interrupted", file=sys.stderr)
        return int(ExitCode.INTERRUPTED)
    except USAGE_ERROR as error:
        error.show()
        return int(ExitCode.USAGE)
    except ModuleNotFoundError as error:
        if (missing := explained(error)) is None:
            return crashed(error, arguments)
        print(f"gameday: {missing}", file=sys.stderr)
        return int(missing.exit_code)
    except Exception as defect:  # noqa: BLE001 - a crash has a code of its own, and is told in words
        return crashed(defect, arguments)
    return int(outcome) if isinstance(outcome, int) else int(ExitCode.PASSED)
