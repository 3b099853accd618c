"""Rule files as others write them, each for an SLO of the same two counters.

Sloth's come from the real `sloth generate`; Pyrra's and the Workbook's are written here in the
shapes that their documents and source show.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import yaml

from gameday.rules.slo_rules import prometheus_duration

SERVICE, SLO, ALERT = "pages", "pages-served", "PagesFailing"
BAD = 'haproxy_backend_http_responses_total{proxy="pages",code="5xx"}'
TOTAL = 'haproxy_backend_http_responses_total{proxy="pages"}'
OBJECTIVE = 0.99

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

WORKBOOK = ((HOUR, 5 * MINUTE, 14.4), (6 * HOUR, 30 * MINUTE, 6.0))
"""(long, short, burn rate) of the Workbook's page, table 5-8, which Sloth's is too."""

Branch = tuple[timedelta, timedelta, float]

PYRRA = (
    (HOUR, 5 * MINUTE, 14, 2 * MINUTE, "critical"),
    (6 * HOUR, 30 * MINUTE, 7, 15 * MINUTE, "critical"),
    (DAY, 2 * HOUR, 2, HOUR, "warning"),
    (4 * DAY, 6 * HOUR, 1, 3 * HOUR, "warning"),
)
"""(long, short, factor, for, severity) of Pyrra for 28 days."""


def sloth(program: Path, folder: Path, scale: float) -> str:
    """Return what Sloth generates, with its windows this many times shorter.

    A catalogue of windows of one's own is how Sloth is told of a period that is not 28 or 30 days.
    """
    windows = folder / "windows"
    windows.mkdir()

    def window(budget: int, short: timedelta, long: timedelta) -> dict[str, object]:
        return {
            "errorBudgetPercent": budget,
            "shortWindow": prometheus_duration(short / scale),
            "longWindow": prometheus_duration(long / scale),
        }

    period = prometheus_duration(30 * DAY / scale)
    catalogue = {
        "apiVersion": "sloth.slok.dev/v1",
        "kind": "AlertWindows",
        "spec": {
            "sloPeriod": period,
            "page": {
                "quick": window(2, 5 * MINUTE, HOUR),
                "slow": window(5, 30 * MINUTE, 6 * HOUR),
            },
            "ticket": {
                "quick": window(10, 2 * HOUR, DAY),
                "slow": window(10, 6 * HOUR, 3 * DAY),
            },
        },
    }
    (windows / "own.yaml").write_text(yaml.safe_dump(catalogue), "utf-8")
    told = {
        "version": "prometheus/v1",
        "service": SERVICE,
        "slos": [
            {
                "name": SLO,
                "objective": OBJECTIVE * 100,
                "description": "Pages are served.",
                "sli": {
                    "events": {
                        "error_query": f"sum(rate({BAD}[{{{{.window}}}}]))",
                        "total_query": f"sum(rate({TOTAL}[{{{{.window}}}}]))",
                    }
                },
                "alerting": {"name": ALERT, "page_alert": {}, "ticket_alert": {}},
            }
        ],
    }
    (folder / "sloth.yaml").write_text(yaml.safe_dump(told), "utf-8")
    out = folder / "sloth-rules.yaml"
    subprocess.run(
        [
            *(program, "generate", "-i", folder / "sloth.yaml", "-o", out),
            *("--slo-period-windows-path", windows, "--default-slo-period", period),
        ],
        capture_output=True,
        timeout=60,
        check=True,
    )
    return out.read_text("utf-8")


def pyrra(scale: float) -> str:
    """Return rules as Pyrra's operator makes them of a ratio."""
    name = TOTAL.partition("{")[0].removesuffix("_total")

    def recorded(window: timedelta) -> str:
        return f"{name}:burnrate{prometheus_duration(window / scale)}"

    common = {"proxy": "pages", "slo": SLO}
    windows = sorted({w for long, short, *_ in PYRRA for w in (long, short)})
    rules: list[dict[str, object]] = [
        {"record": recorded(w), "expr": _share(w / scale), "labels": common} for w in windows
    ]
    limit = f"(1-{OBJECTIVE})"
    for long, short, factor, wait, severity in PYRRA:
        conditions = [
            f'{recorded(w)}{{proxy="pages",slo="{SLO}"}} > ({factor} * {limit})'
            for w in (short, long)
        ]
        labels = {
            **common,
            "short": prometheus_duration(short / scale),
            "long": prometheus_duration(long / scale),
            "severity": severity,
            "exhaustion": prometheus_duration(28 * DAY / factor / scale),
        }
        rules.append(
            {
                "alert": ALERT,
                "expr": " and ".join(conditions),
                "for": prometheus_duration(wait / scale),
                "labels": labels,
            }
        )
    absent = {"alert": "SLOMetricAbsent", "expr": f"absent({TOTAL}) == 1", "for": "10m"}
    rules.append({**absent, "labels": {**common, "severity": "critical"}})
    return yaml.safe_dump({"groups": [{"name": SLO, "rules": rules}]})


def workbook(scale: float, branches: Sequence[Branch] = WORKBOOK) -> str:
    """Return the plain form of the SRE Workbook, chapter 5: one alert, its branches joined."""

    def recorded(window: timedelta) -> str:
        return f"job:slo_errors_per_request:ratio_rate{prometheus_duration(window / scale)}"

    windows = sorted({w for long, short, _ in branches for w in (long, short)})
    budget = f"{1 - OBJECTIVE:g}"
    conditions = [
        f'( {recorded(long)}{{job="pages"}} > ({rate:g}*{budget})\nand\n'
        f'  {recorded(short)}{{job="pages"}} > ({rate:g}*{budget}) )'
        for long, short, rate in branches
    ]
    rules: list[dict[str, object]] = [
        {"record": recorded(w), "expr": _share(w / scale), "labels": {"job": "pages"}}
        for w in windows
    ]
    rules.append(
        {"alert": ALERT, "expr": "\nor\n".join(conditions), "labels": {"severity": "page"}}
    )
    return yaml.safe_dump({"groups": [{"name": "slo", "rules": rules}]})


def unreadable(scale: float) -> str:
    """Return an alert on the same counters that no theory of burn rates tells about."""
    window = prometheus_duration(MINUTE * 5 / scale)
    share = f"(sum(rate({BAD}[{window}])) / sum(rate({TOTAL}[{window}])))"
    rule = {"alert": ALERT, "expr": f"sgn({share} - 0.1) > 0", "labels": {"severity": "page"}}
    return yaml.safe_dump({"groups": [{"name": "own", "rules": [rule]}]})


def _share(window: timedelta) -> str:
    span = prometheus_duration(window)
    return f"sum(rate({BAD}[{span}])) / sum(rate({TOTAL}[{span}]))"


WRITTEN: dict[str, Callable[[float], str]] = {"pyrra": pyrra, "workbook": workbook}
"""What needs no program of theirs."""
