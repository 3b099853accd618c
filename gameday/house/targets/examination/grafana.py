"""Whether the data sources are there through which tools of a document are reached."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from gameday.house.targets.examination.inquiry import Inquiry
from gameday.house.targets.examination.look import Look, named_source
from gameday.model.access import GrafanaSource, Reached

__all__ = ["grafana"]

_GOES_ON_WITHOUT = ("traces", "profiles")


def grafana(look: Look) -> Iterator[Inquiry]:
    """Ask after every data source that a document names, once."""
    told: dict[GrafanaSource, bool] = {}
    for where, place in look.system.spec.places():
        if isinstance(place, Reached) and place.grafana is not None:
            bars = where[0] not in _GOES_ON_WITHOUT
            told[place.grafana] = told.get(place.grafana, False) or bars
    for source, bars in told.items():
        yield Inquiry(named_source(source), partial(_there, look, source), bars=bars)


async def _there(look: Look, source: GrafanaSource) -> str:
    trouble = look.troubles.get(source)
    if trouble is not None:
        raise trouble
    return f"is asked through {source.url}"
