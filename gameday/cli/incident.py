"""``gameday incident`` and ``gameday mitigate``: what the on-call types.

Without an id a command is about the run that goes on; with one, about an incident of the service,
which is asked over HTTP at ``GAMEDAY_SERVER`` with ``GAMEDAY_TOKEN``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

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


def _desk(run: str | None) -> HttpDesk:
    from gameday.house.run.announcement import open_desk
    from gameday.settings import Settings

    return open_desk(Settings.from_environment(), run)


@app.command("show")
def show(
    run: str | None = RUN,
    incident: str | None = SERVED,
    json: bool = typer.Option(False, "--json", help="Print it as JSON."),
) -> None:
    """Show the page, its links, and what was done so far."""
    if incident is not None:
        _show_served(incident, json=json)
        return
    said = asyncio.run(_desk(run).summary())
    if json:
        print_json(said)
        return
    page = said.get("page")
    if not page:
        print("no page yet")
        return
    print(f"{page['summary']}\n")
    print_table(("link", "leads to"), list(page["links"].items()), empty="")
    print()
    print_table(
        ("at (UTC)", "what", "about", "detail"),
        [
            (
                f["happened_at"][11:19],
                f["kind"].replace("_", " "),
                f["subject"],
                f["data"].get("summary") or f["data"].get("detail") or "",
            )
            for f in said.get("facts", [])
        ],
        empty="nothing was done yet; start with `gameday incident ack`",
    )


@app.command("ack")
def ack(run: str | None = RUN, incident: str | None = SERVED, json: bool = JSON) -> None:
    """Acknowledge the page: you have it."""
    if incident is not None:
        _say(incident, "ack", {}, json=json)
        return
    asyncio.run(_desk(run).acknowledge())
    _said("acknowledged", {"acknowledged": True}, json=json)


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
    if incident is not None:
        _say(incident, "finding", found.model_dump(mode="json"), json=json)
        return
    asyncio.run(_desk(run).report(found))
    _said(f"noted: {step}", found.model_dump(mode="json"), json=json)


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
                }
                for r in rows
            ]
        )
        return
    print_table(
        ("id", "severity", "state", "service", "SLO", "opened (UTC)", "drill"),
        [
            (r.id, r.severity, r.state, r.service, r.slo, f"{r.opened_at:%m-%d %H:%M:%S}", r.drill)
            for r in rows
        ],
        empty="no incident" if all_ else "no incident is open; --all shows the closed ones",
    )


@app.command("note")
def note(
    incident: str = ID, text: str = typer.Argument(help="A sentence."), json: bool = JSON
) -> None:
    """Put a note on the record of an incident of `gameday serve`."""
    _say(incident, "note", {"text": text}, json=json)


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
    _say(incident, word, {"text": text, "anyway": anyway}, json=json)


def _say(incident: str, word: str, body: dict[str, object], *, json: bool) -> None:
    from gameday.house.service.serve import ask

    _said(f"on record: {word}", ask("POST", incident, word, body), json=json)


def _said(sentence: str, record: object, *, json: bool) -> None:
    if json:
        print_json(record)
    else:
        say(sentence)


def _show_served(incident: str, *, json: bool) -> None:
    from gameday.house.service.serve import ask

    said = ask("GET", incident)
    if json:
        print_json(said)
        return
    print(f"{said['summary']}: {said['severity']}, {said['state']}\n")
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


@app.command("mitigate")
def mitigate(
    name: str = typer.Argument(help="The mitigation, as the runbook names it."),
    parameters: list[str] | None = typer.Argument(
        None, metavar="[KEY=VALUE]...", help="Its parameters: region=eu-west service=checkout"
    ),
    run: str | None = RUN,
    incident: str | None = SERVED,
    detail_: str = typer.Option("", "--detail", help="With --incident: what came of it."),
    failed: bool = typer.Option(False, "--failed", help="With --incident: it did not help."),
    json: bool = typer.Option(False, "--json", help="Print the outcome as JSON."),
) -> None:
    """Do what the runbook says, on the record of the open incident.

    With --incident nothing is done, since `gameday serve` reaches into no system: what you did
    yourself goes on its record.
    """
    asked = pairs(parameters or [])
    if incident is not None:
        done = {"name": name, "parameters": asked, "ok": not failed, "detail": detail_}
        _say(incident, "mitigation", done, json=json)
        return
    if detail_ or failed:
        raise UsageError("--detail and --failed are about an incident of the service: --incident")
    detail = asyncio.run(_desk(run).mitigate(name, asked))
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
