"""The tools of a system that are reached through a Grafana, each given the address it has there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from gameday.drivers.grafana import Grafana, proxy_of
from gameday.errors import DriverError, TemporaryDriverError
from gameday.http.credentials import credentials_of
from gameday.model.access import GrafanaSource, Reached
from gameday.model.system import System, Where

__all__ = ["with_sources"]

PATIENCE = timedelta(seconds=3)
"""How long Grafana is waited for, in which it answers a hundred times."""


async def with_sources(system: System) -> tuple[System, Mapping[GrafanaSource, DriverError]]:
    """Return a system whose data sources have addresses, and why one could not be looked up.

    One that could not has the address it would have if its name was its UID: whatever is asked
    there says itself what is wrong. A system that names none is returned as it is.
    """
    behind = [
        (where, place, place.grafana)
        for where, place in system.spec.places()
        if isinstance(place, Reached) and place.grafana is not None
    ]
    found = await asyncio.gather(*(_found(*one) for one in behind))
    spec, troubles = system.spec, {}
    for (where, place, source), (url, trouble) in zip(behind, found, strict=True):
        spec = spec.with_place(where, place.model_copy(update={"url": url}))
        if trouble is not None:
            troubles[source] = trouble
    return (system.model_copy(update={"spec": spec}) if behind else system), troubles


async def _found(
    where: Where, place: Reached, source: GrafanaSource
) -> tuple[str, DriverError | None]:
    taken = proxy_of(source.url, source.datasource)
    try:
        grafana = Grafana(source.url, credentials=credentials_of(place))
        asked = grafana.proxy(source.datasource, tool=str(where[-1]))
        return await asyncio.wait_for(asked, PATIENCE.total_seconds()), None
    except TimeoutError:
        said = f"Grafana at {source.url} gave no answer within {PATIENCE.total_seconds():g} s"
        return taken, TemporaryDriverError(f"{said}: see that it is up, and its URL")
    except DriverError as error:
        return taken, error
