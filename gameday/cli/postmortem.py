"""``gameday postmortem``: drafted from facts, finished by people, read before others read it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from gameday.cli.output import counted, print_json, print_table, say
from gameday.errors import Refused, UsageError
from gameday.legible import legible

if TYPE_CHECKING:
    from datetime import datetime

    from gameday.drivers.database import Database
    from gameday.house.lessons.impact import Impacts
    from gameday.house.lessons.owed import OwedPostmortem
    from gameday.model.postmortem import Postmortem

app = typer.Typer(
    help="Postmortems: drafted from what is on record, what they lack, what accuses, published.",
    no_args_is_help=True,
)

FOLDER = Path("postmortems")
"""Where drafts are written, unless a command is told."""

ABOUT = typer.Argument(
    metavar="INCIDENT", help="An incident's or a near miss's id; a run's, or `last`: its drill's."
)
FILE = typer.Option(None, "--file", metavar="FILE", help="Else postmortems/ID.md.")


@contextmanager
def _opened() -> Iterator[tuple[Database, datetime]]:
    from gameday.drivers.clock import SystemClock
    from gameday.house.lessons.runs import learn_from_runs
    from gameday.house.run.opening import open_store

    with open_store() as store:
        now = SystemClock().now()
        learn_from_runs(store, now=now)
        yield store, now


def _impacts() -> Impacts:
    """Return what measures an incident's cost: by the Prometheus that is known, if any is."""
    from gameday.errors import PermanentDriverError
    from gameday.house.lessons.impact import Impacts
    from gameday.house.slos.status import prometheus_to_ask
    from gameday.settings import Settings

    try:
        prometheus, scale = prometheus_to_ask(None, Settings.from_environment())
    except PermanentDriverError:
        return Impacts(None)
    return Impacts(prometheus, scale=scale)


@app.command()
def draft(
    about: str = ABOUT,
    file: Path | None = FILE,
    json: bool = typer.Option(False, "--json", help="Print the postmortem as JSON."),
) -> int:
    """Draft a postmortem from what is on record, into a file that people finish.

    Again at any time: what you wrote stays, what is newer on record comes in, and where both
    changed the same lines both stand, marked, for you to keep one.

    Exit codes: 0 drafted, 1 places are left to decide, 2 no such incident, 3 it goes on, or the
    postmortem is published.
    """
    from gameday.house.lessons.postmortems import draft_anew, subject_of

    with _opened() as (store, now):
        subject = asyncio.run(subject_of(store, about, now=now, measure=_impacts().of))
        path = file or FOLDER / f"{subject.fresh.id}.md"
        edited = _edited(path)
        if edited is not None and store.postmortem(subject.fresh.id) is None:
            raise UsageError(
                f"{str(path)!r} is there and is no draft of this store's: give --file another name"
            )
        drafted = draft_anew(store, subject, edited=edited, write=lambda text: _write(path, text))
    if json:
        print_json({**drafted.postmortem.to_json(), "file": str(path)})
    else:
        say(f"{path}: drafted" + (" anew, with what you wrote" if edited is not None else ""))
    for conflict in drafted.conflicts:
        say(f"{path}:{conflict.line}: you and the newer draft changed this: keep one")
    return 1 if drafted.conflicts else 0


def _edited(path: Path) -> str | None:
    """Return a draft as a person has it; None where there is no file."""
    from gameday.spec.document import read_text

    return read_text(path).replace("\r\n", "\n") if path.exists() else None


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{str(path)!r} cannot be written: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class _Text:
    """One text that is checked: a file, or a postmortem of the store."""

    name: str
    words: str
    postmortem: Postmortem | None


@app.command()
def check(
    names: list[str] = typer.Argument(
        None, metavar="[FILE|INCIDENT]...", help="Postmortems; else those that are owed."
    ),
    json: bool = typer.Option(False, "--json", help="Print gaps and accusations as JSON."),
) -> int:
    """Say what postmortems lack, which sentences accuse people, and which are late.

    Each accusation comes with its reason and a wording to use instead. Without a name it is about
    every incident of the last 30 days that owes one (SEV-1 within 24 h, SEV-2 within 48 h).

    Exit codes: 0 whole, blameless and in time, 1 something is not, 2 one cannot be read.
    """
    if not names:
        return _check_owed(json=json)
    return _check([_text(name) for name in names], json=json)


def _text(name: str) -> _Text:
    from gameday.spec.document import read_text

    path = Path(name)
    if path.suffix or "/" in name or path.exists():
        return _Text(name, read_text(path), None)
    with _opened() as (store, _):
        known = store.postmortem(name)
    if known is None:
        raise UsageError(
            f"there is no file and no postmortem {name!r}; `gameday postmortem list` shows them"
        )
    own = FOLDER / f"{name}.md"
    edited = _edited(own) if known.published_at is None else None
    return _Text(str(own) if edited is not None else name, edited or known.text, known)


def _check(texts: Sequence[_Text], *, json: bool) -> int:
    from datetime import UTC, datetime

    from gameday.learning.accusation import accusations_in
    from gameday.learning.gaps import gaps_in
    from gameday.learning.merge import conflicts_in

    now = datetime.now(UTC)
    gaps = {text.name: gaps_in(text.words) for text in texts}
    accusations = {text.name: accusations_in(text.words) for text in texts}
    conflicts = {text.name: conflicts_in(text.words) for text in texts}
    late = [t for t in texts if t.postmortem is not None and t.postmortem.is_late(now)]
    lacking = sum(map(len, gaps.values()))
    accusing = sum(map(len, accusations.values()))
    open_ = sum(map(len, conflicts.values()))
    code = 1 if lacking or accusing or open_ or late else 0
    if json:
        print_json(
            [
                {
                    "file": text.name,
                    "late": text in late,
                    "due_at": _due(text),
                    "conflicts": [c.line for c in conflicts[text.name]],
                    "gaps": [
                        {"line": g.line, "part": g.part, "what": g.what} for g in gaps[text.name]
                    ],
                    "accusations": [
                        {
                            "line": a.sentence.line,
                            "kind": a.kind,
                            "sentence": a.sentence.words,
                            "said": a.said,
                            "why": a.why,
                            "instead": a.instead,
                        }
                        for a in accusations[text.name]
                    ],
                }
                for text in texts
            ]
        )
        return code
    for text in texts:
        for conflict in conflicts[text.name]:
            print(legible(f"{text.name}:{conflict.line}: two versions of one place: keep one"))
        for gap in gaps[text.name]:
            print(legible(f"{text.name}:{gap.line}: {gap.part}: {gap.what}"))
        for accusation in accusations[text.name]:
            where = f"{text.name}:{accusation.sentence.line}"
            print(legible(f"{where}: “{accusation.said}” accuses: {accusation.why}"))
            print(legible(f"    in: {accusation.sentence.words}"))
            print(f"    instead: {accusation.instead}")
        if text in late:
            print(legible(f"{text.name}: late: it was to be published by {_due(text)}"))
    say(
        f"{counted(len(texts), 'postmortem')}, {counted(lacking, 'gap')},"
        f" {counted(accusing, 'accusation')}"
        + (f", {counted(open_, 'conflict')}" if open_ else "")
        + (f", {len(late)} late" if late else "")
    )
    return code


def _due(text: _Text) -> str | None:
    due_at = text.postmortem.due_at if text.postmortem is not None else None
    return due_at.isoformat() if due_at else None


def _check_owed(*, json: bool) -> int:
    from gameday.house.lessons.owed import owed_postmortems

    with _opened() as (store, now):
        owed = owed_postmortems(store, store, now=now)
    left = [one for one in owed if _standing(one, now) != "published"]
    late = [one for one in left if one.is_late(now)]
    if json:
        print_json([_owed_json(one, now) for one in owed])
        return 1 if left else 0
    print_table(
        ("incident", "severity", "service", "stands", "due (UTC)"),
        [
            (
                one.incident.id,
                one.incident.severity,
                one.incident.service,
                f"{_standing(one, now)}, late" if one in late else _standing(one, now),
                f"{one.due_at:%Y-%m-%d %H:%M}",
            )
            for one in owed
        ],
        empty="no incident of the last 30 days owes a postmortem",
    )
    if owed:
        say(f"{counted(len(owed), 'postmortem')} owed, {len(left)} not published, {len(late)} late")
    return 1 if left else 0


def _standing(one: OwedPostmortem, now: datetime) -> str:
    return one.postmortem.state if one.postmortem is not None else "not drafted"


def _owed_json(one: OwedPostmortem, now: datetime) -> dict[str, Any]:
    return {
        "incident": one.incident.id,
        "severity": one.incident.severity,
        "service": one.incident.service,
        "state": _standing(one, now),
        "due_at": one.due_at.isoformat(),
        "late": one.is_late(now),
    }


@app.command()
def publish(
    about: str = typer.Argument(metavar="INCIDENT", help="Its id, or a near miss's."),
    file: Path | None = FILE,
    url: str = typer.Option("", metavar="URL", help="Where others read it."),
    anyway: bool = typer.Option(
        False, "--anyway", help="Although the check finds something: it may be wrong."
    ),
    json: bool = typer.Option(False, "--json", help="Print the postmortem as JSON."),
) -> None:
    """Freeze a postmortem with its evidence, and file the action items that it asks for.

    It is refused while parts are missing or people are accused. From then on the incident owes
    nothing any more, and no draft changes the text.

    Exit codes: 0 published, 2 there is no such postmortem, 3 it is not ready, or published already.
    """
    from gameday.house.lessons.postmortems import freeze, objections, subject_of
    from gameday.model.postmortem import PostmortemKind
    from gameday.spec.document import read_text

    with _opened() as (store, now):
        known = store.postmortem(about)
        if known is None:
            raise UsageError(
                f"there is no postmortem {about!r}: `gameday postmortem draft {about}` writes one"
            )
        own = file or FOLDER / f"{about}.md"
        text = read_text(own) if file is not None or own.exists() else known.text
        reasons = objections(text)
        if reasons and not anyway and known.published_at is None:
            raise Refused(*reasons, "mend them, or publish it --anyway")
        if known.published_at is not None and known.kind is not PostmortemKind.NEAR_MISS:
            _say_where(about, known.url)  # where the first time broke off before it was said
        subject = asyncio.run(subject_of(store, about, now=now, measure=_unmeasured))
        record, items = freeze(
            store, known, text, facts=subject.facts, url=url, by="command line", now=now
        )
    if known.kind is not PostmortemKind.NEAR_MISS:
        _say_where(about, url)
    if json:
        print_json(record.to_json())
        return
    say(f"{about}: published with {counted(len(record.evidence), 'fact')}")
    for item in items:
        say(f"filed: {item.id} {item.title}")


async def _unmeasured(_: object) -> Any:
    from gameday.model.postmortem import Impact

    return Impact("it is not asked for")


def _say_where(incident: str, url: str) -> None:
    from gameday.house.service.words import said_in_store
    from gameday.settings import Settings
    from scoring.timeline import Kind

    where = {"url": url or f"gameday postmortem show {incident}"}
    asyncio.run(
        said_in_store(Settings.from_environment(), incident, Kind.POSTMORTEM_DRAFTED, where)
    )


@app.command("list")
def list_(
    limit: int = typer.Option(100, min=1, help="How many, the newest first."),
    json: bool = typer.Option(False, "--json", help="Print them as JSON."),
) -> None:
    """List the postmortems of the store, near misses among them."""
    with _opened() as (store, now):
        found = store.postmortems(limit=limit)
    if json:
        print_json([one.to_json() for one in found])
        return
    print_table(
        ("id", "kind", "severity", "state", "due (UTC)", "what"),
        [
            (
                one.id,
                one.kind,
                one.severity,
                f"{one.state}, late" if one.is_late(now) else one.state,
                f"{one.due_at:%Y-%m-%d %H:%M}" if one.due_at else None,
                one.title,
            )
            for one in found
        ],
        empty="there is no postmortem; `gameday postmortem draft INCIDENT` writes one",
    )


@app.command()
def show(
    about: str = typer.Argument(metavar="ID", help="As `gameday postmortem list` shows it."),
    json: bool = typer.Option(False, "--json", help="Print it with its evidence, as JSON."),
) -> None:
    """Print a postmortem as the store has it: the text, in Markdown."""
    with _opened() as (store, _):
        known = store.postmortem(about)
    if known is None:
        raise UsageError(f"there is no postmortem {about!r}; `gameday postmortem list` shows them")
    if json:
        print_json(known.to_json())
    else:
        print(legible(known.text), end="")


@app.command("near-miss")
def near_miss(
    title: str = typer.Argument(help="What nearly happened, in a sentence."),
    service: str = typer.Option("", help="Whose promise was near to be broken."),
    severity: str = typer.Option("SEV-3", help="How bad it would have been."),
    told: str = typer.Option("", "--text", help="What happened, as far as you saw it."),
    json: bool = typer.Option(False, "--json", help="Print the postmortem as JSON."),
) -> None:
    """Put on record what nearly became an incident, with a draft to finish."""
    from gameday.house.lessons.postmortems import note_near_miss
    from gameday.model.severity import IncidentSeverity

    chosen = IncidentSeverity.named(severity)
    if chosen is None:
        raise UsageError(f"there is no severity {severity!r}: {', '.join(IncidentSeverity)}")
    with _opened() as (store, now):
        record = note_near_miss(store, title, service=service, severity=chosen, told=told, now=now)
    path = FOLDER / f"{record.id}.md"
    _write(path, record.text)
    if json:
        print_json({**record.to_json(), "file": str(path)})
    else:
        say(f"{path}: drafted; `gameday postmortem publish {record.id}` when it is finished")
