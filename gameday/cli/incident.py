"""``gameday incident`` and ``gameday mitigate``: what the on-call types while a run goes on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import typer

from gameday.cli.output import print_json, print_table, say
from gameday.errors import UsageError

if TYPE_CHECKING:
    from gameday.drivers.desk import HttpDesk

app = typer.Typer(
    help="Answer the page of the run that is going on, from another terminal.",
    no_args_is_help=True,
)

RUN = typer.Option(None, "--run", help="Beginning of a run's id, where several go on at once.")


def _desk(run: str | None) -> HttpDesk:
    from gameday.house.desk import open_desk
    from gameday.settings import Settings

    return open_desk(Settings.from_environment(), run)


@app.command("show")
def show(
    run: str | None = RUN,
    json: bool = typer.Option(False, "--json", help="Print it as JSON."),
) -> None:
    """Show the page, its links, and what was done so far."""
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
def ack(run: str | None = RUN) -> None:
    """Acknowledge the page: you have it."""
    asyncio.run(_desk(run).acknowledge())
    say("acknowledged")


@app.command("finding")
def finding(
    step: str = typer.Argument(help="red, trace, profile or blame."),
    summary: str = typer.Argument(help="What you found, in one sentence."),
    detail: list[str] | None = typer.Option(
        None, "--set", metavar="KEY=VALUE", help="What it names: service=…, downstream=…, shape=…"
    ),
    run: str | None = RUN,
) -> None:
    """Hand in what one step of the funnel showed."""
    from gameday.incident import Finding, Step

    steps = [str(s) for s in Step]
    if step not in steps:
        raise UsageError(f"there is no step {step!r}; the funnel's are {', '.join(steps)}")
    found = Finding(step=Step(step), summary=summary, detail=pairs(detail or []))
    asyncio.run(_desk(run).report(found))
    say(f"noted: {step}")


@app.command("mitigate")
def mitigate(
    name: str = typer.Argument(help="The mitigation, as the runbook names it."),
    parameters: list[str] | None = typer.Argument(
        None, metavar="[KEY=VALUE]...", help="Its parameters: region=eu-west service=checkout"
    ),
    run: str | None = RUN,
    json: bool = typer.Option(False, "--json", help="Print the outcome as JSON."),
) -> None:
    """Do what the runbook says, on the record of the open incident."""
    asked = pairs(parameters or [])
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
