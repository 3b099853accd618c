"""A survey of a system, as a look at it might have found it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from gameday.drafts.regions import LabelValues
from gameday.drafts.sources import Source, sources
from gameday.drafts.survey import ClusterSeen, Survey
from gameday.model.access import Reached
from gameday.rules.loaded import LoadedRule, LoadedRules

METRIC = "haproxy_backend_http_responses_total"


def source_of(preset: str) -> Source:
    return next(source for source in sources() if source.preset == preset)


def alert(
    name: str,
    query: str,
    wait: timedelta = timedelta(0),
    labels: Mapping[str, str] | None = None,
) -> LoadedRule:
    return LoadedRule(name, query, is_alert=True, for_=wait, labels=labels or {})


FAILING = alert(
    "PagesFailing",
    f'sum(rate({METRIC}{{code="5xx",proxy="pages"}}[1h])) /'
    f' sum(rate({METRIC}{{proxy="pages"}}[1h])) > 0.1 and'
    f' sum(rate({METRIC}{{code="5xx",proxy="pages"}}[5m])) /'
    f' sum(rate({METRIC}{{proxy="pages"}}[5m])) > 0.1',
)


def surveyed(
    *rules: LoadedRule,
    services: Mapping[str, tuple[str, ...]] | None = None,
    access: Mapping[str, Any] | None = None,
    routes: Mapping[str, object] | None = None,
    service_label: str = "",
    labels: LabelValues | None = None,
    places: tuple[tuple[str, ...], ...] = (),
) -> Survey:
    """Return a survey; what labels hold is of every service's requests, and places are of nodes."""
    told = access or {}
    found = {"haproxy": ("pages",)} if services is None else services
    seen = {source_of(preset): names for preset, names in found.items()}
    if service_label:
        seen = {source.by_label(service_label): names for source, names in seen.items()}
    return Survey(
        prometheus=Reached.model_validate({**told, "url": "https://prometheus.example"}),
        alertmanager=Reached.model_validate({**told, "url": "https://alertmanager.example"}),
        is_foretold=False,
        services=seen,
        rules=LoadedRules.of(rules),
        routes=routes,
        has_watchdog=False,
        service_label=service_label,
        cluster=ClusterSeen("prod", "v1.31.0", ("books",), places=places) if places else None,
        where={(s, name): labels or {} for s, names in seen.items() for name in names},
    )
