"""``gameday abort`` and ``gameday stop``: ending drills from outside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from gameday.cli.output import print_json, print_table, say
from gameday.errors import UsageError

if TYPE_CHECKING:
    from gameday.ports import Store
    from gameday.settings import Settings


def abort(
    run: str | None = typer.Argument(None, help="Run id or its beginning; else the one going on."),
    reason: str = typer.Option("", "--reason", help="Why; kept on the run's record."),
    wait: bool = typer.Option(True, "--wait/--no-wait", help="Wait until all is recovered."),
    json: bool = typer.Option(False, "--json", help="Print the outcome as JSON."),
) -> int:
    """Abort a run: every fault is recovered at once and proven gone.

    Exit codes: 0 aborted and recovered, 5 something is still in place.
    """
    from gameday.house.run.opening import open_store
    from gameday.house.run.orders import abort as order
    from gameday.settings import Settings

    settings = Settings.from_environment()
    with open_store(settings) as store:
        runs = order(store, settings, run, reason=reason)
        return _outcome(store, settings, runs, wait=wait, json=json)


def stop(
    reason: str = typer.Argument("", help="Why; shown to whoever wants to start a run."),
    lift: bool = typer.Option(False, "--lift", help="Let runs begin again."),
    status: bool = typer.Option(False, "--status", help="Only say whether a stop is in force."),
    wait: bool = typer.Option(True, "--wait/--no-wait", help="Wait until all is recovered."),
    json: bool = typer.Option(False, "--json", help="Print the outcome as JSON."),
) -> int:
    """Stop all drills: those going on are aborted and recovered, and none begins until --lift."""
    from gameday.house.run.opening import open_store
    from gameday.house.run.orders import lift_stop, stopped
    from gameday.house.run.orders import stop as order
    from gameday.settings import Settings

    if lift and (status or reason):
        raise UsageError("--lift goes alone: it takes neither a reason nor --status")
    settings = Settings.from_environment()
    with open_store(settings) as store:
        if lift:
            say("runs may begin again" if lift_stop(store) else "no stop was in force")
            return 0
        if status:
            found = stopped(store)
            if json:
                given = found.given_at.isoformat() if found else None
                print_json(
                    {
                        "stopped": found is not None,
                        "by": found.by if found else None,
                        "reason": found.reason if found else None,
                        "since": given,
                    }
                )
            elif found is None:
                print("no stop is in force")
            else:
                why = f": {found.reason}" if found.reason else ""
                print(f"stopped since {found.given_at:%Y-%m-%d %H:%M} UTC by {found.by}{why}")
            return 0
        runs = order(store, settings, reason=reason)
        say("no run may begin until `gameday stop --lift`")
        return _outcome(store, settings, runs, wait=wait, json=json)


def _outcome(
    store: Store, settings: Settings, runs: Sequence[str], *, wait: bool, json: bool
) -> int:
    from gameday.house.run.orders import await_end

    ended = (
        await_end(store, settings, runs, on_wait=say) if wait else dict.fromkeys(runs, "ordered")
    )
    left = [undo for run in runs for undo in store.open_undos(run)] if wait else []
    if json:
        print_json(
            {
                "runs": [{"run": run, "outcome": ended[run]} for run in runs],
                "open": [{"description": u.description, "command": u.command} for u in left],
            }
        )
    else:
        rows = [(run, _words(ended[run])) for run in runs]
        print_table(("run", "outcome"), rows, empty="no run was going on")
        for undo in left:
            say(f"still in place: {undo.description}. Recover it: `{undo.command}`")
    return 5 if left else 0


def _words(outcome: str) -> str:
    match outcome:
        case "gone":
            return "its process is gone, and nobody gave it an end; `gameday recover` does"
        case "going on":
            return "no end yet; `gameday recover` takes back what it left"
        case _:
            return outcome
