"""Profiles of single traces out of Pyroscope, by its querier over Connect's JSON.

Which call: ``SelectMergeStacktraces`` in the format *pprof*, because a flame graph names functions
only and blaming needs their file and line. Servers that do not know that format answer with a
flame graph and are asked by the older ``SelectMergeProfile``, which always speaks pprof.

Which filter: ``traceIdSelector``. Servers before mid-2026 do not know it and, as protobuf does,
ignore it in silence: the answer then is everybody's profile. So whether a server knows it is
tried once with a trace id that nobody has; where that gives a profile too, the tag is selected as
an ordinary label, which is what those servers make of a sample's tags.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from gameday.errors import PermanentDriverError
from gameday.http.credentials import NO_CREDENTIALS, Credentials
from gameday.http.tool import HttpTool
from gameday.model.signals import Frame, Profile, Stack

__all__ = ["PyroscopeProfiles"]

WALL_CLOCK = "process_cpu:cpu:nanoseconds:cpu:nanoseconds"
"""The type Python's agent pushes; in wall-clock mode its values are wall time all the same."""
_QUERIER = "/querier.v1.QuerierService"
_UNKNOWN = (400, 404, 415, 501)
"""How servers say that they do not know a call, a format or a field."""
_PUSH_INTERVAL = timedelta(seconds=15)
_LABEL = "trace_id"


class PyroscopeProfiles:
    """The profiles of one Pyroscope; fulfils `gameday.ports.ProfileSource`."""

    def __init__(
        self,
        url: str,
        *,
        profile_type: str = WALL_CLOCK,
        timeout: timedelta = timedelta(seconds=15),
        pause: timedelta = timedelta(milliseconds=200),
        credentials: Credentials = NO_CREDENTIALS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Remember where Pyroscope is, e.g. ``http://127.0.0.1:4040``.

        Args:
            url: its base URL.
            profile_type: what to read; its values must be nanoseconds.
            timeout: of one request.
            pause: before a request is tried again.
            credentials: what is shown, and whom to believe.
            transport: another way than the network, for tests.
        """
        self._tool = HttpTool(
            "Pyroscope",
            url,
            timeout=timeout,
            pause=pause,
            credentials=credentials,
            transport=transport,
        )
        self._profile_type = profile_type
        self._selects_traces: bool | None = None  # None: not tried yet

    async def by_trace(
        self, *, service: str, trace_ids: Sequence[str], since: datetime, until: datetime
    ) -> Profile:
        """Return the stacks seen while these traces were served; empty where there are none.

        The span is widened by a push interval on both sides: a profile is filed under the time
        of its push, not of the request.

        Raises:
            DriverError: Pyroscope cannot be reached, refuses, or answers something else;
                permanent where one of these is no trace id.
        """
        ids = [_trace_id(text) for text in trace_ids]
        if not ids:
            return Profile(())
        span = (since - _PUSH_INTERVAL, until + _PUSH_INTERVAL)
        of_service = f'service_name="{_quoted(service)}"'
        if self._selects_traces is not False:
            found = await self._merge("{" + of_service + "}", ids, span)
            if found is not None and not found.stacks:
                return found
            if found is not None and await self._knows_trace_ids(of_service, span):
                return found
            self._selects_traces = False
        labelled = f'{{{of_service}, {_LABEL}=~"{"|".join(ids)}"}}'
        found = await self._merge(labelled, (), span)
        if found is None:
            raise PermanentDriverError(
                f"{self._tool.name} at {self._tool.url} has neither SelectMergeStacktraces nor"
                " SelectMergeProfile: check the URL and its version"
            )
        return found

    async def _knows_trace_ids(self, of_service: str, span: tuple[datetime, datetime]) -> bool:
        if self._selects_traces is None:
            nobody = await self._merge("{" + of_service + "}", [secrets.token_hex(16)], span)
            self._selects_traces = nobody is not None and not nobody.stacks
        return self._selects_traces

    async def _merge(
        self, selector: str, trace_ids: Sequence[str], span: tuple[datetime, datetime]
    ) -> Profile | None:
        """Return what a selection holds; None where the server does not know such a call."""
        question: dict[str, Any] = {
            "profileTypeID": self._profile_type,
            "labelSelector": selector,
            "start": str(_milliseconds(span[0])),
            "end": str(_milliseconds(span[1])),
        }
        if trace_ids:
            question["traceIdSelector"] = list(trace_ids)
        status, answer = await self._tool.post(
            f"{_QUERIER}/SelectMergeStacktraces",
            {**question, "format": "PROFILE_FORMAT_PPROF"},
            accept=_UNKNOWN,
        )
        if status < 300 and isinstance(answer, dict) and "pprof" in answer:
            return self._profile((answer["pprof"] or {}).get("profile") or {})
        status, answer = await self._tool.post(
            f"{_QUERIER}/SelectMergeProfile", question, accept=_UNKNOWN
        )
        return self._profile(answer) if status < 300 else None

    def _profile(self, answer: Any) -> Profile:
        try:
            return read_pprof(answer)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise PermanentDriverError(
                f"{self._tool.name} at {self._tool.url} answers with something that is not a"
                f" pprof in JSON ({type(error).__name__}: {error})"
            ) from error


def read_pprof(raw: Mapping[str, Any]) -> Profile:
    """Return the stacks of a google.v1.Profile in JSON, the heaviest first.

    protobuf's JSON writes int64 as text and leaves zeroes out.
    """
    strings: Sequence[str] = raw.get("stringTable") or [""]

    def text(entry: Mapping[str, Any], name: str) -> str:
        return str(strings[int(entry.get(name, 0))])

    functions = {
        int(f["id"]): (text(f, "name"), text(f, "filename")) for f in raw.get("function") or ()
    }
    frames = {
        int(location["id"]): tuple(
            Frame(*functions[int(line["functionId"])], line=int(line.get("line", 0)))
            for line in location.get("line") or ()
        )
        for location in raw.get("location") or ()
    }
    stacks = []
    for sample in raw.get("sample") or ():
        # pprof has the leaf first, in locations and in a location's inlined lines.
        leaf_first = [f for number in sample.get("locationId") or () for f in frames[int(number)]]
        nanoseconds = int((sample.get("value") or [0])[0])
        if leaf_first and nanoseconds > 0:
            time = timedelta(microseconds=nanoseconds / 1000)
            stacks.append(Stack(tuple(reversed(leaf_first)), time))
    return Profile(tuple(sorted(stacks, key=lambda stack: stack.time, reverse=True)))


def _trace_id(text: str) -> str:
    if not re.fullmatch("[0-9a-fA-F]{1,32}", text):
        raise PermanentDriverError(f"{text[:64]!r} is not a trace id: 32 hex digits")
    return text.lower().zfill(32)  # Tempo shortens ids; Pyroscope wants all digits


def _milliseconds(instant: datetime) -> int:
    return round(instant.astimezone(UTC).timestamp() * 1000)


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
