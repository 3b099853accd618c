"""``gameday prune``: the retention, now and by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from gameday.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from gameday.house.service.pruning import PruningOutcome


def prune(
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would go; delete nothing."),
    json: bool = typer.Option(False, "--json", help="Print it as JSON."),
) -> None:
    """Delete what the retention no longer keeps, as `gameday serve` does by itself.

    How long is said by GAMEDAY_RETENTION_INCIDENTS, GAMEDAY_RETENTION_RUNS and
    GAMEDAY_RETENTION_LINES. What is open, under way or not proven taken back stays. It may run
    while others use the store.
    """
    from gameday.drivers.clock import SystemClock
    from gameday.house.run.opening import open_store
    from gameday.house.service.dry_run import DryRun
    from gameday.house.service.pruning import Pruning, whole
    from gameday.settings import Settings

    settings = Settings.from_environment()
    with open_store(settings) as store:
        now = SystemClock().now()
        if dry_run:
            outcome = whole(Pruning(DryRun(store), settings, now=now, forget_file=lambda _: None))
        else:
            outcome = whole(Pruning(store, settings, now=now))
    if json:
        print_json({"dry_run": dry_run, **outcome.to_json()})
    else:
        _print(outcome, dry_run=dry_run)


def _print(outcome: PruningOutcome, *, dry_run: bool) -> None:
    print_table(
        ("would go" if dry_run else "went", "how many", "facts", "KiB", "from (UTC)", "to (UTC)"),
        [
            (
                tally.what,
                tally.count,
                tally.facts,
                round(tally.bytes / 1024),
                f"{tally.since:%Y-%m-%d %H:%M}" if tally.since else "",
                f"{tally.until:%Y-%m-%d %H:%M}" if tally.until else "",
            )
            for tally in outcome.tallies
            if tally.count or tally.facts
        ],
        empty="nothing is older than the retention, so nothing is pruned",
    )
    if outcome.lines:
        say(f"{outcome.lines} lines of what was pruned before went as well")
    for kept in outcome.kept:
        say(f"stays: {kept.what}: {kept.why}")
    if outcome.after is not None and not dry_run:
        before, after = (round(size.whole / 1024) for size in (outcome.before, outcome.after))
        say(f"the store was {before} KiB and is {after} KiB")
        if outcome.after.free and not outcome.after.shrinks:
            say(
                f"{round(outcome.after.free / 1024)} KiB of it are empty and will be filled first; "
                "with nothing else running, `sqlite3 FILE VACUUM` gives them back"
            )
