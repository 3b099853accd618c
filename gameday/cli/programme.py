"""``gameday programme``: when and where game days may be played."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from gameday.cli.output import print_json, say
from gameday.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from gameday.governance.permission import Permission
    from gameday.model.programme import Programme

app = typer.Typer(
    help="When and where game days may be played (programme.yaml).",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _programme() -> None:
    """Keep `check` a command of its own: with a single one, Typer would take its place."""


@app.command()
def check(
    scenario: str | None = typer.Argument(
        None, help="Path or name of a scenario: gives target, regions and SLO."
    ),
    target: str | None = typer.Option(
        None, "--target", help="sandbox, or kubernetes/CONTEXT; all of the programme by default."
    ),
    region: list[str] | None = typer.Option(
        None, "--region", help="Region the run would touch; all by default."
    ),
    at: str | None = typer.Option(
        None, "--at", help="Another instant than now, as 2026-12-24T18:00:00+01:00."
    ),
    approved_by: str | None = typer.Option(
        None, "--approved-by", help="Role that approves the run."
    ),
    slo: list[str] | None = typer.Option(
        None, "--slo", help="SLO whose error budget the run would spend; that of the scenario."
    ),
    prometheus: str | None = typer.Option(
        None, "--prometheus", help="URL of the Prometheus that counts; the sandbox's if it is up."
    ),
    json: bool = typer.Option(False, "--json", help="Print the answer as JSON."),
) -> int:
    """Say whether a run may start, and if not, every reason and what to do about it.

    Exit codes: 0 it may (on every target asked for), 2 invalid file or usage, 3 it may not.
    """
    from pathlib import Path

    from gameday.governance.permission import Start
    from gameday.house.run.permission import ask, counted_for, programme_in_force
    from gameday.house.run.stories import read_story
    from gameday.house.slos.catalogue import find_slo

    story = read_story(scenario) if scenario is not None else None
    path: Path | None = story.scenario.path if story is not None else None
    programme = programme_in_force(path)
    slos = [find_slo(id) for id in slo or ()] or ([story.slo] if story is not None else [])
    regions = tuple(region or (story.scenario.spec.regions if story is not None else ()))
    named = target or (str(story.scenario.spec.target) if story is not None else None)
    instant = datetime.now(UTC) if at is None else _instant(at)

    async def answers() -> list[Permission]:
        return [
            await ask(
                programme,
                Start(name, regions, instant, approved_by),
                # What was left then, or will be, nobody can ask Prometheus now.
                slos if at is None else [],
                counted=counted_for(name, prometheus=prometheus),
            )
            for name in _targets(programme, named)
        ]

    found = asyncio.run(answers())
    may_start = all(permission.may_start for permission in found)
    if json:
        print_json(
            {
                "programme": str(programme.path) if programme is not None else None,
                "at": instant.isoformat(),
                "may_start": may_start,
                "targets": [permission.to_json() for permission in found],
            }
        )
    else:
        if programme is None:
            say("there is no programme.yaml here, so nothing is refused by it")
        for permission in found:
            _print(permission)
    if programme is not None and not (slos and at is None):
        say("no error budget was asked for: name a scenario or --slo, and leave --at out")
    return int(ExitCode.PASSED if may_start else ExitCode.REFUSED)


def _print(permission: Permission) -> None:
    verdict = "may start" if permission.may_start else "may not start"
    print(f"{permission.start.target}: a run {verdict}")
    for refusal in permission.refusals:
        print(f"  {refusal.ground}: {refusal}")
    for notice in permission.notices:
        print(f"  notice: {notice}")


def _targets(programme: Programme | None, named: str | None) -> list[str]:
    from gameday.model.programme import KINDS
    from gameday.spec import did_you_mean

    if named is not None:
        if named.partition("/")[0] not in KINDS:
            hint = did_you_mean(named, KINDS, what="targets")
            raise UsageError(f"there is no target {named!r} ({hint})")
        return [named]
    return list(programme.spec.targets if programme is not None else ()) or list(KINDS)


def _instant(text: str) -> datetime:
    from gameday.model.calendar import moment
    from gameday.quantity import QuantityError

    try:
        found = moment(text)
    except QuantityError as error:
        raise UsageError(f"--at: {error.message} ({error.hint})") from error
    if not isinstance(found, datetime) or found.tzinfo is None:
        raise UsageError(
            f"--at: {text!r} is no instant: add a time and its offset, as 2026-12-24T18:00:00Z"
        )
    return found.astimezone(UTC)
