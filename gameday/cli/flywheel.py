"""``gameday flywheel``: what many incidents teach that none of them teaches alone."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from gameday.cli.output import print_json, print_table, say
from gameday.legible import legible

if TYPE_CHECKING:
    from gameday.model.flywheel import PlayedDrill
    from gameday.model.past_incident import Chronicle


def flywheel(
    paths: list[Path] = typer.Argument(
        None,
        metavar="[PATH]...",
        help="Incidents of others: CSV, JSON, logs in Markdown, folders of postmortems; files of"
        " exposure (dimension,value,amount). Without any: the store's, ours and those kept.",
    ),
    map_: list[str] = typer.Option(
        [], "--map", metavar="FIELD=COLUMN", help="Which column holds what: began='Created at'."
    ),
    keep_: bool = typer.Option(
        False, "--keep", help="Take what is read into the store, and show it with all the rest."
    ),
    team: str = typer.Option("", metavar="NAME", help="Of this team's incidents only."),
    split: datetime | None = typer.Option(
        None, formats=["%Y-%m-%d"], help="Where before ends; else a year ago, or half way."
    ),
    months: int = typer.Option(12, min=1, max=60, help="So many months are shown."),
    review: datetime | None = typer.Option(
        None,
        formats=["%Y-%m"],
        metavar="YYYY-MM",
        help="Print this month's review of each team instead, or of --team: a page of Markdown.",
    ),
    zone: str = typer.Option(
        "UTC", metavar="NAME", help="With --review: whose hours are meant, as Europe/Berlin."
    ),
    html: Path | None = typer.Option(None, metavar="FILE", help="Draw it as a page as well."),
    json: bool = typer.Option(False, "--json", help="Print it as JSON."),
) -> int:
    """Say where the loop stands: how long incidents take, what they have in common, what returns.

    What is called a change or a pattern is beyond chance; beside it stands what this number of
    incidents could have shown at all.

    Exit codes: 0 it was said, 2 a file cannot be read, 6 an extra or the store is not there.
    """
    from datetime import UTC

    from gameday.errors import UsageError
    from gameday.extras import Extra, require
    from gameday.learning.flywheel.wheel import turned
    from gameday.report.flywheel import flywheel_html, headline, sections_of

    require(Extra.ANALYTICS)
    if keep_ and not paths:
        raise UsageError("--keep takes files into the store: name them")
    with _unswept():
        chronicle, drills = _known(paths or [], map_, is_kept=keep_, now=datetime.now(UTC))
    if review is not None:
        return _reviewed(chronicle, team=team, month=review, zone=zone, json=json)
    wheel = turned(
        chronicle,
        drills=drills,
        team=team,
        split=split.replace(tzinfo=UTC) if split else None,
        months=months,
    )
    if wheel is None:
        whose = f" of team {team!r}" if team else ""
        where = ", ".join(str(path) for path in paths or ()) or "the store"
        raise UsageError(f"there is no incident{whose} in {where}; give files of others' as PATH")
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


def _reviewed(chronicle: Chronicle, *, team: str, month: datetime, zone: str, json: bool) -> int:
    """Print a month of one team, or of each."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from gameday.errors import UsageError
    from gameday.learning.flywheel.review import review_of, teams_in
    from gameday.report.monthly_review import review_markdown

    try:
        where = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise UsageError(f"{zone!r} is no time zone; write for example Europe/Berlin") from error
    teams = teams_in(chronicle)
    if team and team not in teams:
        known = f"; teams are {', '.join(teams)}" if teams else ""
        raise UsageError(f"there is no incident of team {team!r}{known}")
    if not teams:
        raise UsageError("no incident says whose it is: give a column `team`, or label alerts")
    reviews = [
        review_of(chronicle, team=name, month=month.date(), zone=where)
        for name in ([team] if team else teams)
    ]
    if json:
        print_json([one.to_json() for one in reviews])
    else:
        print("\n".join(review_markdown(one) for one in reviews), end="")
    return 0


def _known(
    paths: Sequence[Path], mapping: Sequence[str], *, is_kept: bool, now: datetime
) -> tuple[Chronicle, Sequence[PlayedDrill]]:
    """Return what files say, or what the store does, with its game days."""
    histories = None
    if paths:  # late: what reads files of others takes as long to load as a large store to read
        from gameday.house.flywheel.files import chronicle_of, read_files
        from gameday.imports.files import mapping_of

        histories = read_files(paths, mapping_of(mapping))
        for sentence in histories.unread:
            say(f"not read: {sentence}")
        if not is_kept:
            return chronicle_of(histories, now=now), ()
    from gameday.house.flywheel.keeping import drills_of, keep, refresh
    from gameday.house.run.opening import open_store

    with open_store() as store:
        if histories is not None:
            keep(store, histories)
        refresh(store, now=now)
        return store.chronicle(as_of=now), drills_of(store, now=now)


@contextmanager
def _unswept() -> Iterator[None]:
    """Leave what is read alone: all of it is held, and looking for what can go is time lost."""
    was_swept = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_swept:
            gc.enable()
