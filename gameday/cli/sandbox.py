"""``gameday sandbox``: the embedded shop, up and down."""

from __future__ import annotations

import typer

from gameday.cli.output import print_json, print_table, say

app = typer.Typer(
    help="The embedded shop a game day plays on when there is no cluster.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def up(
    time_scale: float = typer.Option(60, help="How many times faster the SLO's windows run."),
    json: bool = typer.Option(False, "--json", help="Print its addresses as JSON."),
) -> None:
    """Start the shop, Prometheus, Alertmanager and PostgreSQL; does nothing where they run."""
    from gameday.house.shop import open_sandbox

    state = open_sandbox(time_scale=time_scale, on_progress=say)
    if json:
        print_json(state.model_dump(mode="json"))
    else:
        say("the sandbox is up")
        for name in ("edge", "prometheus", "alertmanager", "store", "proxy", "control"):
            print(f"{name:13} {getattr(state, name + '_url')}")
        print(f"{'repository':13} {state.repository}")


@app.command()
def down() -> None:
    """Stop everything the sandbox started; nothing is left, also after a crash."""
    from gameday.house.shop import close_sandbox

    say("the sandbox is down" if close_sandbox() else "the sandbox was not up")


@app.command()
def status(json: bool = typer.Option(False, "--json", help="Print it as JSON.")) -> int:
    """Show what runs; exit 6 where it is not up or not healthy."""
    from gameday.house.shop import sandbox_status

    found = sandbox_status()
    if found is None:
        if json:
            print_json({"up": False})
        say("the sandbox is not up; `gameday sandbox up` starts it")
        return 6
    if json:
        print_json({"up": True, **found})
    else:
        rows = [
            (c["name"], c.get("state"), c.get("pid"), c.get("port"), c.get("restarts"))
            for c in found.get("components", [])
        ]
        print_table(("component", "state", "pid", "port", "restarts"), rows, empty="nothing runs")
    return 0 if found.get("ready") else 6


@app.command()
def reset(
    history: bool = typer.Option(
        False, "--history", help="Also forget all metrics, traces and profiles: a cold start."
    ),
) -> None:
    """Put the shop back as it was: primary database, both regions, its first version, no toxics."""
    from gameday.house.shop import reset_sandbox

    reset_sandbox(history=history)
    say("the sandbox is as new" if history else "the sandbox is restored")
