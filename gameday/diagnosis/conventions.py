"""How rate, errors and duration of a service are asked for: by the convention of its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from gameday.model.placeholders import filled

__all__ = ["PRESETS", "Convention", "SHOP"]


@dataclass(frozen=True, slots=True)
class Convention:
    """Three PromQL expressions with ``{service}``, ``{label}`` and ``{window}``.

    A series' ``region`` and ``code`` are read where it has them.

    Attributes:
        rate: requests per second.
        errors: share of requests that fail, 0–1; empty: not measured.
        duration: how long requests take, in seconds; empty: not measured.
        label: which label tells services apart.
    """

    rate: str
    errors: str
    duration: str
    label: str = "service"

    def of(self, service: str, *, window: timedelta) -> tuple[str, ...]:
        """Return the expressions for one service, those there are.

        Args:
            window: how far back the rates look.
        """
        said = service.replace("\\", "\\\\").replace('"', '\\"')
        seconds = max(1, round(window.total_seconds()))
        values = {"service": said, "window": f"{seconds}s", "label": self.label}
        return tuple(filled(e, values) for e in (self.rate, self.errors, self.duration) if e)


def _histogram(metric: str, *, by: str, code: str) -> Convention:
    """Return the convention of one histogram of durations in seconds with a label of the status."""
    of = '{{label}="{service}"}'
    failed = f'{{{{label}}="{{service}}",{code}=~"5.."}}'
    whole = f"sum by ({by}) (rate({metric}_count{of}[{{window}}]))"
    return Convention(
        rate=f"sum by ({by}, {code}) (rate({metric}_count{of}[{{window}}]))",
        errors=f"sum by ({by}) (rate({metric}_count{failed}[{{window}}])) / {whole}",
        duration=(
            f"histogram_quantile(0.9, sum by ({by}, le) (rate({metric}_bucket{of}[{{window}}])))"
        ),
    )


SHOP = _histogram("http_server_request_duration_seconds", by="service, region", code="code")
"""The embedded shop's."""

_OF_PROXY = '{{label}="{service}"}'

PRESETS: Mapping[str, Convention] = {
    # HAProxy's own exporter. It counts answers by class and has no histogram: the duration is the
    # mean of the last 1024 answers of a server, so it lags behind what users feel.
    "haproxy": Convention(
        rate=(
            "sum by ({label}, code) "
            f"(rate(haproxy_backend_http_responses_total{_OF_PROXY}[{{window}}]))"
        ),
        errors=(
            'sum by ({label}) (rate(haproxy_backend_http_responses_total{{label}="{service}",'
            'code="5xx"}[{window}])) / sum by ({label}) '
            f"(rate(haproxy_backend_http_responses_total{_OF_PROXY}[{{window}}]))"
        ),
        duration=f"max by ({{label}}) (haproxy_backend_total_time_average_seconds{_OF_PROXY})",
        label="proxy",
    ),
    # What Prometheus' own instrumentation guide and most client libraries' middlewares write.
    "prometheus": _histogram("http_request_duration_seconds", by="{label}, region", code="code"),
}
"""Those there are, by the name a system gives them."""
