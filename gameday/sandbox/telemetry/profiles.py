"""Profiles of the last minutes, merged on request by labels, time and trace id."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from time import time_ns
from typing import Any

from gameday.sandbox.telemetry import pprof
from gameday.sandbox.telemetry.intake import Refusal
from gameday.sandbox.telemetry.pprof import Frames, StackFrame
from gameday.sandbox.telemetry.selector import Selector

DEFAULT_TYPE = "process_cpu:cpu:nanoseconds:cpu:nanoseconds"
_OVERHEAD_BYTES = 1000

Merged = Mapping[Frames, int]
"""Value (nanoseconds, for the sandbox's agents) by stack, root first."""


@dataclass(frozen=True, slots=True)
class StoredProfile:
    """One pprof as pushed, compressed: most are never asked for."""

    labels: Mapping[str, str]
    types: tuple[tuple[str, str], ...]
    start: int
    end: int
    arrived: int
    data: bytes


class ProfileStore:
    """A ring of pushed profiles, bounded by age and by memory."""

    def __init__(
        self, *, retention: timedelta, memory_bytes: int, now: Callable[[], int] = time_ns
    ) -> None:
        self._retention = round(retention.total_seconds() * 10**9)
        self._memory_bytes = memory_bytes
        self._now = now
        self._held: deque[StoredProfile] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._held)

    def push(self, body: bytes) -> int:
        """Take one push request (plain protobuf); return how many profiles it held.

        Raises:
            Refusal: the body or a profile in it cannot be read; then nothing of it is kept.
        """
        fresh: list[StoredProfile] = []
        arrived = self._now()
        for series in pprof.parse("PushRequest", body).series:
            labels = {pair.name: pair.value for pair in series.labels}
            if "service_name" not in labels:
                raise Refusal("a pushed series has no label service_name")
            fresh += [self._read(labels, raw.raw_profile, arrived) for raw in series.samples]
        for profile in fresh:
            self._held.append(profile)
            self._bytes += len(profile.data) + _OVERHEAD_BYTES
        self._evict()
        return len(fresh)

    def merge(
        self,
        selector: Selector,
        *,
        since: int,
        until: int,
        profile_type: str = DEFAULT_TYPE,
        trace_ids: Sequence[str] = (),
        span_ids: Sequence[str] = (),
    ) -> Merged:
        """Return the stacks of every sample selected, added up.

        Args:
            selector: over the series' labels together with a sample's own, as Pyroscope splits
                a profile by its sample labels.
            since, until: Unix nanoseconds; a profile counts if it overlaps them.
            profile_type: ``name:type:unit:period type:period unit``; later parts may be absent.
            trace_ids: lower-case hex; only samples tagged with one of them. Empty: all samples.
        """
        self._evict()
        name, _, rest = profile_type.partition(":")
        kind = tuple(rest.split(":")[:2]) if rest else ()
        traces, spans = frozenset(trace_ids), frozenset(span_ids)
        merged: dict[Frames, int] = {}
        for held in self._held:
            if held.end < since or held.start > until:
                continue
            if name and held.labels.get("__name__", "process_cpu") != name:
                continue
            index = _value_index(held, kind)
            if index is None:
                continue
            labels = held.labels

            def wanted(own: dict[str, str], labels: Mapping[str, str] = labels) -> bool:
                if traces and own.get("trace_id", "").lower() not in traces:
                    return False
                if spans and own.get("span_id", "").lower() not in spans:
                    return False
                return selector.matches({**own, **labels})

            profile = pprof.parse("Profile", zlib.decompress(held.data))
            for frames, value in pprof.stacks(profile, value_index=index, wanted=wanted):
                merged[frames] = merged.get(frames, 0) + value
        return merged

    def services(self) -> Sequence[str]:
        """Return the services profiles came from, sorted."""
        self._evict()
        return sorted({held.labels["service_name"] for held in self._held})

    def forget(self) -> None:
        """Drop everything."""
        self._held.clear()
        self._bytes = 0

    def _read(self, labels: Mapping[str, str], raw: bytes, arrived: int) -> StoredProfile:
        plain = pprof.unpack(raw)
        profile = pprof.parse("Profile", plain)
        types = pprof.sample_types(profile)
        if not types:
            raise Refusal("a pushed profile has no sample type")
        start = profile.time_nanos or arrived
        return StoredProfile(
            labels=labels,
            types=types,
            start=start,
            end=start + max(0, profile.duration_nanos),
            arrived=arrived,
            data=zlib.compress(plain, 1),
        )

    def _evict(self) -> None:
        oldest = self._now() - self._retention
        while self._held and (self._held[0].arrived < oldest or self._bytes > self._memory_bytes):
            self._bytes -= len(self._held.popleft().data) + _OVERHEAD_BYTES


def _value_index(held: StoredProfile, kind: tuple[str, ...]) -> int | None:
    if not kind:
        return len(held.types) - 1  # pprof: the last one is shown where none is asked for
    return held.types.index(kind) if kind in held.types else None


def flamegraph(merged: Merged, *, max_nodes: int = 0) -> dict[str, Any]:
    """Return Pyroscope's flame graph of these stacks, int64 as text, as Connect writes it.

    ``levels`` holds four numbers a node: offset from the end of the node before it on its level,
    total, self, index into ``names``. Nodes with one name under one parent are one node; frames
    deeper than fit in ``max_nodes`` (0: no limit) are folded into ``other``.
    """
    root = _Node()
    for frames, value in merged.items():
        root.add(frames, value)
    floor = _smallest_total(root, max_nodes)
    names: dict[str, int] = {"total": 0}
    levels: list[list[int]] = []
    ends: list[int] = []
    largest = 0
    pending: list[tuple[_Node, str, int, int]] = [(root, "total", 0, 0)]
    while pending:
        node, name, left, depth = pending.pop()
        if depth == len(levels):
            levels.append([])
            ends.append(0)
        index = names.setdefault(name, len(names))
        levels[depth] += [left - ends[depth], node.total, node.own, index]
        ends[depth] = left + node.total
        largest = max(largest, node.own)
        kept = [(n, c) for n, c in sorted(node.children.items()) if c.total >= floor]
        folded = node.total - node.own - sum(c.total for _, c in kept)
        if folded > 0:
            kept.append(("other", _Node(total=folded, own=folded)))
        inner = []
        left += node.own
        for child_name, child in kept:
            inner.append((child, child_name, left, depth + 1))
            left += child.total
        pending += reversed(inner)  # leftmost first within its level: offsets are relative
    return {
        "names": list(names),
        "levels": [{"values": [str(v) for v in level]} for level in levels],
        "total": str(root.total),
        "maxSelf": str(largest),
    }


class _Node:
    __slots__ = ("children", "own", "total")

    def __init__(self, total: int = 0, own: int = 0) -> None:
        self.children: dict[str, _Node] = {}
        self.total = total
        self.own = own

    def add(self, frames: Sequence[StackFrame], value: int) -> None:
        node = self
        node.total += value
        for frame in frames:
            node = node.children.setdefault(frame.function, _Node())
            node.total += value
        node.own += value


def _smallest_total(root: _Node, max_nodes: int) -> int:
    if max_nodes <= 0:
        return 0
    totals: list[int] = []
    pending = [root]
    while pending:
        node = pending.pop()
        totals.append(node.total)
        pending += node.children.values()
    totals.sort(reverse=True)
    return totals[max_nodes - 1] if len(totals) > max_nodes else 0


def to_pprof_json(merged: Merged, *, profile_type: str, since: int, until: int) -> dict[str, Any]:
    """Return these stacks as a google.v1.Profile in JSON: the form that has files and lines."""
    strings: dict[str, int] = {"": 0}

    def text(value: str) -> str:
        return str(strings.setdefault(value, len(strings)))

    parts = [*profile_type.split(":"), "", "", "", "", ""]
    functions: dict[tuple[str, str], int] = {}
    locations: dict[StackFrame, int] = {}
    samples = []
    for frames, value in merged.items():
        ids = []
        for place in reversed(frames):
            functions.setdefault((place.function, place.file), len(functions) + 1)
            ids.append(str(locations.setdefault(place, len(locations) + 1)))
        samples.append({"locationId": ids, "value": [str(value)]})
    return {
        "sampleType": [{"type": text(parts[1]), "unit": text(parts[2])}],
        "sample": samples,
        "location": [
            {
                "id": str(number),
                "line": [
                    {
                        "functionId": str(functions[place.function, place.file]),
                        "line": str(place.line),
                    }
                ],
            }
            for place, number in locations.items()
        ],
        "function": [
            {
                "id": str(number),
                "name": text(name),
                "systemName": text(name),
                "filename": text(file),
            }
            for (name, file), number in functions.items()
        ],
        "periodType": {"type": text(parts[3]), "unit": text(parts[4])},
        "timeNanos": str(since),
        "durationNanos": str(until - since),
        "stringTable": list(strings),
    }
