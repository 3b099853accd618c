"""A service level objective as gameday works with it: read from OpenSLO, frozen, no I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from scoring.slo import BurnWindow, Objective

WINDOW = "{{.window}}"
"""What stands in an expression for the range it is asked over, as Sloth writes it."""

NO_DATA_AFTER = timedelta(minutes=30)
"""How long an SLI may be silent before somebody is told, by default and in nominal time: longer
than a deploy or a restart of Prometheus, well within a working day."""


class Reading(StrEnum):
    """What the queries of a `Ratio` return."""

    COUNTER = "counter"
    """A plain selector of counters that only ever grow; gameday adds ``rate`` and ``sum``."""
    GAUGE = "gauge"
    """An expression for a number of events now; it goes up and down."""
    WINDOWED = "windowed"
    """An expression over a range that gameday fills in for `WINDOW`."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """Good or bad events of all events.

    Attributes:
        total: PromQL of all events.
        good: PromQL of the good ones; empty where ``bad`` is given.
        bad: PromQL of the bad ones; empty where ``good`` is given.
        reading: what these queries return.
    """

    total: str
    good: str = ""
    bad: str = ""
    reading: Reading = Reading.COUNTER


@dataclass(frozen=True, slots=True)
class Raw:
    """A ratio somebody else computes.

    Attributes:
        query: PromQL of a value from 0 to 1; over a range where it holds `WINDOW`, else for now.
        is_success: whether 1 means that all is well (``rawType: success``), or that nothing is.
    """

    query: str
    is_success: bool = True

    @property
    def is_windowed(self) -> bool:
        """Return whether the query is asked over a range."""
        return WINDOW in self.query


@dataclass(frozen=True, slots=True)
class Threshold:
    """Each value of a metric is good or bad by itself.

    Attributes:
        query: PromQL of the value now; where it returns several series, each counts alike.
        op: the comparison that makes a value good: ``<``, ``<=``, ``>`` or ``>=``.
        value: what it is compared with, in the unit of the metric.
    """

    query: str
    op: str
    value: float


@dataclass(frozen=True, slots=True)
class Slices:
    """Time instead of events: each slice of time is good, or has a ratio of its own.

    Attributes:
        sli: what happens within a slice.
        window: length of a slice, unscaled.
        target_ratio: share of good events that makes a slice good (Timeslices); None: the ratios
            of the slices are averaged (RatioTimeslices).
        is_strict: whether a slice must be above the target, not only at it.
    """

    sli: Ratio | Raw | Threshold
    window: timedelta
    target_ratio: float | None = None
    is_strict: bool = False


Sli = Ratio | Raw | Threshold | Slices
"""How it is found which share of a window was bad."""


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression as somebody wrote it, and where."""

    text: str
    file: str
    line: int
    field: str


@dataclass(frozen=True, slots=True)
class Slo:
    """One promise about one service, and how Prometheus counts it.

    Most SLOs count events: a counter of all of them, and one of the good or of the bad ones. Only
    these have raw counters from which a run can recompute what an alert had to do.

    Attributes:
        id: metadata.name of the OpenSLO document (``checkout-latency``).
        service: the service the promise is about (``storefront``).
        objective: target ratio and period; unscaled (30 d stays 30 d).
        windows: the burn-rate branches, unscaled; page branches first.
        good_query: PromQL selector of the counter of good events, no range, no rate. Empty where
            ``bad_query`` is given or events are not counted.
        total_query: PromQL selector of the counter of all events; empty where none are counted.
        bad_query: PromQL selector of the counter of bad events, instead of ``good_query``.
        measured: the SLI where it is not of raw counters; None where it is.
        title: one line for people.
        owner: team that owns the SLO.
        runbook: path or URL of the runbook its alerts link to; may be empty.
        links: URL templates of the deeplinks by name (``red``, ``traces``, ``profile``).
        min_events: a page needs at least this many events in its long window; 0: any number.
        min_bad_events: a page needs at least this many bad ones; 0: any number.
        no_data_after: how long the SLI may be without data before a ticket says so, unscaled;
            None: never.
        queries: every PromQL expression of the SLI as it stands in its file.
        annotations: metadata.annotations as written.
        labels: metadata.labels, as its alerts bear them: names as Prometheus takes them, several
            values of one joined with commas.
        path: the file it was read from.
        is_joint: whether one rule holds several of its page branches, so that an alert does not
            tell which of them fired; never by its file, only by the rules in force.
        unread: why the windows of its alert are not known, where they are not; likewise. The
            windows are the file's then, good for a burn rate and for no prediction.
    """

    id: str
    service: str
    objective: Objective
    windows: tuple[BurnWindow, ...]
    good_query: str = ""
    total_query: str = ""
    bad_query: str = ""
    measured: Sli | None = None
    title: str = ""
    owner: str = ""
    runbook: str = ""
    links: Mapping[str, str] = field(default_factory=dict)
    min_events: float = 0
    min_bad_events: float = 0
    no_data_after: timedelta | None = NO_DATA_AFTER
    queries: tuple[Query, ...] = field(default=(), compare=False)
    annotations: dict[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    path: Path | None = None
    is_joint: bool = False
    unread: str = ""

    @property
    def sli(self) -> Sli:
        """Return how the share of bad events is found."""
        if self.measured is not None:
            return self.measured
        return Ratio(total=self.total_query, good=self.good_query, bad=self.bad_query)

    @property
    def counts_events(self) -> bool:
        """Return whether raw counters hold all there is to know, as `gameday run` needs it."""
        return self.measured is None and bool(self.total_query)

    def alert_name(self) -> str:
        """Return the name of its burn-rate alerts: ``CheckoutLatencyBudgetBurn``."""
        return f"{self._camel_id()}BudgetBurn"

    def no_data_alert_name(self) -> str:
        """Return the name of the alert that says the SLI is silent: ``CheckoutLatencyNoData``."""
        return f"{self._camel_id()}NoData"

    def _camel_id(self) -> str:
        words = self.id.replace("_", "-").replace(".", "-").split("-")
        return "".join(w[:1].upper() + w[1:] for w in words if w)


def scaled(duration: timedelta, time_scale: float) -> timedelta:
    """Return how long it lasts on a target whose time runs ``time_scale`` times faster."""
    return duration / time_scale


def latency_limit(slo: Slo) -> timedelta | None:
    """Return the latency threshold of an SLO counted by a histogram bucket; None without one."""
    found = re.search(r'\ble\s*=\s*"([0-9.]+)"', slo.good_query)
    return timedelta(seconds=float(found.group(1))) if found else None
