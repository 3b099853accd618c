"""Where the four deeplinks of a page lead: pure URL building, no I/O.

Time windows are built here, when a link is followed, and not in the alerting rule: Prometheus'
templates do not know when an alert became active (prometheus#17273).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from gameday.diagnosis.conventions import DEFAULT
from gameday.diagnosis.queries import RedQueries, in_quotes
from gameday.diagnosis.traceql import spans_of
from gameday.incidents.links import led
from gameday.incidents.state import IncidentState
from gameday.model.code import CodeOf
from gameday.model.service_graph import EdgeQuery
from gameday.model.service_names import SAME_NAMES, ServiceNames
from gameday.model.slo import Slo


@dataclass(frozen=True, slots=True)
class Tools:
    """Base URLs of the tools behind the links, without a trailing slash; empty: there is none.

    Attributes:
        sources: where the code of each service is, as the system's document says.
        red: how rate, errors and duration are asked for.
        graph: how the calls between services are asked for, where there are no traces.
        is_tempo: whether the traces are a Tempo's, and not a Jaeger's.
        traced_as: what the traces call services; profiled_as: what the profiles do.
        region: the label by which the traces tell regions apart; empty: as everybody does.
        links: where views lead people instead, by name; see `gameday.model.links`.
    """

    prometheus: str
    traces: str = ""
    profiles: str = ""
    sources: tuple[CodeOf, ...] = ()
    red: RedQueries = DEFAULT
    graph: tuple[EdgeQuery, ...] = ()
    is_tempo: bool = False
    traced_as: ServiceNames = SAME_NAMES
    profiled_as: ServiceNames = SAME_NAMES
    region: str = ""
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolLinks:
    """The tools of a target, as `gameday.incidents.links.Destinations` of its drill.

    Attributes:
        windows: long windows of the SLO's branches: nominal → real.
        slower: requests slower than this break the SLO; None for an availability SLO.
        now: the present instant, by the run's clock.
    """

    tools: Tools
    slo: Slo
    windows: Mapping[str, timedelta]
    slower: timedelta | None
    now: Callable[[], datetime]
    is_open: bool = True

    @property
    def rate_window(self) -> timedelta:
        """Return how far back the rates of the RED dashboard look."""
        return rate_window(self.windows.values())

    def window(self, incident: IncidentState) -> timedelta:
        """Return the long window of the branch that fired, in real time."""
        long = incident.first.told.labels.get("long_window", "")
        return self.windows.get(long, timedelta(minutes=1))

    def is_chosen(self, view: str) -> bool:
        """Return whether the system says where it leads; else the console is as good."""
        return bool(self.tools.links.get(view))

    def chosen(self, incident: IncidentState, view: str) -> str | None:
        """Return where the system says that a view leads, filtered to the burn window up to now."""
        template = self.tools.links.get(view)
        if not template:
            return None
        since, until = self._span(incident)
        return led(template, incident, since=since, until=until)

    def _span(self, incident: IncidentState) -> tuple[datetime, datetime]:
        since = min(incident.starts_at, incident.paged_at) - self.window(incident)
        return since, max(incident.paged_at, self.now())

    def tool(self, incident: IncidentState, view: str) -> str | None:
        """Return a view in its tool, filtered to the burn window up to now."""
        since, until = self._span(incident)
        match view:
            case "red":
                window = self.rate_window
                return red(self.tools, self.slo, since=since, until=until, window=window)
            case "traces" if self.tools.traces:
                slower = self.slower or timedelta(0)
                return traces(self.tools, self.slo, since=since, until=until, slower=slower)
            case "profile" if self.tools.profiles:
                return profile(self.tools, self.slo, since=since, until=until)
            case _:
                return None


def rate_window(long_windows: Iterable[timedelta]) -> timedelta:
    """Return how far back the rates of a RED dashboard look, by the SLO's long windows."""
    return max(timedelta(seconds=5), min(long_windows) / 12)


def red(tools: Tools, slo: Slo, *, since: datetime, until: datetime, window: timedelta) -> str:
    """Return Prometheus' graph page with the service's RED queries over the burn window."""
    # To the end of its minute: Prometheus' older page, which Debian has, leaves seconds away, and
    # of a span in compressed time that would be all there is to see.
    until = until.astimezone(UTC) + timedelta(seconds=-until.timestamp() % 60)
    span = max(1, round((until - since).total_seconds()))
    end = until.strftime("%Y-%m-%d %H:%M:%S")
    parameters: dict[str, str] = {}
    asked = tools.red.of(slo.service, window=window)
    for number, (signal, query) in enumerate(asked.items()):
        parameters |= {
            f"g{number}.expr": query,
            f"g{number}.signal": signal.value,
            f"g{number}.tab": "0",
            f"g{number}.range_input": f"{span}s",
            f"g{number}.end_input": end,
        }
    return f"{tools.prometheus}/graph?{urlencode(parameters)}"


def traces(tools: Tools, slo: Slo, *, since: datetime, until: datetime, slower: timedelta) -> str:
    """Return Jaeger's search page for slow traces of the service in the burn window.

    Tempo has no page of its own: it is its API's search.
    """
    if tools.is_tempo:
        return _searched(tools, slo, since=since, until=until, slower=slower)
    parameters = {
        "service": tools.traced_as.to_theirs(slo.service),
        "start": str(_unix(since, 1_000_000)),
        "end": str(_unix(until, 1_000_000)),
        "minDuration": f"{round(slower.total_seconds() * 1000)}ms",
        "limit": "20",
    }
    return f"{tools.traces}/search?{urlencode(parameters)}"


def _searched(
    tools: Tools, slo: Slo, *, since: datetime, until: datetime, slower: timedelta
) -> str:
    parameters = {
        "q": spans_of(tools.traced_as.to_theirs(slo.service), at_least=slower),
        "start": str(_unix(since, 1)),
        "end": str(_unix(until, 1)),
        "limit": "20",
    }
    return f"{tools.traces}/api/search?{urlencode(parameters)}"


def profile(tools: Tools, slo: Slo, *, since: datetime, until: datetime) -> str:
    """Return Pyroscope's page for the service's profile in the burn window."""
    service = tools.profiled_as.to_theirs(slo.service)
    parameters = {
        "query": f'process_cpu{{service_name="{in_quotes(service)}"}}',
        "from": str(_unix(since, 1000)),
        "until": str(_unix(until, 1000)),
    }
    return f"{tools.profiles}/pyroscope?{urlencode(parameters)}"


def _unix(instant: datetime, per_second: int) -> int:
    return round(instant.timestamp() * per_second)
