"""``gameday actions``: what is to be done so that an incident does not come again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from gameday.cli.output import counted, print_json, print_table, say
from gameday.errors import StoreError, UsageError
from gameday.legible import legible

if TYPE_CHECKING:
    from datetime import datetime

    from gameday.drivers.database import Database
    from gameday.model.action_item import ActionItem, ActionWord

app = typer.Typer(
    help="Action items: what runs and postmortems ask for, how it stands, and what proves it.",
    no_args_is_help=True,
)

ID = typer.Argument(metavar="ITEM", help="Its id, or the beginning of it.")
TEXT = typer.Option("", "--text", help="A sentence that goes on record.")
JSON = typer.Option(False, "--json", help="Print the item as JSON.")


@contextmanager
def _opened() -> Iterator[tuple[Database, datetime]]:
    """Yield the store, with what every run that has ended says, and now."""
    from gameday.drivers.clock import SystemClock
    from gameday.house.lessons.runs import learn_from_runs
    from gameday.house.run.opening import open_store

    with open_store() as store:
        now = SystemClock().now()
        learn_from_runs(store, now=now)
        yield store, now


def say_learned(store: Database) -> None:
    """File and prove what follows from runs that have ended, and say what has changed by it."""
    from gameday.drivers.clock import SystemClock
    from gameday.house.lessons.runs import learn_from_runs

    try:
        changed = learn_from_runs(store, now=SystemClock().now())
    except StoreError as error:  # a run that has its end says it again the next time
        say(f"action items are not filed yet: {error}")
        return
    asked = sum(item.state.is_open for item in changed)
    proven = len(changed) - asked
    if changed:
        said = f"action items: {asked} asked for, {proven} proven"
        say(f"{said}; `gameday actions list` shows what is open")


@app.command("list")
def list_(
    every: bool = typer.Option(False, "--all", help="Closed ones too."),
    owner: str = typer.Option("", metavar="NAME", help="Only those of this owner."),
    limit: int = typer.Option(1000, min=1, help="How many, the newest first."),
    json: bool = typer.Option(False, "--json", help="Print them as JSON."),
) -> None:
    """List what is to be done, the most urgent first."""
    from gameday.model.action_item import OPEN, ActionState

    with _opened() as (store, now):
        items = store.action_items(*(() if every else OPEN), limit=limit)
    shown = [item for item in items if not owner or item.owner == owner]
    shown = sorted(shown, key=lambda i: (not i.state.is_open, i.priority, i.due_at, i.id))
    if json:
        print_json([item.to_json() for item in shown])
        return
    print_table(
        ("id", "priority", "kind", "state", "due (UTC)", "owner", "what"),
        [
            (
                item.id,
                item.priority,
                item.kind,
                f"{item.state}, late" if item.is_late(now) else item.state,
                f"{item.due_at:%Y-%m-%d}" if item.state.is_open else None,
                item.owner or None,
                item.title,
            )
            for item in shown
        ],
        empty="there is no action item" if every else "nothing is open; --all lists closed ones",
    )
    late = sum(item.is_late(now) for item in shown)
    unproven = sum(item.state is ActionState.UNPROVEN for item in shown)
    if shown:
        said = f"{counted(len(shown), 'action item')}, {late} late"
        said += f", {unproven} closed and not proven" if every else ""
        say(said)


@app.command()
def show(item: str = ID, json: bool = JSON) -> None:
    """Show one item: what asked for it, what was said of it, the patch that does it."""
    from gameday.house.lessons.items import item_named

    with _opened() as (store, now):
        found = item_named(store, item)
        changes = store.action_changes(found.id)
    if json:
        print_json({**found.to_json(), "changes": [change.to_json() for change in changes]})
        return
    print(legible(found.title))
    print()
    rows = [
        ("id", found.id),
        ("state", f"{found.state}, late" if found.is_late(now) else found.state),
        ("kind", found.kind),
        ("priority", found.priority),
        ("owner", found.owner or None),
        ("due (UTC)", f"{found.due_at:%Y-%m-%d %H:%M}" if found.state.is_open else None),
        ("runbook", found.runbook or None),
        ("found in", f"{', '.join(found.found_in)} ({counted(found.times_found, 'time')})"),
        ("evidence", ", ".join(found.evidence) or None),
    ]
    print_table(("", ""), rows, empty="")
    print()
    print_table(
        ("at (UTC)", "by", "what", "words", "evidence"),
        [
            (f"{c.at:%Y-%m-%d %H:%M}", c.by, c.word, c.text or None, ", ".join(c.evidence) or None)
            for c in changes
        ],
        empty="",
    )
    if found.patch:
        print()
        print(legible(found.patch), end="")


@app.command()
def add(
    title: str = typer.Argument(help="What is to be done, in a sentence."),
    kind: str = typer.Option("prevent", help="prevent, detect, mitigate or process."),
    owner: str = typer.Option("", metavar="NAME", help="Who is to do it: a role or a team."),
    priority: str = typer.Option("P3", help="P1, P2 or P3."),
    service: str = typer.Option("", help="Whose promise it is about."),
    slo: str = typer.Option("", help="The promise: `verify` names its drills."),
    json: bool = JSON,
) -> None:
    """File an item that no run and no postmortem has asked for; the same words are one item."""
    from gameday.house.lessons.items import filed_by_hand
    from gameday.model.action_item import ActionKind, Filing, Priority

    if kind not in list(ActionKind):
        raise UsageError(f"there is no kind {kind!r}: {', '.join(ActionKind)}")
    if priority not in list(Priority):
        raise UsageError(f"there is no priority {priority!r}: {', '.join(Priority)}")
    words = " ".join(title.split())
    if not words:
        raise UsageError("say in a sentence what is to be done")
    filing = Filing(
        cause=f"by hand {words.lower()}",
        kind=ActionKind(kind),
        title=words,
        service=service,
        slo=slo,
        owner=owner,
        priority=Priority(priority),
    )
    with _opened() as (store, now):
        item = filed_by_hand(store, filing, now=now)
    if json:
        print_json(item.to_json())
    else:
        say(f"{item.id} is {item.state}: {item.title}")


@app.command()
def start(item: str = ID, text: str = TEXT, json: bool = JSON) -> None:
    """Say that somebody has begun an item."""
    from gameday.model.action_item import ActionWord

    _say(item, ActionWord.BEGUN, text, (), json=json)


@app.command()
def close(
    item: str = ID,
    evidence: list[str] | None = typer.Option(
        None, metavar="WHAT", help="What shows that it is mended: `run ID`, or an address."
    ),
    text: str = TEXT,
    json: bool = JSON,
) -> None:
    """Close an item. Without evidence it is closed and not proven, which every list says.

    The next run of the drill that found it proves it by itself, if it does not ask for it again.
    """
    from gameday.model.action_item import ActionWord

    shown = [one.strip() for one in evidence or []]
    if not all(shown):
        raise UsageError("--evidence is empty: name a run, or the address of what shows it")
    _say(item, ActionWord.PROVEN if shown else ActionWord.CLOSED, text, shown, json=json)


@app.command()
def reopen(item: str = ID, text: str = TEXT, json: bool = JSON) -> None:
    """Open an item again that was closed and is not mended."""
    from gameday.model.action_item import ActionWord

    _say(item, ActionWord.REOPENED, text, (), json=json)


def _say(name: str, word: ActionWord, text: str, evidence: Sequence[str], *, json: bool) -> None:
    from gameday.house.lessons.items import checked_evidence, item_named, said_of

    with _opened() as (store, now):
        found = item_named(store, name)
        shown = checked_evidence(store, evidence)
        item = said_of(store, found, word, now=now, text=text, evidence=shown)
    if json:
        print_json(item.to_json())
    else:
        say(f"{item.id} is {item.state}: {item.title}")


@app.command()
def verify(
    item: str = typer.Argument("", metavar="[ITEM]", help="One of them; else all not proven."),
    json: bool = typer.Option(False, "--json", help="Print them as JSON."),
) -> int:
    """Say which drill would prove that an item is mended.

    Of all items that are closed and not proven, or of one that is named, whatever its state.

    Exit codes: 0 all are proven, 1 some are not.
    """
    from gameday.house.lessons.items import item_named, proofs_of
    from gameday.model.action_item import ActionState
    from gameday.spec import Catalogue

    with _opened() as (store, _):
        if item:
            items: list[ActionItem] = [item_named(store, item)]
        else:
            items = list(store.action_items(ActionState.UNPROVEN))
    proofs = proofs_of(items, Catalogue.around())
    is_missing = any(one.state is not ActionState.PROVEN for one in items)
    if json:
        print_json([{**p.item.to_json(), "proved_by": list(p.scenarios)} for p in proofs])
        return 1 if is_missing else 0
    print_table(
        ("id", "state", "what", "proved by"),
        [
            (
                p.item.id,
                p.item.state,
                p.item.title,
                f"gameday run {p.scenarios[0]}"
                if p.item.state is not ActionState.PROVEN and p.scenarios
                else ", ".join(p.item.evidence)
                or f"no drill; gameday actions close {p.item.id} --evidence WHAT",
            )
            for p in proofs
        ],
        empty="every item that is closed is proven",
    )
    return 1 if is_missing else 0
