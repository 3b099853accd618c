"""``gameday slo``: the promises, and the rules that watch them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from gameday.cli.output import print_json, print_table, say
from gameday.cli.predict import predict
from gameday.cli.slo_status import status

if TYPE_CHECKING:
    from gameday.model.slo import Slo

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
    from gameday.house.slos.catalogue import slos

    found = [
        {
            "id": s.id,
            "service": s.service,
            "target": s.objective.target_ratio,
            "period_days": s.objective.period.total_seconds() / 86400,
            "sli": _kind(s),
            "title": s.title,
        }
        for s in slos()
    ]
    if json:
        print_json(found)
    else:
        print_table(
            ("id", "service", "target", "period", "SLI", "title"),
            [
                (
                    s["id"],
                    s["service"],
                    s["target"],
                    f"{s['period_days']:g} d",
                    s["sli"],
                    s["title"],
                )
                for s in found
            ],
            empty="no SLO found; they are OpenSLO documents under slos/",
        )


def _kind(slo: Slo) -> str:
    """Return in two words how an SLO is measured."""
    from gameday.model.slo import Ratio, Raw, Slices, Threshold

    match slo.sli:
        case Slices():
            return "time slices"
        case Threshold():
            return "threshold"
        case Raw():
            return "raw ratio"
        case Ratio() as ratio:
            return f"{ratio.reading} ratio"


@app.command()
def rules(
    slos: list[str] = typer.Argument(
        metavar="SLO…", help="SLO ids, OpenSLO files, or folders of them."
    ),
    time_scale: float = typer.Option(1, help="Compress windows by this factor."),
    out: Path | None = typer.Option(
        None, help="Write one file per SLO into this folder instead of printing."
    ),
    tests: bool = typer.Option(
        False, "--tests", help="With --out: also write unit tests for `promtool test rules`."
    ),
    dashboard: str = typer.Option("", help="URL template of the RED dashboard."),
    traces: str = typer.Option("", help="URL template of the traces."),
    profile: str = typer.Option("", help="URL template of the profiles."),
    runbook: str = typer.Option("", help="URL template of the runbook."),
    prometheus: str = typer.Option(
        "", help="Have this server parse the SLIs' PromQL; else promtool does, if it is there."
    ),
    check: bool = typer.Option(True, help="Whether the PromQL is parsed at all."),
) -> None:
    """Print the Prometheus rules of SLOs: recordings and one alert per burn-rate branch.

    URL templates may hold {service}, {slo}, {window}, {short_window}, {range}, {burn_rate},
    {severity} and {owner}; without them the annotations of the SLO are used.
    """
    from gameday.errors import UsageError
    from gameday.house.slos.catalogue import find_slos
    from gameday.house.slos.rules import check_queries, write_rules
    from gameday.rules.slo_rules import prometheus_rules, rules_of_many

    if tests and out is None:
        raise UsageError("--tests writes files: say where with --out DIR")
    found = find_slos(slos)
    if check:
        check_queries(found, prometheus=prometheus)
    links = {"red": dashboard, "traces": traces, "profile": profile, "runbook": runbook}
    given = {name: url for name, url in links.items() if url}
    if out is not None:
        paths = write_rules(found, out, time_scale=time_scale, deeplinks=given, with_tests=tests)
        say(f"{len(paths)} files of {len(found)} SLOs in {out}")
    elif len(found) == 1:
        print(prometheus_rules(found[0], time_scale=time_scale, deeplinks=given), end="")
    else:
        for piece in rules_of_many(found, time_scale=time_scale, deeplinks=given):
            print(piece, end="")
