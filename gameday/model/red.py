"""By what rate, errors and duration of a service are read, as a system's file names it."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Histograms", "RedPreset"]


class RedPreset(StrEnum):
    """A convention of metrics, by which rate, errors and duration of a service are read."""

    OTEL_HTTP = "otel-http"
    GRPC = "grpc"
    ISTIO = "istio"
    ENVOY = "envoy"
    NGINX_INGRESS = "nginx-ingress"
    HAPROXY = "haproxy"
    TRAEFIK = "traefik"
    LINKERD = "linkerd"
    SPRING_BOOT = "spring-boot"
    PROMETHEUS = "prometheus"


class Histograms(StrEnum):
    """How the durations that a preset reads are stored.

    Said and not tried out in the query: what reads native ones, VictoriaMetrics and Prometheus
    before 2.40 do not parse.
    """

    CLASSIC = "classic"
    """As series of their own, with the label ``le``."""
    NATIVE = "native"
    """As one series whose samples are histograms."""
    NONE = "none"
    """Not at all: there are sums and counts, and so a mean."""
