"""What the instruments of a production system say: series, traces, profiles, changes. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one series at one instant (UTC)."""

    at: datetime
    value: float


@dataclass(frozen=True, slots=True)
class Series:
    """A labelled sequence of samples, ordered by time; may be empty."""

    labels: Mapping[str, str]
    samples: tuple[Sample, ...]


def samples(series: Sequence[Series]) -> tuple[tuple[tuple[float, float], ...], ...]:
    """Return series as `scoring.detection` takes them: (unix seconds, value), one tuple each."""
    return tuple(tuple((s.at.timestamp(), s.value) for s in one.samples) for one in series)


@dataclass(frozen=True, slots=True)
class Span:
    """One unit of work in a trace.

    Attributes:
        kind: ``server``, ``client``, ``internal``, ``producer`` or ``consumer``.
        attributes: span attributes; resource: attributes of the process that emitted it
            (service.name, service.version, cloud.region, vcs.repository.url.full,
            vcs.ref.head.revision).
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    kind: str
    service: str
    started_at: datetime
    duration: timedelta
    error: bool = False
    attributes: Mapping[str, object] = field(default_factory=dict)
    resource: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trace:
    """The spans of one request, ordered by start; at least one."""

    trace_id: str
    spans: tuple[Span, ...]

    def root(self) -> Span:
        """Return the span without a parent here; the earliest where there are several."""
        ids = {s.span_id for s in self.spans}
        return next((s for s in self.spans if s.parent_id not in ids), self.spans[0])


@dataclass(frozen=True, slots=True)
class Frame:
    """One function on a stack."""

    function: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Stack:
    """A call stack, root first, and the wall time seen in it."""

    frames: tuple[Frame, ...]
    time: timedelta


@dataclass(frozen=True, slots=True)
class Profile:
    """Stacks merged over a query; empty where the profiler saw nothing."""

    stacks: tuple[Stack, ...]

    def total(self) -> timedelta:
        """Return the wall time over all stacks."""
        return sum((s.time for s in self.stacks), timedelta(0))


@dataclass(frozen=True, slots=True)
class Deploy:
    """A version of a service that went live."""

    service: str
    revision: str
    deployed_at: datetime
    region: str | None = None
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Blame:
    """Who last changed a line of code."""

    commit: str
    author: str
    committed_at: datetime
    summary: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class CodeChange:
    """One commit, and the files it changed; may be a merge in which somebody wrote."""

    commit: str
    author: str
    committed_at: datetime
    summary: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """What lies between two versions of some code.

    Attributes:
        brought: commits that the later one has and the earlier had not, newest first.
        taken_back: those that the earlier one had and the later has not, newest first.
    """

    brought: tuple[CodeChange, ...] = ()
    taken_back: tuple[CodeChange, ...] = ()


@dataclass(frozen=True, slots=True)
class AlertState:
    """One alert as Prometheus' own evaluations show it.

    Attributes:
        labels: of the alert (alertname, slo, service, severity, long_window, short_window …).
        active_at: first evaluation at which its condition held; None where unknown.
        fired_at: first evaluation at which it was firing; None: only pending so far.
        resolved_at: first evaluation at which it was no longer firing; None: still firing.
    """

    labels: Mapping[str, str]
    active_at: datetime | None
    fired_at: datetime | None
    resolved_at: datetime | None = None
