"""Traces and profiles of a store that names things otherwise than the system's metrics do.

Whoever reads them asks by the system's own names of services, and is answered in them; where a
process runs is said in one place, whatever the system calls regions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from gameday.model.service_names import ServiceNames
from gameday.model.signals import Profile, Span, Trace
from gameday.ports import ProfileSource, TraceSource

__all__ = ["RenamedProfiles", "RenamedTraces"]

_PEER = "peer.service"
"""The attribute of a span that names another service."""

_PLACE = "cloud.region"
"""The attribute of a process that says in which region it runs."""

_NO_LABEL = re.compile(r"\W")
"""What of an attribute's name becomes an underscore in a label of Prometheus'."""


class RenamedTraces:
    """Traces with services under our names; fulfils `gameday.ports.TraceSource`."""

    def __init__(self, inner: TraceSource, names: ServiceNames, *, region: str = "") -> None:
        """Read these traces.

        Args:
            region: the label of metrics that tells regions apart; empty: nobody says.
        """
        self._inner = inner
        self._names = names
        self._region = region

    async def search(
        self,
        *,
        service: str,
        since: datetime,
        until: datetime,
        min_duration: timedelta | None = None,
        errors_only: bool = False,
        limit: int = 20,
    ) -> Sequence[Trace]:
        """Return traces of the service that we call so; see `gameday.ports.TraceSource`."""
        found = await self._inner.search(
            service=self._names.to_theirs(service),
            since=since,
            until=until,
            min_duration=min_duration,
            errors_only=errors_only,
            limit=limit,
        )
        return [self._renamed(trace) for trace in found]

    async def trace(self, trace_id: str) -> Trace | None:
        """Return one trace, or None."""
        found = await self._inner.trace(trace_id)
        return None if found is None else self._renamed(found)

    def _renamed(self, trace: Trace) -> Trace:
        return replace(trace, spans=tuple(self._span(span) for span in trace.spans))

    def _span(self, span: Span) -> Span:
        if self._region:
            span = replace(span, resource=self._placed(span.resource))
        service, peer = self._names.to_ours(span.service), span.attributes.get(_PEER)
        if isinstance(peer, str) and self._names.to_ours(peer) != peer:
            attributes = {**span.attributes, _PEER: self._names.to_ours(peer)}
            return replace(span, service=service, attributes=attributes)
        return span if service == span.service else replace(span, service=service)

    def _placed(self, resource: Mapping[str, object]) -> Mapping[str, object]:
        """Return what a process says of itself, with its region where `region_of` looks first."""
        told = (v for k, v in resource.items() if _NO_LABEL.sub("_", k) == self._region)
        region = next(told, None)
        return resource if region is None else {**resource, _PLACE: region}


class RenamedProfiles:
    """Profiles asked for by our names of services; fulfils `gameday.ports.ProfileSource`."""

    def __init__(self, inner: ProfileSource, names: ServiceNames) -> None:
        self._inner = inner
        self._names = names

    async def by_trace(
        self, *, service: str, trace_ids: Sequence[str], since: datetime, until: datetime
    ) -> Profile:
        """Return the stacks of the service that we call so; see `gameday.ports.ProfileSource`."""
        return await self._inner.by_trace(
            service=self._names.to_theirs(service),
            trace_ids=trace_ids,
            since=since,
            until=until,
        )
