"""``gameday incident`` and ``gameday mitigate``: what the on-call types.

Without an id a command is about the run that goes on; with one, about an incident of the service,
which is asked over HTTP at ``GAMEDAY_SERVER`` with ``GAMEDAY_TOKEN``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

import typer

from gameday.cli.output import print_json, print_table, say
from gameday.errors import UsageError

if TYPE_CHECKING:
    from gameday.drivers.desk import HttpDesk

app = typer.Typer(
    help="Answer the page of the run that is going on, or the incidents of `gameday serve`.",
    no_args_is_help=True,
)

RUN = typer.Option(None, "--run", help="Beginning of a run's id, where several go on at once.")
SERVED = typer.Option(None, "--incident", help="An incident of `gameday serve`, not of a run.")
ID = typer.Argument(help="As `gameday incident list` shows it.")
JSON = typer.Option(False, "--json", help="Print what stands on record now as JSON.")


T = TypeVar("T")


def _at(run: str | None, incident: str | None, work: Callable[[HttpDesk], Awaitable[T]]) -> T:
    """Return the outcome of some work at the desk of a run's incident, or of one that is named."""
    from gameday.house.run.announcement import open_desk
    from gameday.house.service.client import served_desk
    from gameday.settings import Settings

    settings = Settings.from_environment()

    async def done() -> T:
        if incident is not None:
            return await work(served_desk(settings, incident))
        return await work(await open_desk(settings, run))

    return asyncio.run(done())


def _word(
    word: str, body: Mapping[str, object], *, run: str | None, incident: str | None, json: bool
) -> None:
    said = _at(run, incident, lambda desk: desk.say(word, body))
    _said(f"on record: {word}", said, json=json)


@app.command("show")
def show(
    run: str | None = RUN,
    incident: str | None = SERVED,
    json: bool = typer.Option(False, "--json", help="Print it as JSON."),
) -> None:
    """Show the incident, its links, and how its phases stand."""
    from gameday.house.run.announcement import NoPageYet

    try:
        said = _at(run, incident, lambda desk: desk.summary())
    except NoPageYet:
        print_json({"page": None}) if json else print("no page yet")
        return
    if json:
        print_json(said)
        return
    print(f"{said['summary']}: {said['severity']}, {said['state']}")
    for page in said.get("shared_pages", ()):
        print(
            f"paged {page['to']} in one page about {page['incidents']} incidents, named after "
            f"{page['lead']}; an answer to one answers that page"
        )
    print()
    print_table(("link", "leads to"), list(said["links"].items()), empty="")
    print()
    print_table(
        ("phase", "who", "at (UTC)", "by (UTC)", "verdict"),
        [
            (n, p["who"], (p["at"] or "")[11:19], (p["due_at"] or "")[11:19], p["verdict"])
            for n, p in said["phases"].items()
        ],
        empty="",
    )


@app.command("ack")
def ack(run: str | None = RUN, incident: str | None = SERVED, json: bool = JSON) -> None:
    """Acknowledge the page: you have it."""
    _word("ack", {}, run=run, incident=incident, json=json)


@app.command("finding")
def finding(
    step: str = typer.Argument(help="red, trace, profile or blame."),
    summary: str = typer.Argument(help="What you found, in one sentence."),
    detail: list[str] | None = typer.Option(
        None, "--set", metavar="KEY=VALUE", help="What it names: service=…, downstream=…, shape=…"
    ),
    run: str | None = RUN,
    incident: str | None = SERVED,
    json: bool = JSON,
) -> None:
    """Hand in what one step of the funnel showed."""
    from gameday.model.page import Finding, Step

    steps = [str(s) for s in Step]
    if step not in steps:
        raise UsageError(f"there is no step {step!r}; the funnel's are {', '.join(steps)}")
    found = Finding(step=Step(step), summary=summary, detail=pairs(detail or []))
    _word("finding", found.model_dump(mode="json"), run=run, incident=incident, json=json)


@app.command("list")
def list_(
    all_: bool = typer.Option(False, "--all", help="Closed ones too."),
    json: bool = typer.Option(False, "--json", help="Print it as JSON."),
) -> None:
    """List the incidents of `gameday serve`, from the store: also while it is down."""
    from gameday.house.run.opening import open_store

    with open_store() as store:
        rows = store.incidents(only_open=not all_)
    if json:
        print_json(
            [
                {
                    "id": r.id,
                    "service": r.service,
                    "slo": r.slo,
                    "severity": r.severity,
                    "state": r.state,
                    "opened_at": r.opened_at.isoformat(),
                    "drill": r.drill,
                    "pruned_at": r.pruned_at.isoformat() if r.pruned_at else None,
                }
                for r in rows
            ]
        )
        return
    print_table(
        ("id", "severity", "state", "service", "SLO", "opened (UTC)", "drill"),
        [
            (
                *(r.id, r.severity, f"{r.state}{', pruned' if r.pruned_at else ''}"),
                *(r.service, r.slo, f"{r.opened_at:%m-%d %H:%M:%S}", r.drill),
            )
            for r in rows
        ],
        empty="no incident" if all_ else "no incident is open; --all shows the closed ones",
    )


@app.command("note")
def note(
    incident: str = ID, text: str = typer.Argument(help="A sentence."), json: bool = JSON
) -> None:
    """Put a note on the record of an incident of `gameday serve`."""
    _word("note", {"text": text}, run=None, incident=incident, json=json)


@app.command("resolve")
def resolve(
    incident: str = ID,
    text: str = typer.Option("", "--text", help="What ended it."),
    anyway: bool = typer.Option(False, "--anyway", help="Also while alerts still fire."),
    false_alarm: bool = typer.Option(False, "--false-alarm", help="There was nothing."),
    json: bool = JSON,
) -> None:
    """Close an incident of `gameday serve`."""
    word = "false-alarm" if false_alarm else "resolve"
    _word(word, {"text": text, "anyway": anyway}, run=None, incident=incident, json=json)


@app.command("postmortem")
def postmortem(
    incident: str = typer.Argument(help="An incident's id; or a run's, or `last`: its drill's."),
    url: str = typer.Argument(help="Where the postmortem stands."),
    json: bool = JSON,
) -> None:
    """Say where a postmortem stands; with or without a running `gameday serve`.

    A drill's run is judged with it from then on: `gameday show RUN`.
    """
    from gameday.house.service.words import said_in_store
    from gameday.settings import Settings
    from scoring.timeline import Kind

    word = said_in_store(
        Settings.from_environment(), incident, Kind.POSTMORTEM_DRAFTED, {"url": url}
    )
    _said("on record: postmortem", asyncio.run(word).to_json(), json=json)


def _said(sentence: str, record: object, *, json: bool) -> None:
    if json:
        print_json(record)
    else:
        say(sentence)


@app.command("mitigate")
def mitigate(
    name: str = typer.Argument(help="The mitigation, as the runbook names it."),
    parameters: list[str] | None = typer.Argument(
        None, metavar="[KEY=VALUE]...", help="Its parameters: region=eu-west server=one"
    ),
    run: str | None = RUN,
    incident: str | None = SERVED,
    detail_: str = typer.Option("", "--detail", help="With --incident: what came of it."),
    failed: bool = typer.Option(False, "--failed", help="With --incident: it did not help."),
    json: bool = typer.Option(False, "--json", help="Print the outcome as JSON."),
) -> None:
    """Do what the runbook says, on the record of the open incident.

    With --incident, and it is no drill's, nothing is done, since `gameday serve` reaches into no
    system: what you did yourself goes on its record.
    """
    asked = pairs(parameters or [])
    if incident is not None:
        done = {"name": name, "parameters": asked, "ok": not failed, "detail": detail_}
        _word("mitigation", done, run=None, incident=incident, json=json)
        return
    if detail_ or failed:
        raise UsageError("--detail and --failed are about an incident of the service: --incident")
    from gameday.house.run.announcement import open_mitigations
    from gameday.settings import Settings

    async def ask() -> str:
        desk = await open_mitigations(Settings.from_environment(), run)
        return await desk.mitigate(name, asked)

    detail = asyncio.run(ask())
    if json:
        print_json({"name": name, "parameters": asked, "detail": detail})
    else:
        print(detail)


def pairs(texts: list[str]) -> dict[str, str]:
    """Return ``key=value`` texts as a mapping.

    Raises:
        UsageError: one has no ``=``, or still holds a placeholder of the runbook.
    """
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key or not value:
            raise UsageError(f"{text!r} is not KEY=VALUE; write for example region=eu-west")
        if value.startswith("{") and value.endswith("}"):
            raise UsageError(f"{text!r} still holds the runbook's placeholder; name the {key}")
        found[key] = value
    return found
