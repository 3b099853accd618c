"""A first look at a system: what its Prometheus and its Alertmanager tell of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any

from gameday.drafts.regions import LabelValues, may_tell_regions
from gameday.drafts.sources import Source, sources
from gameday.drafts.survey import ClusterSeen, Survey, place
from gameday.drivers.alertmanager import AlertmanagerRoutes, PolledPages
from gameday.drivers.prometheus import PrometheusSurvey
from gameday.errors import PermanentDriverError, TemporaryDriverError, UsageError
from gameday.house.targets.declared_cluster import without_doors
from gameday.http.credentials import credentials_of
from gameday.model.access import Reached

__all__ = ["seen_at"]

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


async def seen_at(
    prometheus: Reached,
    alertmanager: Reached | None,
    *,
    elsewhere: Mapping[str, Any],
    service_label: str = "",
    region_label: str = "",
    cluster: ClusterSeen | None = None,
) -> Survey:
    """Return what is seen of a system; changes nothing.

    Args:
        alertmanager: None: the one that Prometheus sends to.
        elsewhere: how that one is asked, but for its address.
        service_label: tells services apart instead of a preset's own; empty: the preset's.
        region_label: tells regions apart, whatever it is called; empty: each that may.
        cluster: what was seen of the cluster it runs in already.

    Raises:
        UsageError: no Alertmanager is named, and Prometheus names none either.
        DriverError: one of them does not answer, refuses, or is something else.
    """
    places = [place for place in (prometheus, alertmanager) if place is not None]
    try:
        return await _seen(
            prometheus, alertmanager, elsewhere, service_label, region_label, cluster
        )
    except TemporaryDriverError as error:
        told = without_doors(str(error), places)
        raise TemporaryDriverError(told, retry_after=error.retry_after) from error
    except PermanentDriverError as error:
        raise PermanentDriverError(without_doors(str(error), places)) from error


async def _seen(
    prometheus: Reached,
    alertmanager: Reached | None,
    elsewhere: Mapping[str, Any],
    service_label: str,
    region_label: str,
    cluster: ClusterSeen | None,
) -> Survey:
    for flag, label in (("--service-label", service_label), ("--region-label", region_label)):
        if label and not _LABEL.fullmatch(label):
            raise UsageError(f"{flag}: {label!r} is no name of a label")
    asked = PrometheusSurvey(str(prometheus.url), credentials=credentials_of(prometheus))
    await _knocked(asked)
    rules, services, sent_to = await asyncio.gather(
        asked.loaded_rules(), _services(asked, service_label), asked.alertmanagers()
    )
    is_foretold = alertmanager is None
    if alertmanager is None:
        if not sent_to:
            raise UsageError(
                f"--alertmanager: Prometheus at {place(prometheus)} names none that it sends alerts"
                " to; say where it is"
            )
        alertmanager = Reached.model_validate({**elsewhere, "url": sent_to[0]})
    routes, has_watchdog = await _pages(alertmanager)
    where = await _where(
        asked, [source for source, names in services.items() if names], region_label
    )
    return Survey(
        prometheus=prometheus,
        alertmanager=alertmanager,
        is_foretold=is_foretold,
        services=services,
        rules=rules,
        routes=routes,
        has_watchdog=has_watchdog,
        service_label=service_label,
        cluster=cluster,
        where=where,
    )


async def _knocked(asked: PrometheusSurvey) -> None:
    """Return where a Prometheus answers that tells its rules; else say what may be the matter."""
    try:
        await asked.values("vector(1)")
    except PermanentDriverError as error:
        raise PermanentDriverError(
            f"{error}; see that this is the base URL of a Prometheus, without /graph, and, where"
            " it wants to know who asks, name the token's variable: --bearer-token-env"
        ) from error
    try:
        await asked.loaded_rules()
    except PermanentDriverError as error:
        raise PermanentDriverError(
            f"{error}; a drill has to know the alert's rule: name the Prometheus, or the ruler,"
            " that evaluates it"
        ) from error


async def _services(asked: PrometheusSurvey, label: str) -> Mapping[Source, tuple[str, ...]]:
    """Return the services that are told apart now, by each source whose metric is there."""
    every = sources()
    present = await asked.metrics_among([source.metric for source in every])
    there = [s.by_label(label) if label else s for s in every if s.metric in present]
    return {source: await asked.values_of(source.listing, source.label) for source in there}


async def _where(
    asked: PrometheusSurvey, present: Sequence[Source], region_label: str
) -> Mapping[tuple[Source, str], LabelValues]:
    """Return what the labels hold that may tell regions apart, by source and service."""
    found: dict[tuple[Source, str], dict[str, set[str]]] = {}
    for source in present:
        told = [region_label] if region_label else await asked.labels_of(source.listing)
        labels = [
            label
            for label in told
            if label != source.label and (region_label or may_tell_regions(label))
        ]
        if not labels:
            continue
        for series in await asked.told_by(source.listing, [source.label, *labels]):
            held = found.setdefault((source, series.get(source.label, "")), {})
            for label in labels:
                held.setdefault(label, set()).add(series.get(label, ""))
    return {
        key: {label: tuple(sorted(values)) for label, values in held.items()}
        for key, held in found.items()
    }


async def _pages(alertmanager: Reached) -> tuple[Mapping[str, object] | None, bool]:
    credentials = credentials_of(alertmanager)
    pages = PolledPages(alertmanager.url, lambda _: None, credentials=credentials)
    try:
        has_watchdog = await pages.beats()
    except PermanentDriverError as error:
        raise PermanentDriverError(
            f"{error}; see that this is the base URL of an Alertmanager, and, where it wants to"
            " know who asks, name the token's variable: --alertmanager-token-env"
        ) from error
    try:
        routes = await AlertmanagerRoutes(alertmanager.url, credentials=credentials).configuration()
    except PermanentDriverError:
        return None, has_watchdog  # Mimir's and Grafana's tell alerts, and not their configuration
    return routes, has_watchdog
