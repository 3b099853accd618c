"""``gameday sandbox``: the embedded shop, up and down; with ``--context`` that of a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from gameday.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from gameday.house.targets.cluster_faults import Place

CONTEXT = typer.Option(
    None, "--context", help="Not on this machine but in the cluster of this kubeconfig context."
)
NAMESPACE = typer.Option("shop", "--namespace", help="With --context: where in the cluster.")

app = typer.Typer(
    help="The embedded shop a game day plays on; with --context the one in a cluster.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def up(
    time_scale: float = typer.Option(60, help="How many times faster the SLO's windows run."),
    context: str | None = CONTEXT,
    namespace: str = NAMESPACE,
    image: str | None = typer.Option(
        None, "--image", help="With --context: instead of gameday-shop:dev."
    ),
    json: bool = typer.Option(False, "--json", help="Print its addresses as JSON."),
) -> None:
    """Start the shop, Prometheus, Alertmanager and PostgreSQL; does nothing where they run."""
    if context is not None:
        from gameday.house.targets.cluster_shop import open_shop, shop_status

        place = _place(context, namespace)
        _check_scale(place, time_scale)
        open_shop(place, time_scale=time_scale, image=image, on_progress=say)
        say(f"the shop is up in {namespace} of {place.target}")
        if namespace == NAMESPACE.default:  # the one that the short form means
            say("`gameday doctor --system kubernetes` holds its document against it")
        if json:
            print_json(shop_status(place))
        return
    from gameday.house.targets.sandbox import open_sandbox, pages, shown
    from gameday.sandbox.document import path_of

    state = open_sandbox(time_scale=time_scale, on_progress=say)
    if json:
        print_json(shown(state))
    else:
        say("the sandbox is up")
        opened = pages(state)
        for name in ("edge", "prometheus", "alertmanager", "store", "proxy", "control"):
            print(f"{name:13} {opened.get(name) or getattr(state, name + '_url')}")
        print(f"{'repository':13} {state.repository}")
        print(f"{'document':13} {path_of(state)}")


@app.command()
def down(context: str | None = CONTEXT, namespace: str = NAMESPACE) -> None:
    """Stop everything the sandbox started; nothing is left, also after a crash."""
    if context is not None:
        from gameday.house.targets.cluster_shop import close_shop

        say(close_shop(_place(context, namespace)))
        return
    from gameday.house.targets.sandbox import close_sandbox

    say("the sandbox is down" if close_sandbox() else "the sandbox was not up")


@app.command()
def status(
    context: str | None = CONTEXT,
    namespace: str = NAMESPACE,
    json: bool = typer.Option(False, "--json", help="Print it as JSON."),
) -> int:
    """Show what runs; exit 6 where it is not up or not healthy."""
    if context is not None:
        return _cluster_status(context, namespace, json)
    from gameday.house.targets.sandbox import sandbox_status

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
    context: str | None = CONTEXT,
    namespace: str = NAMESPACE,
) -> None:
    """Put the shop back as it was: primary database, both regions, its first version, no toxics."""
    if context is not None:
        from gameday.house.targets.cluster_shop import reset_shop

        place = _place(context, namespace)
        reset_shop(place, history=history, on_progress=say)
        say(f"the shop in {namespace} of {place.target} is {'as new' if history else 'restored'}")
        return
    from gameday.house.targets.sandbox import reset_sandbox

    reset_sandbox(history=history)
    say("the sandbox is as new" if history else "the sandbox is restored")


def _place(context: str, namespace: str) -> Place:
    import os
    from dataclasses import replace

    from gameday.house.targets.cluster import place_of

    return replace(place_of(None, context=context, environment=os.environ), namespace=namespace)


def _check_scale(place: Place, time_scale: float) -> None:
    from gameday.house.run.permission import programme_in_force
    from gameday.house.targets.cluster import check_scale
    from gameday.settings import Settings

    settings = Settings.from_environment()
    check_scale(place, time_scale, programme=programme_in_force(), settings=settings)


def _cluster_status(context: str, namespace: str, json: bool) -> int:
    from gameday.house.targets.cluster_shop import shop_status

    found = shop_status(_place(context, namespace))
    if found is None:
        if json:
            print_json({"up": False})
        say(f"there is no shop in {namespace}; `gameday sandbox up --context {context}` puts it")
        return 6
    if json:
        print_json({"up": True, **found})
    else:
        rows = [(c["name"], c["state"], c["ready"], c["replicas"]) for c in found["components"]]
        print_table(("deployment", "state", "ready", "replicas"), rows, empty="nothing runs")
    return 0 if found["ready"] else 6
