"""``gameday flywheel``: what many incidents teach that none of them teaches alone."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import typer

from gameday.cli.output import print_json, print_table, say
from gameday.legible import legible


def flywheel(
    paths: list[Path] = typer.Argument(
        metavar="PATH...",
        help="Incidents: CSV, JSON, logs in Markdown, folders of postmortems; files of exposure"
        " (dimension,value,amount).",
    ),
    map_: list[str] = typer.Option(
        [], "--map", metavar="FIELD=COLUMN", help="Which column holds what: began='Created at'."
    ),
    team: str = typer.Option("", metavar="NAME", help="Of this team's incidents only."),
    split: datetime | None = typer.Option(
        None, formats=["%Y-%m-%d"], help="Where before ends; else a year ago, or half way."
    ),
    months: int = typer.Option(12, min=1, max=60, help="So many months are shown."),
    html: Path | None = typer.Option(None, metavar="FILE", help="Draw it as a page as well."),
    json: bool = typer.Option(False, "--json", help="Print it as JSON."),
) -> int:
    """Say where the loop stands: how long incidents take, what they have in common, what returns.

    What is called a change or a pattern is beyond chance; beside it stands what this number of
    incidents could have shown at all.

    Exit codes: 0 it was said, 2 a path or a file cannot be read, 6 an extra is not installed.
    """
    from datetime import UTC

    from gameday.errors import UsageError
    from gameday.extras import Extra, require
    from gameday.house.flywheel.files import chronicle_of, read_files
    from gameday.imports.files import mapping_of
    from gameday.learning.flywheel.wheel import turned
    from gameday.report.flywheel import flywheel_html, headline, sections_of

    require(Extra.ANALYTICS)
    reading = read_files(paths, mapping_of(map_))
    for sentence in reading.unread:
        say(f"not read: {sentence}")
    chronicle = chronicle_of(reading, now=datetime.now(UTC))
    wheel = turned(
        chronicle,
        team=team,
        split=split.replace(tzinfo=UTC) if split else None,
        months=months,
    )
    if wheel is None:
        whose = f" of team {team!r}" if team else ""
        raise UsageError(f"there is no incident{whose} in {', '.join(str(p) for p in paths)}")
    if html is not None:
        try:
            html.write_text(flywheel_html(wheel), encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{str(html)!r} cannot be written: {error.strerror}") from error
    if json:
        print_json(wheel.to_json())
        return 0
    print(headline(wheel))
    for section in sections_of(wheel):
        print(f"\n{section.title}")
        if section.grid is not None:
            print_table(section.grid.columns, section.grid.rows, empty=section.empty)
        for sentence in section.sentences:
            print(legible(f"- {sentence}"))
        if section.grid is None and not section.sentences:
            print(section.empty)
        if section.note:
            print(section.note)
    return 0
