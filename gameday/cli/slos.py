"""``gameday slo``: the promises, and the rules that watch them."""

from __future__ import annotations

import typer

from gameday.cli.output import print_json, print_table
from gameday.cli.predict import predict
from gameday.cli.slo_status import status

app = typer.Typer(
    help="Service level objectives and their burn-rate alerts.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("predict")(predict)
app.command("status")(status)


@app.command("list")
def list_(json: bool = typer.Option(False, "--json", help="Print them as JSON.")) -> None:
    """List the SLOs that scenarios can refer to."""
    from gameday.house.stories import slos

    found = [
        {
            "id": s.id,
            "service": s.service,
            "target": s.objective.target_ratio,
            "period_days": s.objective.period.total_seconds() / 86400,
            "title": s.title,
        }
        for s in slos()
    ]
    if json:
        print_json(found)
    else:
        print_table(
            ("id", "service", "target", "period", "title"),
            [
                (s["id"], s["service"], s["target"], f"{s['period_days']:g} d", s["title"])
                for s in found
            ],
            empty="no SLO found; they are OpenSLO documents under slos/",
        )


@app.command()
def rules(
    slo: str = typer.Argument(help="SLO id, or the path of an OpenSLO document."),
    time_scale: float = typer.Option(1, help="Compress windows by this factor."),
) -> None:
    """Print the Prometheus rules of an SLO: recordings and one alert per burn-rate branch."""
    from gameday.house.stories import find_slo
    from gameday.report.rules import prometheus_rules

    print(prometheus_rules(find_slo(slo), time_scale=time_scale), end="")
