"""``gameday runbooks``: what lets their readers down, before somebody reads them at night."""

from __future__ import annotations

from pathlib import Path

import typer

from gameday.cli.output import counted, print_json, say
from gameday.legible import legible

app = typer.Typer(help="Runbooks: what in them would let a reader down.", no_args_is_help=True)

FOLDER = Path("runbooks")
"""Where runbooks are, unless a command is told."""


@app.callback()
def _runbooks() -> None:
    """Keep `lint` a command of its own while it is the only one."""


@app.command()
def lint(
    paths: list[Path] = typer.Argument(
        None, metavar="[PATH]...", help="Runbooks, rule files, folders of them; else runbooks/."
    ),
    prometheus: str = typer.Option(
        "", metavar="URL", help="Prometheus that should have the metrics of their queries."
    ),
    system: str = typer.Option("", metavar="NAME", help="The same, as this system's file has it."),
    json: bool = typer.Option(False, "--json", help="Print the flaws as JSON."),
) -> int:
    """Say what in runbooks would let a reader down, with file, line and what to do.

    Exit codes: 0 nothing, 1 flaws, 2 a path is not there, 6 Prometheus does not answer.
    """
    import asyncio
    from dataclasses import asdict
    from datetime import UTC, datetime

    from gameday.drivers.bash import Bash
    from gameday.house.runbooks.linting import Linted, linted
    from gameday.house.runbooks.prometheus import prometheus_asked
    from gameday.house.runbooks.shelf import Shelf, shelf_of

    async def looked(shelf: Shelf) -> Linted:
        asked = await prometheus_asked(prometheus, system)
        today = datetime.now(UTC).date()
        return await linted(shelf, today=today, bash=Bash(), prometheus=asked)

    shelf = shelf_of(paths or [FOLDER])
    found = asyncio.run(looked(shelf))
    if json:
        print_json(
            {
                "runbooks": len(shelf.pages),
                "rules": len(shelf.rules),
                "flaws": [asdict(flaw) for flaw in found.flaws],
                "unseen": found.unseen,
            }
        )
        return 1 if found.flaws else 0
    for flaw in found.flaws:
        print(legible(str(flaw)))
    for sentence in found.unseen:
        say(f"not looked at: {sentence}")
    what = counted(len(shelf.pages), "runbook")
    if shelf.rules:
        what += f", {counted(len(shelf.rules), 'alerting rule')}"
    say(f"{what}, {counted(len(found.flaws), 'flaw')}")
    return 1 if found.flaws else 0
