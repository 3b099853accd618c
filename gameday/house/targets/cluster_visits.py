"""Whether a cluster's shop serves its visitors, as its own Prometheus sees them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from gameday.drivers.kubernetes import Cluster
from gameday.errors import DriverError, TemporaryDriverError
from gameday.house.targets.cluster_faults import service_path
from gameday.model.slo import Slo

SERVED_WITHIN = timedelta(seconds=120)
"""Prometheus has to find the pods, ask them twice, and see some seconds of good visits."""

WINDOW = timedelta(seconds=5)
"""Of the rates looked at: five scrapes, and short enough to forget a bad start soon."""

GOOD_SHARE = 0.95
"""Of a region's visits. An outage leaves far less; of the 25 in a window one may be slow."""

Ask = Callable[[str, Mapping[str, str]], Any]
"""Returns the ``data`` of Prometheus' answer to a GET of a path with parameters."""


def until_served(
    cluster: Cluster, namespace: str, slos: Iterable[Slo], regions: Sequence[str]
) -> None:
    """Return when every pod that counts is asked, and visitors of every region are served well.

    SLOs that this Prometheus does not count by region are left out.

    Raises:
        TemporaryDriverError: not in time; says which region serves badly, or who is not asked.
    """
    service = service_path(namespace, "prometheus")

    def ask(path: str, parameters: Mapping[str, str]) -> Any:
        target = f"{service}{path}?{urlencode(parameters)}"
        return json.loads(cluster.exchange("GET", target).body)["data"]

    counted = [slo for slo in slos if slo.good_query and slo.total_query]
    deadline = time.monotonic() + SERVED_WITHIN.total_seconds()
    while True:
        try:
            missing = unseen(ask) or unserved(ask, counted, regions)
        except (DriverError, ValueError, KeyError, TypeError) as problem:
            missing = f"Prometheus does not answer as it should ({problem})"
        if not missing:
            return
        if time.monotonic() > deadline:
            raise TemporaryDriverError(
                f"the shop in {namespace!r} is up, but after {SERVED_WITHIN.total_seconds():.0f} s"
                f" {missing}; `kubectl -n {namespace} get pods` and the logs of those named may"
                " say why"
            )
        time.sleep(1)


def unseen(ask: Ask) -> str:
    """Return what is wrong with Prometheus' targets; empty: all of them answer."""
    found = ask("/api/v1/targets", {"state": "active"}).get("activeTargets") or ()
    if not found:
        return "Prometheus has found no pod to ask"
    silent = sorted(
        str(t["labels"].get("pod") or t.get("scrapeUrl")) for t in found if t["health"] != "up"
    )
    return f"Prometheus gets no answer from {', '.join(silent)}" if silent else ""


def unserved(ask: Ask, slos: Iterable[Slo], regions: Sequence[str]) -> str:
    """Return which region serves badly, or nobody, just now; empty: all of them serve well."""
    for slo in slos:
        counts = f"count by (region) ({slo.total_query})"
        if not _by_region(ask, counts).keys() & set(regions):
            continue  # counted elsewhere, or not by region
        total = _by_region(ask, _rate(slo.total_query))
        good = _by_region(ask, _rate(slo.good_query))
        for region in regions:
            if not total.get(region):
                return f"nobody visits {region} (SLO {slo.id})"
            share = good.get(region, 0.0) / total[region]
            if share < GOOD_SHARE:
                return (
                    f"only {share:.0%} of the visits to {region} are good (SLO {slo.id};"
                    f" {_failing(ask) or 'no hop fails: they are slow'})"
                )
    return ""


def _failing(ask: Ask) -> str:
    """Return the hops on which calls fail just now, for people."""
    failed = (
        "sum by (service, region, downstream)"
        f'(rate(http_client_request_duration_seconds_count{{code!~"200|ok"}}[{_window()}])) > 0'
    )
    hops = sorted(
        "{service} → {downstream} in {region}".format_map(_Labels(one["metric"]))
        for one in ask("/api/v1/query", {"query": failed})["result"]
    )
    return f"failing: {', '.join(hops)}" if hops else ""


def _by_region(ask: Ask, query: str) -> dict[str, float]:
    found = ask("/api/v1/query", {"query": query})["result"]
    return {str(one["metric"].get("region", "")): float(one["value"][1]) for one in found}


def _rate(selector: str) -> str:
    return f"sum by (region) (rate({selector}[{_window()}]))"


def _window() -> str:
    return f"{WINDOW.total_seconds():.0f}s"


class _Labels(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "?"
