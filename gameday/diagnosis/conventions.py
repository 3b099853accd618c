"""How metrics are called by those who count requests, and the RED queries that follow from it.

A convention is data: what its metrics and labels are called, by the source that stands beside it.
The queries are the same for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gameday.diagnosis.queries import RedQueries
from gameday.model.red import Histograms, RedPreset

__all__ = ["DEFAULT", "PRESETS", "Convention", "MetricNames", "ServiceLabel"]

QUANTILE = 0.9
"""The duration drawn is the one that this share of the requests keeps within."""

_MEAN = "duration is the mean of a window: a few slow requests hardly move it"


@dataclass(frozen=True, slots=True)
class ServiceLabel:
    """A label that tells services apart.

    Attributes:
        before, after: what may stand around the service's name, as a regular expression.
    """

    name: str
    before: str = ""
    after: str = ""

    @property
    def matcher(self) -> str:
        """Return the PromQL that selects a service, with its name in braces."""
        if self.before or self.after:
            return f'{self.name}=~"{self.before}{{service_pattern}}{self.after}"'
        return f'{self.name}="{{service}}"'


@dataclass(frozen=True, slots=True)
class MetricNames:
    """What the metrics are called by which one program counts its requests.

    Attributes:
        status: the label that tells failed requests from others.
        failed: its values that mean so, as a regular expression.
        duration: the histogram of durations, without ``_bucket``; empty: there is none.
        requests: the counter of requests; empty: the histogram's own count.
        mean: the gauge of the mean duration, where there is no histogram.
        per_second: units of the duration in a second: 1000 where it is in milliseconds.
        only: labels that the series have besides, with their values.
    """

    status: str
    failed: str
    duration: str = ""
    requests: str = ""
    mean: str = ""
    per_second: int = 1
    only: tuple[tuple[str, str], ...] = ()

    @property
    def counter(self) -> str:
        """Return the metric that counts requests, where histograms are classic."""
        return self.requests or f"{self.duration}_count"

    @property
    def operator(self) -> str:
        """Return by which operator of PromQL the status is compared with ``failed``."""
        return "=" if self.failed.isalnum() else "=~"

    def rate(self, services: Sequence[str], histograms: Histograms, *, by: str) -> str:
        """Return the expression of requests per second."""
        return f"sum by ({by}) ({self._requests(services, histograms)})"

    def errors(self, services: Sequence[str], histograms: Histograms) -> str:
        """Return the expression of the share of requests that fail."""
        failing = f'{self.status}{self.operator}"{self.failed}"'
        return (
            f"sum by ({{region}}) ({self._requests(services, histograms, failing)})"
            f" / sum by ({{region}}) ({self._requests(services, histograms)})"
        )

    def durations(self, services: Sequence[str], histograms: Histograms) -> str:
        """Return the expression of how long requests take, in seconds."""
        if self.mean:
            gauges = " or ".join(f"{self.mean}{self._selected(s)}" for s in services)
            found = f"max by ({{region}}) ({gauges})"
        elif histograms is Histograms.NONE:
            found = (
                f"sum by ({{region}}) ({self._rates(f'{self.duration}_sum', services)})"
                f" / sum by ({{region}}) ({self._rates(f'{self.duration}_count', services)})"
            )
        elif histograms is Histograms.NATIVE:
            found = (
                f"histogram_quantile({QUANTILE},"
                f" sum by ({{region}}) ({self._rates(self.duration, services)}))"
            )
        else:
            found = (
                f"histogram_quantile({QUANTILE},"
                f" sum by ({{region}}, le) ({self._rates(f'{self.duration}_bucket', services)}))"
            )
        return found if self.per_second == 1 else f"{found} / {self.per_second}"

    def _requests(self, services: Sequence[str], histograms: Histograms, failing: str = "") -> str:
        if histograms is Histograms.NATIVE and not self.requests:
            return f"histogram_count({self._rates(self.duration, services, failing)})"
        return self._rates(self.counter, services, failing)

    def _rates(self, metric: str, services: Sequence[str], failing: str = "") -> str:
        return " or ".join(
            f"rate({metric}{self._selected(service, failing)}[{{window}}])" for service in services
        )

    def _selected(self, service: str, failing: str = "") -> str:
        only = (f'{name}="{value}"' for name, value in self.only)
        return "{" + ",".join(part for part in (service, *only, failing) if part) + "}"


@dataclass(frozen=True, slots=True)
class Convention:
    """How those who follow it count requests.

    Attributes:
        services: the labels that may tell services apart; of a series the first it has counts.
        metrics: what the metrics are called, the newest names first. Where a region has series
            under several, the first are read: programs that are on their way from one to the
            other write both, and each request would count twice.
        notes: what whoever reads the signals has to know of them, each a sentence.
    """

    services: tuple[ServiceLabel, ...]
    metrics: tuple[MetricNames, ...]
    notes: tuple[str, ...] = ()

    def queries(
        self, histograms: Histograms = Histograms.CLASSIC, *, label: str | None = None
    ) -> RedQueries:
        """Return the queries of this convention.

        Args:
            histograms: how durations are stored.
            label: the label that tells services apart, where it is another than usual.
        """
        services = _matchers(self.services if label is None else (ServiceLabel(label),))
        # Alternatives are told apart by region alone: with the status they would not be the same
        # series, and both be drawn.
        by = "{region}" + (f", {self.metrics[0].status}" if len(self.metrics) == 1 else "")
        is_mean = histograms is Histograms.NONE and not any(m.mean for m in self.metrics)
        return RedQueries(
            rate=" or ".join(m.rate(services, histograms, by=by) for m in self.metrics),
            errors=" or ".join(m.errors(services, histograms) for m in self.metrics),
            duration=" or ".join(m.durations(services, histograms) for m in self.metrics),
            notes=(*self.notes, *((_MEAN,) if is_mean else ())),
        )


def _matchers(labels: Sequence[ServiceLabel]) -> tuple[str, ...]:
    """Return what selects a service by each label where the series has none of those before it."""
    return tuple(
        ",".join([*(f'{earlier.name}=""' for earlier in labels[:number]), label.matcher])
        for number, label in enumerate(labels)
    )


_FAILED = "5.."
"""Statuses of HTTP by which the server says that it failed; also classes of them, ``5xx``."""

_GRPC_FAILED = "(?i)(unknown|deadline_?exceeded|unimplemented|internal|unavailable|data_?loss)"
"""Statuses of gRPC by which the server, and not its client, failed; as Go and as Java write them.

Source: OpenTelemetry semantic conventions for gRPC, server spans, which codes are errors.
"""

# Where the resource's attributes become labels, `service_name` is one of them. Elsewhere the
# service is the job: of OTLP sent to Prometheus `service.namespace/service.name`, without the
# namespace where there is none; of what is scraped what the scrape configuration says.
# Source: OpenTelemetry specification, "Prometheus and OpenMetrics compatibility", resource
# attributes; Prometheus, "Using Prometheus as your OpenTelemetry backend", promoted attributes.
_JOB = ServiceLabel("job", before="(.+/)?")
_OTEL_SERVICES = (ServiceLabel("service_name"), _JOB)

DEFAULT = Convention(
    services=(ServiceLabel("service"),),
    metrics=(MetricNames("code", _FAILED, "http_server_request_duration_seconds"),),
).queries()
"""The queries where nobody says others; those that the sandbox is read by."""

PRESETS: Mapping[RedPreset, Convention] = {
    # Source: OpenTelemetry, "HTTP semantic convention stability migration": the name, the unit and
    # the label of the status changed together. Points become underscores, and the unit a suffix,
    # in exporters as in Prometheus' own OTLP receiver by default.
    RedPreset.OTEL_HTTP: Convention(
        services=_OTEL_SERVICES,
        metrics=(
            MetricNames(
                "http_response_status_code", _FAILED, "http_server_request_duration_seconds"
            ),
            MetricNames(
                "http_status_code",
                _FAILED,
                "http_server_duration_milliseconds",
                per_second=1000,
            ),
        ),
    ),
    # Source: grpc-ecosystem/go-grpc-prometheus, README, which its successor in go-grpc-middleware
    # and java-grpc-prometheus keep to; OpenTelemetry semantic conventions for RPC metrics, of
    # today and of version 1.37 (statuses were numbers then).
    RedPreset.GRPC: Convention(
        services=_OTEL_SERVICES,
        metrics=(
            MetricNames(
                "grpc_code",
                _GRPC_FAILED,
                "grpc_server_handling_seconds",
                requests="grpc_server_handled_total",
            ),
            MetricNames(
                "rpc_response_status_code", _GRPC_FAILED, "rpc_server_call_duration_seconds"
            ),
            MetricNames(
                "rpc_grpc_status_code",
                "2|4|12|13|14|15",
                "rpc_server_duration_milliseconds",
                per_second=1000,
            ),
        ),
    ),
    # Source: istio.io, "Istio Standard Metrics". Each request is counted on both sides; the
    # server's is taken, and in ambient mode, where it has no proxy, the waypoint's.
    RedPreset.ISTIO: Convention(
        services=(ServiceLabel("destination_service_name"),),
        metrics=tuple(
            MetricNames(
                "response_code",
                _FAILED,
                "istio_request_duration_milliseconds",
                requests="istio_requests_total",
                per_second=1000,
                only=(("reporter", reporter),),
            )
            for reporter in ("destination", "waypoint")
        ),
        notes=("requests that no proxy of the service received are not counted",),
    ),
    # Source: envoyproxy.io, "Cluster manager statistics" (`upstream_rq_<*xx>`, `upstream_rq_time`
    # in milliseconds), and the names of tags in Envoy's source/common/config/well_known_names.
    RedPreset.ENVOY: Convention(
        services=(ServiceLabel("envoy_cluster_name"),),
        metrics=(
            MetricNames(
                "envoy_response_code_class",
                "5",
                "envoy_cluster_upstream_rq_time",
                requests="envoy_cluster_upstream_rq_xx",
                per_second=1000,
            ),
        ),
    ),
    # Source: ingress-nginx, "Monitoring", and its internal/ingress/metric/collectors/socket.go.
    # Prometheus' operator calls the label `exported_service`, where `service` is the target's own.
    RedPreset.NGINX_INGRESS: Convention(
        services=(ServiceLabel("exported_service"), ServiceLabel("service")),
        metrics=(
            MetricNames(
                "status",
                _FAILED,
                "nginx_ingress_controller_request_duration_seconds",
                requests="nginx_ingress_controller_requests",
            ),
        ),
        notes=("duration is affected by how fast clients read",),
    ),
    # Source: HAProxy's own exporter, addons/promex/README. It counts answers by class, and has
    # the mean of the last 1024 answers for a duration.
    RedPreset.HAPROXY: Convention(
        services=(ServiceLabel("proxy"),),
        metrics=(
            MetricNames(
                "code",
                "5xx",
                requests="haproxy_backend_http_responses_total",
                mean="haproxy_backend_total_time_average_seconds",
            ),
        ),
        notes=(
            "duration is the mean of HAProxy's last 1024 answers, and no percentile: it lags"
            " behind what users feel",
        ),
    ),
    # Source: doc.traefik.io, "Metrics", service metrics. Services are called NAME@PROVIDER.
    RedPreset.TRAEFIK: Convention(
        services=(
            ServiceLabel("exported_service", after="(@.+)?"),
            ServiceLabel("service", after="(@.+)?"),
        ),
        metrics=(
            MetricNames(
                "code",
                _FAILED,
                "traefik_service_request_duration_seconds",
                requests="traefik_service_requests_total",
            ),
        ),
    ),
    # Source: linkerd.io, "Proxy Metrics". The label of the workload is written by the relabelling
    # of Linkerd's own scrape configuration; `direction` tells what was received from what was sent.
    RedPreset.LINKERD: Convention(
        services=(ServiceLabel("deployment"),),
        metrics=(
            MetricNames(
                "classification",
                "failure",
                "response_latency_ms",
                requests="response_total",
                per_second=1000,
                only=(("direction", "inbound"),),
            ),
        ),
        notes=("duration ends with the first byte of the answer",),
    ),
    # Source: docs.spring.io, Spring Boot Actuator, "Metrics", Spring MVC and WebFlux
    # (`http.server.requests`), as Micrometer's Prometheus registry writes it, and its OTLP
    # registry, whose unit is the millisecond. `application` is a common tag that many set.
    RedPreset.SPRING_BOOT: Convention(
        services=(ServiceLabel("application"), _JOB),
        metrics=(
            MetricNames("status", _FAILED, "http_server_requests_seconds"),
            MetricNames("status", _FAILED, "http_server_requests_milliseconds", per_second=1000),
        ),
    ),
    # What the client libraries' own middlewares write. Source: prometheus.io, "Metric and label
    # naming"; client_golang, promhttp, whose label of the status is `code`.
    RedPreset.PROMETHEUS: Convention(
        services=(ServiceLabel("service"), ServiceLabel("job")),
        metrics=(MetricNames("code", _FAILED, "http_request_duration_seconds"),),
    ),
}
"""How the metrics of each preset are called."""
