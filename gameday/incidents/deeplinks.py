"""Where the four deeplinks of a page lead: pure URL building, no I/O.

Time windows are built here, when the page is received, and not in the alerting rule: Prometheus'
templates do not know when an alert became active (prometheus#17273).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from gameday.model.slo import Slo


@dataclass(frozen=True, slots=True)
class Tools:
    """Base URLs of the tools behind the links, without a trailing slash.

    Attributes:
        code: where this machine has the repositories that traces name, by that name; one that is
            missing is looked for under its own name.
    """

    prometheus: str
    traces: str
    profiles: str
    code: Mapping[str, str] = field(default_factory=dict)


def red_queries(service: str, *, window: timedelta) -> tuple[str, ...]:
    """Return the RED dashboard of a service as PromQL: rate, error ratio, duration; per region."""
    metric = "http_server_request_duration_seconds"
    of = f'{{service="{_quoted(service)}"}}'
    failed = f'{{service="{_quoted(service)}",code=~"5.."}}'
    span = f"[{max(1, round(window.total_seconds()))}s]"
    rate = f"sum by (service, region, code) (rate({metric}_count{of}{span}))"
    errors = (
        f"sum by (service, region) (rate({metric}_count{failed}{span})) / "
        f"sum by (service, region) (rate({metric}_count{of}{span}))"
    )
    duration = (
        f"histogram_quantile(0.9, sum by (service, region, le) (rate({metric}_bucket{of}{span})))"
    )
    return rate, errors, duration


def red(tools: Tools, slo: Slo, *, since: datetime, until: datetime, window: timedelta) -> str:
    """Return Prometheus' graph page with the service's RED queries over the burn window."""
    span = max(1, round((until - since).total_seconds()))
    end = until.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    parameters: dict[str, str] = {}
    for number, query in enumerate(red_queries(slo.service, window=window)):
        parameters |= {
            f"g{number}.expr": query,
            f"g{number}.tab": "0",
            f"g{number}.range_input": f"{span}s",
            f"g{number}.end_input": end,
        }
    return f"{tools.prometheus}/graph?{urlencode(parameters)}"


def traces(tools: Tools, slo: Slo, *, since: datetime, until: datetime, slower: timedelta) -> str:
    """Return Jaeger's search page for slow traces of the service in the burn window."""
    parameters = {
        "service": slo.service,
        "start": str(_unix(since, 1_000_000)),
        "end": str(_unix(until, 1_000_000)),
        "minDuration": f"{round(slower.total_seconds() * 1000)}ms",
        "limit": "20",
    }
    return f"{tools.traces}/search?{urlencode(parameters)}"


def profile(tools: Tools, slo: Slo, *, since: datetime, until: datetime) -> str:
    """Return Pyroscope's page for the service's profile in the burn window."""
    parameters = {
        "query": f'process_cpu{{service_name="{_quoted(slo.service)}"}}',
        "from": str(_unix(since, 1000)),
        "until": str(_unix(until, 1000)),
    }
    return f"{tools.profiles}/pyroscope?{urlencode(parameters)}"


def _unix(instant: datetime, per_second: int) -> int:
    return round(instant.timestamp() * per_second)


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
