"""What a deeplink says once it has been followed: which tool, and what it shows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import SplitResult, parse_qs, urlsplit, urlunsplit

from gameday.diagnosis import traceql
from gameday.diagnosis.red import Signal

_SIGNAL = re.compile(r"g(\d+)\.signal")
_RANGE = re.compile(r"\[([0-9smh]+)\]")
_DURATION = re.compile(r"([0-9.]+)(us|µs|ms|s|m|h)")
_UNITS = {
    "us": timedelta(microseconds=1),
    "µs": timedelta(microseconds=1),
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
}


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A RED dashboard: Prometheus' base URL, and the expression that draws each signal."""

    base: str
    expressions: Mapping[Signal, str]

    @classmethod
    def parse(cls, url: str) -> Dashboard:
        """Read ``<prometheus>/graph?g0.expr=…&g0.signal=rate&g1.expr=…&g1.signal=errors``.

        Prometheus' own page takes no notice of ``signal``. An expression of which it is not said
        what it draws is left out: nobody can tell that from its text.
        """
        split = urlsplit(url)
        query = parse_qs(split.query)
        said = {
            values[0]: query[f"g{found.group(1)}.expr"][0]
            for name, values in query.items()
            if (found := _SIGNAL.fullmatch(name)) and f"g{found.group(1)}.expr" in query
        }
        return cls(_base(split), {signal: said[signal] for signal in Signal if signal in said})

    def rate_window(self) -> timedelta | None:
        """Return the shortest range its rates look back over; None where it draws none."""
        ranges = [
            seconds
            for expression in self.expressions.values()
            for found in _RANGE.findall(expression)
            if (seconds := _duration(found)) is not None
        ]
        return min(ranges, default=None)


@dataclass(frozen=True, slots=True)
class TraceSearch:
    """A search in a trace store; what the link leaves open is None."""

    base: str
    service: str | None
    since: datetime | None
    until: datetime | None
    min_duration: timedelta | None

    @classmethod
    def parse(cls, url: str) -> TraceSearch:
        """Read ``<store>/search?service=&start=&end=&minDuration=`` (start and end in µs).

        Or Tempo's ``<store>/api/search?q={ resource.service.name = "…" }&start=&end=`` (in s).
        """
        split = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(split.query).items()}
        if "q" in query:
            return cls(
                _base(split).removesuffix("/api"),
                traceql.service_in(query["q"]),
                _instant(query.get("start"), 1),
                _instant(query.get("end"), 1),
                _duration(traceql.duration_in(query["q"])),
            )
        return cls(
            _base(split),
            query.get("service"),
            _instant(query.get("start"), 1_000_000),
            _instant(query.get("end"), 1_000_000),
            _duration(query.get("minDuration", "")),
        )


@dataclass(frozen=True, slots=True)
class ProfileView:
    """A view in a profile store; what the link leaves open is None."""

    base: str
    since: datetime | None
    until: datetime | None

    @classmethod
    def parse(cls, url: str) -> ProfileView:
        """Read ``<store>/pyroscope?query=&from=&until=`` (instants in ms)."""
        split = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(split.query).items()}
        return cls(
            _base(split), _instant(query.get("from"), 1000), _instant(query.get("until"), 1000)
        )


def _base(split: SplitResult) -> str:
    # The last segment is the page; what stands before it is where the tool is mounted.
    path = split.path.rpartition("/")[0]
    return urlunsplit((split.scheme, split.netloc, path, "", "")).rstrip("/")


def _instant(text: str | None, per_second: int) -> datetime | None:
    if not text or not text.isdigit():
        return None
    return datetime.fromtimestamp(int(text) / per_second, UTC)


def _duration(text: str) -> timedelta | None:
    parts = _DURATION.findall(text)
    if not parts:
        return None
    return sum((float(n) * _UNITS[unit] for n, unit in parts), timedelta(0))
