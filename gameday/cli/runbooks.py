"""``gameday runbooks``: what lets their readers down, which alerts have none, what drills teach."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import typer

from gameday.cli.output import counted, print_json, print_table, say
from gameday.legible import legible

app = typer.Typer(
    help="Runbooks: what lets a reader down, which alerts have none, what drills teach them.",
    no_args_is_help=True,
)

FOLDER = Path("runbooks")
"""Where runbooks are, unless a command is told."""


@app.command()
def lint(
    paths: list[Path] = typer.Argument(
        None, metavar="[PATH]...", help="Runbooks, rule files, folders of them; else runbooks/."
    ),
    prometheus: str = typer.Option(
        "", metavar="URL", help="Prometheus that should have the metrics of their queries."
    ),
    system: str = typer.Option("", metavar="NAME", help="The same, as this system's file has it."),
    online: bool = typer.Option(
        False, "--online", help="Visit the addresses on the web that they link to."
    ),
    json: bool = typer.Option(False, "--json", help="Print the flaws as JSON."),
) -> int:
    """Say what in runbooks would let a reader down, with file, line and what to do.

    Exit codes: 0 nothing, 1 flaws, 2 a path is not there, 6 Prometheus does not answer.
    """
    import asyncio
    from dataclasses import asdict
    from datetime import UTC

    from gameday.drivers.bash import Bash
    from gameday.drivers.web_links import WebLinks
    from gameday.house.runbooks.linting import Linted, linted
    from gameday.house.runbooks.prometheus import prometheus_asked
    from gameday.house.runbooks.shelf import Shelf, shelf_of

    async def looked(shelf: Shelf) -> Linted:
        asked = await prometheus_asked(prometheus, system)
        today = datetime.now(UTC).date()
        web = WebLinks() if online else None
        return await linted(shelf, today=today, bash=Bash(), prometheus=asked, web=web)

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


@app.command()
def coverage(
    paths: list[Path] = typer.Argument(
        None, metavar="[PATH]...", help="Runbooks, rule files, folders of them; else runbooks/."
    ),
    prometheus: str = typer.Option(
        "", metavar="URL", help="Prometheus whose alerting rules are to have runbooks."
    ),
    system: str = typer.Option("", metavar="NAME", help="The same, as this system's file has it."),
    html: Path | None = typer.Option(None, metavar="FILE", help="Write it as a page as well."),
    json: bool = typer.Option(False, "--json", help="Print it as JSON."),
) -> int:
    """Say which alerts have a runbook that somebody keeps, and which drill last exercised each.

    Exit codes: 0 every alert has one, 1 some have none, 2 a path or the rules are not there,
    6 Prometheus does not answer.
    """
    import asyncio
    from datetime import UTC

    from gameday.errors import SpecError, UsageError
    from gameday.house.run.opening import open_store
    from gameday.house.runbooks.coverage import covered
    from gameday.house.runbooks.prometheus import prometheus_asked
    from gameday.house.runbooks.shelf import shelf_of
    from gameday.model.alerting_rule import AlertingRule
    from gameday.report.coverage import coverage_html, exercised_in_words, headline

    async def loaded() -> list[AlertingRule]:
        asked = await prometheus_asked(prometheus, system)
        return [] if asked is None else list(await asked.alerting_rules())

    shelf = shelf_of(paths or [FOLDER])
    if shelf.unreadable:
        raise SpecError(shelf.unreadable)
    rules = asyncio.run(loaded())
    if not shelf.rules and not rules:
        raise UsageError(
            "there are no alerting rules: give rule files, --prometheus URL or --system NAME"
        )
    with open_store() as store:
        found = covered(shelf, rules, store)
    if html is not None:
        places = sorted({rule.place for rule in (*shelf.rules, *rules)})
        page = coverage_html(found, places=places, as_of=datetime.now(UTC))
        try:
            html.write_text(page, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{str(html)!r} cannot be written: {error.strerror}") from error
    if json:
        print_json(
            {
                "alerts": [alert.to_json() for alert in found.alerts],
                "never_exercised": [alert.alert for alert in found.never_exercised],
                "idle_runbooks": list(found.idle),
            }
        )
        return 1 if found.lacking else 0
    print_table(
        ("alert", "stands", "runbook", "owner", "last exercised"),
        [
            (
                alert.alert,
                alert.standing,
                alert.runbook or None,
                alert.owner or None,
                exercised_in_words(alert.exercised),
            )
            for alert in found.alerts
        ],
        empty="",
    )
    for path in found.idle:
        say(f"{path} is the runbook of no alert of these")
    if found.never_exercised:
        say(f"never exercised: {', '.join(alert.alert for alert in found.never_exercised)}")
    say(headline(found))
    return 1 if found.lacking else 0


@app.command()
def review(
    paths: list[Path] = typer.Argument(
        None, metavar="[PATH]...", help="Runbooks and folders of them; else runbooks/."
    ),
    done: str = typer.Option("", metavar="NAME", help="Write into this one that it was reviewed."),
    by: str = typer.Option("", metavar="ROLE", help="With --done: who reviewed it."),
    on: datetime | None = typer.Option(
        None, formats=["%Y-%m-%d"], help="With --done: the day it was; else today."
    ),
    every: bool = typer.Option(False, "--all", help="List those as well that are not due."),
    json: bool = typer.Option(False, "--json", help="Print them as JSON."),
) -> int:
    """List whose review is due, or note in a runbook that it was done.

    Of its file nothing is changed but `reviewed`, and `reviewed_by` where --by says it.

    Exit codes: 0 none is due, 1 some are, 2 there is no such runbook.
    """
    from datetime import UTC

    from gameday.errors import SpecError, UsageError
    from gameday.house.runbooks.review import mark_reviewed
    from gameday.house.runbooks.shelf import shelf_of
    from gameday.learning.runbook_head import review_due
    from gameday.learning.runbook_review import reviews_of
    from gameday.model.runbook_review import ReviewState

    shelf = shelf_of(paths or [FOLDER])
    today = datetime.now(UTC).date()
    if done:
        day = on.date() if on is not None else today
        if day > today:
            raise UsageError(f"{day.isoformat()} is to come: give the day it was reviewed")
        runbook = mark_reviewed(shelf, done, day=day, by=by)
        say(f"{runbook.path}: reviewed {day.isoformat()}, due again {review_due(runbook)}")
        return 0
    if by or on is not None:
        raise UsageError("--by and --on belong to --done NAME")
    if shelf.unreadable:
        raise SpecError(shelf.unreadable)
    reviews = reviews_of([p.runbook for p in shelf.pages if p.runbook is not None], today)
    is_due = any(one.state.is_due for one in reviews)
    shown = [one for one in reviews if every or one.state is not ReviewState.DONE]
    if json:
        print_json([one.to_json() for one in shown])
        return 1 if is_due else 0
    print_table(
        ("runbook", "review", "due", "last", "by", "owner"),
        [(r.path, r.state, r.due, r.reviewed, r.by or None, r.owner or None) for r in shown],
        empty="no review is due; --all lists every runbook",
    )
    say(f"{counted(sum(r.state.is_due for r in reviews), 'review')} due of {len(reviews)}")
    return 1 if is_due else 0


@app.command()
def tasks(
    paths: list[Path] = typer.Argument(
        None, metavar="[PATH]...", help="Runbooks and folders of them; else runbooks/."
    ),
    apply: bool = typer.Option(False, "--apply", help="Commit every patch to a new branch."),
    branch: str = typer.Option("", metavar="NAME", help="With --apply: what it is called."),
    json: bool = typer.Option(False, "--json", help="Print them as JSON."),
) -> int:
    """Say what runbooks have to learn from drills and incidents, each with its evidence and patch.

    The newest are held against the runbooks as they stand now. --apply touches neither your files
    nor your index: it makes a branch at what is checked out, a commit for each patch but a
    review's.

    Exit codes: 0 nothing, or the branch is made, 1 there is something to learn, 2 a path is not
    there.
    """
    import asyncio
    from datetime import UTC

    from gameday.drivers.bash import Bash
    from gameday.errors import SpecError, UsageError
    from gameday.house.run.opening import open_store
    from gameday.house.runbooks.linting import linted
    from gameday.house.runbooks.shelf import shelf_of
    from gameday.house.runbooks.tasks import branch_of, teachers_in, with_links
    from scoring.form import to_json

    if branch and not apply:
        raise UsageError("--branch NAME belongs to --apply")
    shelf = shelf_of(paths or [FOLDER])
    if shelf.unreadable:
        raise SpecError(shelf.unreadable)
    now = datetime.now(UTC)
    with open_store() as store:
        teachers = teachers_in(store, now=now)
    if apply:
        name = branch or f"gameday/runbooks-{now:%Y%m%d-%H%M%S}"
        done = asyncio.run(branch_of(shelf, teachers, name))
        if json:
            print_json(
                {
                    "branch": name if done else None,
                    "tasks": [{**to_json(one.task), "by": one.by} for one in done],
                }
            )
        elif done:
            say(f"{name}: {counted(len(done), 'commit')}; `git log -p HEAD..{name}` shows them")
        else:
            say("nothing has a patch for these runbooks, so no branch is made")
        return 0
    flaws = asyncio.run(linted(shelf, today=now.date(), bash=Bash())).flaws
    found = with_links(shelf, teachers, flaws)
    if json:
        print_json([{**to_json(one.task), "by": one.by or None} for one in found])
        return 1 if found else 0
    for one in found:
        task = one.task
        print(legible(f"{task.runbook}: {task.kind}: {task.title}"))
        if one.by:
            facts = f", facts {', '.join(task.evidence)}" if task.evidence else ""
            print(legible(f"    by {one.by}{facts}"))
        if task.patch:
            print(legible(task.patch), end="")
    patched = sum(bool(one.task.patch) for one in found)
    said = f"{counted(len(shelf.pages), 'runbook')}, {counted(len(found), 'task')}"
    say(f"{said}, {patched} with a patch: --apply makes a branch of them" if patched else said)
    return 1 if found else 0
