"""Prometheus: when an alert fired by its own evaluations, an SLI's raw counters, RED over a span.

Nothing here resamples what the judges are handed: alerts and counters come from raw range selectors
in an instant query, since a range query would move every sample onto its own grid.
"""

from __future__ import annotations

import asyncio
import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from gameday.errors import DriverError, PermanentDriverError, TemporaryDriverError
from gameday.http.causes import remedy_of
from gameday.http.credentials import NO_CREDENTIALS, Credentials
from gameday.http.tool import Answer, HttpTool, Parameters
from gameday.model.signals import AlertState, Sample, Series
from gameday.ports import Counters
from gameday.rules.loaded import LoadedRules

__all__ = ["Prometheus", "instant", "quoted", "seconds"]

# Series an SLO's recording rules write at every evaluation, whatever the traffic: their samples
# tell at which instants Prometheus did evaluate.
_EVALUATED = "slo:(objective:ratio|error_budget:ratio|sli_error:ratio_rate5m)"
_ERROR_RATIO = "slo:sli_error:ratio_rate"
AGAIN_AFTER = timedelta(milliseconds=50)

LONGEST_IN_URL = 2000
"""Characters of a query that every proxy on the way takes in a URL; a longer one is posted."""

_ANY = range(300, 600)
"""Prometheus says in words why it refuses, whatever the status."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w|y)")
_UNIT_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}


class Prometheus:
    """One Prometheus server, read only; fulfils `AlertSource` and `SignalSource`.

    Every method raises `TemporaryDriverError` where the server does not answer and
    `PermanentDriverError` where it refuses the question.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: timedelta = timedelta(seconds=5),
        credentials: Credentials = NO_CREDENTIALS,
    ) -> None:
        """Name the server; nothing is opened until the first question.

        Args:
            url: base URL, with the path prefix if it has one.
            timeout: of one question.
            credentials: how it is asked.
        """
        # Once more where a connection breaks, and no oftener: who asks knows better how long an
        # answer is worth waiting for.
        self._tool = HttpTool(
            "Prometheus", url, timeout=timeout, tries=2, pause=AGAIN_AFTER, credentials=credentials
        )
        self.url = self._tool.url
        self._configured: dict[str, Any] | None = None

    # --- AlertSource ------------------------------------------------------------------------

    async def alerts(self, *, slo: str, since: datetime, until: datetime) -> Sequence[AlertState]:
        """Return each episode in which an alert of the SLO was pending or firing in this span.

        Instants are evaluation slots, to the millisecond: sample timestamps of ``ALERTS``, which
        Prometheus writes itself, plus the ``rule_query_offset`` it sets them back by. (An offset
        that a rule group sets for itself is not told by the API and is not added.) Nothing is known
        between two slots: what made an alert pending or firing happened up to one evaluation
        interval earlier. An alert is resolved at the first evaluation without a firing sample;
        where no later evaluation is known (Prometheus stopped), it is not resolved. Ordered by
        activation.
        """
        offset = await self._query_offset()
        found = await self._alerts(slo=slo, since=since - offset, until=until - offset)
        return [_moved(state, offset) for state in found] if offset else found

    async def _alerts(self, *, slo: str, since: datetime, until: datetime) -> Sequence[AlertState]:
        grid, states = await self._evaluated(slo, since, until)
        if not states:
            return ()
        activations = await self._raw(
            f"ALERTS_FOR_STATE{{{self._selector(slo)}}}", since=since, until=until
        )
        earliest = min(
            (s.value for series in activations for s in series.samples if s.value > 0),
            default=since.timestamp(),
        )
        if earliest < since.timestamp():
            # The alert was active before the span: its first samples lie further back.
            since = datetime.fromtimestamp(earliest, UTC) - timedelta(seconds=2)
            grid, states = await self._evaluated(slo, since, until)
        return _episodes(states, grid, await self._evaluation_interval(slo))

    async def _evaluated(
        self, slo: str, since: datetime, until: datetime
    ) -> tuple[Sequence[datetime], Sequence[Series]]:
        """Return (instants at which the SLO's rules were evaluated, what became of its alerts).

        The instants are read first. A group's recordings are written before its alerts, and the
        next evaluation begins when both are: of every instant but the last, the alerts are in what
        is read after it. The other way round, an alert whose evaluation takes its time looks
        resolved.
        """
        selector = f'{{__name__=~"{_EVALUATED}",slo={quoted(slo)}}}'
        recorded = await self._raw(selector, since=since, until=until)
        grid = sorted({s.at for series in recorded for s in series.samples})
        return grid, await self._raw(f"ALERTS{{{self._selector(slo)}}}", since=since, until=until)

    def _selector(self, slo: str) -> str:
        """Return the labels that the alerts of an SLO bear."""
        return f"slo={quoted(slo)}"

    async def counters(
        self, *, good_query: str, total_query: str, since: datetime, until: datetime
    ) -> Counters:
        """Return every stored sample of the SLI's counters in this span, none resampled."""
        good, total = await asyncio.gather(
            self._raw(good_query, since=since, until=until),
            self._raw(total_query, since=since, until=until),
        )
        return Counters(good=good, total=total)

    async def burn_rates(self, *, slo: str) -> Mapping[str, float | None]:
        """Return the burn rate of every recorded window now, by nominal name (``1h`` → 0.2).

        None where the window holds no events; an empty mapping where nothing is recorded.
        """
        ratios = await self._instant(f'{{__name__=~"{_ERROR_RATIO}.+",slo={quoted(slo)}}}')
        if not ratios:
            return {}
        budget = await self._budget(slo)
        rates: dict[str, float | None] = {}
        for series in ratios:
            window = series.labels["__name__"].removeprefix(_ERROR_RATIO)
            value = series.samples[-1].value
            known = budget is not None and not math.isnan(value)
            rates[window] = value / budget if known and budget else None
        return dict(sorted(rates.items(), key=lambda item: seconds(item[0])))

    async def timing(self, *, slo: str) -> tuple[timedelta, timedelta]:
        """Return (scrape interval, evaluation interval) in force for the SLO's rules.

        The scrape interval is that of the targets of the SLO's service; of all targets where none
        carries its name (the slowest then). Without rules of the SLO the global evaluation
        interval of the configuration is returned.
        """
        evaluation = await self._evaluation_interval(slo)
        data = await self._get("/api/v1/targets", [("state", "active")])
        targets = list(data.get("activeTargets", []))
        own = await self._scraped(slo, targets)
        scrapes = [seconds(t["scrapeInterval"]) for t in own or targets if "scrapeInterval" in t]
        if not scrapes:
            raise PermanentDriverError(
                f"Prometheus at {self.url} scrapes nothing: check scrape_configs"
            )
        return timedelta(seconds=max(scrapes)), evaluation

    async def values(self, query: str) -> Sequence[float]:
        """Return the values a PromQL expression has now, one per series; empty: no data."""
        found = [s.samples[-1].value for s in await self._instant(query) if s.samples]
        return [value for value in found if not math.isnan(value)]

    async def rules(self, *, slo: str) -> bool:
        """Return whether alert rules of the SLO are loaded."""
        return any(
            rule.get("type") == "alerting"
            for group in await self._groups(slo)
            for rule in group.get("rules", [])
            if rule.get("labels", {}).get("slo") == slo
        )

    async def loaded_rules(self) -> LoadedRules:
        """Return all rules that are loaded, whoever wrote them."""
        data = await self._get("/api/v1/rules")
        groups = data.get("groups") if isinstance(data, dict) else None
        if not isinstance(groups, list):
            raise _not_prometheus(self.url)
        return LoadedRules.told(groups)

    async def started_at(self) -> datetime | None:
        """Return when this Prometheus was started; None where it does not say.

        After a restart it rebuilds since when an alert has been active from ``ALERTS_FOR_STATE``,
        which may shift the instants (``for-outage-tolerance``, ``for-grace-period``), and it knows
        nothing of the time between: such a run is not to be scored.
        """
        stamp = (await self._get("/api/v1/status/runtimeinfo")).get("startTime")
        return instant(stamp)

    async def time_scale(self, *, slo: str) -> float | None:
        """Return how many times faster time runs by the labels of the SLO's recordings.

        None where nothing is recorded, or by rules that do not say.
        """
        found = await self._instant(f"slo:objective:ratio{{slo={quoted(slo)}}}")
        for series in found:
            try:
                return float(series.labels["time_scale"])
            except (KeyError, ValueError):
                continue
        return None

    async def alive(self) -> bool:
        """Return whether the server answers and is ready; never raises."""
        try:
            return (await self._tool.ask("GET", "/-/ready")).is_success
        except DriverError:
            return False

    # --- SignalSource -----------------------------------------------------------------------

    async def range(
        self, query: str, *, since: datetime, until: datetime, step: timedelta
    ) -> Sequence[Series]:
        """Return a PromQL expression evaluated every ``step`` over a span; NaN samples dropped."""

        asked = {
            "query": query,
            "start": f"{since.timestamp():.3f}",
            "end": f"{until.timestamp():.3f}",
            "step": f"{step.total_seconds():g}",
        }
        return [
            Series(s.labels, tuple(x for x in s.samples if not math.isnan(x.value)))
            for s in await self._queried("/api/v1/query_range", asked)
        ]

    # --- questions --------------------------------------------------------------------------

    async def _raw(self, selector: str, *, since: datetime, until: datetime) -> list[Series]:
        span = max(1, round((until - since).total_seconds() * 1000))
        series = await self._instant(f"{selector}[{span}ms]", at=until)
        return [
            Series({k: v for k, v in s.labels.items() if k != "__name__"}, s.samples)
            for s in series
        ]

    async def _instant(self, query: str, *, at: datetime | None = None) -> list[Series]:
        asked = {"query": query}
        if at is not None:
            asked["time"] = f"{at.timestamp():.3f}"
        return await self._queried("/api/v1/query", asked)

    async def _queried(self, path: str, asked: Mapping[str, str]) -> list[Series]:
        # VictoriaMetrics answers as of half a minute ago, unless asked for the newest; what else
        # speaks the API overlooks this.
        asked = {**asked, "nocache": "1"}
        # Whoever may only read through a cluster's API server may not post.
        if len(asked["query"]) <= LONGEST_IN_URL:
            answer = await self._tool.ask("GET", path, parameters=[*asked.items()], accept=_ANY)
        else:
            answer = await self._tool.ask("POST", path, form=asked, accept=_ANY)
        if not answer.is_success:
            raise self._refused(answer, asked["query"])
        data = self._data(answer)
        return _series(data.get("result") if isinstance(data, dict) else None, self.url)

    async def _get(self, path: str, parameters: Parameters = ()) -> Any:
        answer = await self._tool.ask("GET", path, parameters=parameters, accept=_ANY)
        if not answer.is_success:
            raise self._refused(answer, path)
        return self._data(answer)

    def _data(self, answer: Answer) -> Any:
        try:
            return answer.json()["data"]
        except (ValueError, KeyError, TypeError) as error:
            raise _not_prometheus(self.url) from error

    # --- what the rules say -----------------------------------------------------------------

    async def _groups(self, slo: str) -> list[dict[str, Any]]:
        data = await self._get("/api/v1/rules")
        return [
            group
            for group in data.get("groups", [])
            if any(r.get("labels", {}).get("slo") == slo for r in group.get("rules", []))
        ]

    async def _evaluation_interval(self, slo: str) -> timedelta:
        intervals = [float(g["interval"]) for g in await self._groups(slo) if "interval" in g]
        if intervals:
            return timedelta(seconds=max(intervals))
        return timedelta(
            seconds=seconds(str((await self._global()).get("evaluation_interval", "1m")))
        )

    async def _query_offset(self) -> timedelta:
        # Asked once: a configuration of megabytes is not to be parsed at every poll.
        if self._configured is None:
            try:
                self._configured = await self._global()
            except PermanentDriverError:  # what speaks PromQL need not have a configuration
                self._configured = {}
        return timedelta(seconds=seconds(str(self._configured.get("rule_query_offset", "0s"))))

    async def _global(self) -> dict[str, Any]:
        """Return the ``global`` section of the configuration in force."""
        import yaml

        text = (await self._get("/api/v1/status/config")).get("yaml", "")
        found = (yaml.safe_load(text) or {}).get("global")
        return found if isinstance(found, dict) else {}

    async def _scraped(
        self, slo: str, targets: Sequence[dict[str, Any]]
    ) -> Sequence[dict[str, Any]]:
        """Return which of these targets count for the SLO; none: nobody can tell."""
        service = await self._service(slo)
        return [t for t in targets if service and t.get("labels", {}).get("service") == service]

    async def _service(self, slo: str) -> str | None:
        found = await self._instant(f'{{__name__=~"{_ERROR_RATIO}.+",slo={quoted(slo)}}}')
        return next((s.labels["service"] for s in found if "service" in s.labels), None)

    async def _budget(self, slo: str) -> float | None:
        for query in (
            f"slo:error_budget:ratio{{slo={quoted(slo)}}}",
            f"1 - slo:objective:ratio{{slo={quoted(slo)}}}",
        ):
            found = await self._instant(query)
            if found and found[0].samples[-1].value > 0:
                return found[0].samples[-1].value
        return None

    # --- what can go wrong ------------------------------------------------------------------

    def _refused(self, answer: Answer, query: str) -> TemporaryDriverError | PermanentDriverError:
        text = (
            f"Prometheus at {self.url} refuses {query!r}: {answer.reason}{remedy_of(answer.status)}"
        )
        if answer.status >= 500 or answer.status == 429:
            return TemporaryDriverError(text)
        return PermanentDriverError(text)


def _not_prometheus(url: str) -> PermanentDriverError:
    return PermanentDriverError(f"{url} answers, but not as Prometheus does: check the URL")


def _episodes(
    states: Sequence[Series], grid: Sequence[datetime], interval: timedelta
) -> list[AlertState]:
    by_alert: dict[tuple[tuple[str, str], ...], dict[str, list[datetime]]] = {}
    for series in states:
        labels = {k: v for k, v in series.labels.items() if k != "alertstate"}
        seen = by_alert.setdefault(tuple(sorted(labels.items())), {})
        instants = seen.setdefault(series.labels.get("alertstate", ""), [])
        instants.extend(s.at for s in series.samples)
    found: list[AlertState] = []
    for key, seen in by_alert.items():
        firing = set(seen.get("firing", ()))
        instants = sorted(firing | set(seen.get("pending", ())))
        clock = _Evaluations(instants, grid, interval)
        episode: list[datetime] = []
        for instant in instants:
            # A pending sample after a firing one starts anew, even in the next evaluation.
            again = episode and episode[-1] in firing and instant not in firing
            if episode and (again or clock.missed_between(episode[-1], instant)):
                found.append(_state(dict(key), episode, firing, clock))
                episode = []
            episode.append(instant)
        if episode:
            found.append(_state(dict(key), episode, firing, clock))
    return sorted(found, key=lambda a: (a.active_at or a.fired_at, sorted(a.labels.items())))


def _state(
    labels: Mapping[str, str],
    episode: Sequence[datetime],
    firing: set[datetime],
    clock: _Evaluations,
) -> AlertState:
    fired = [at for at in episode if at in firing]
    return AlertState(
        labels=labels,
        active_at=episode[0],
        fired_at=fired[0] if fired else None,
        resolved_at=clock.after(fired[-1]) if fired else None,
    )


def _moved(state: AlertState, offset: timedelta) -> AlertState:
    return replace(
        state,
        active_at=state.active_at + offset if state.active_at else None,
        fired_at=state.fired_at + offset if state.fired_at else None,
        resolved_at=state.resolved_at + offset if state.resolved_at else None,
    )


def instant(stamp: object) -> datetime | None:
    """Return an RFC 3339 instant (Go writes nanoseconds); None where it is none."""
    if not isinstance(stamp, str):
        return None
    try:
        return datetime.fromisoformat(stamp).astimezone(UTC)
    except ValueError:
        return None


class _Evaluations:
    """The instants at which an alert's rule was evaluated.

    Recordings of the same rule group carry the very timestamps of the alert's samples. Where they
    stand in a group of their own (as Sloth writes them), their phase differs; then they only prove
    that evaluation went on, and the alert's next slot is one interval later.
    """

    def __init__(
        self, instants: Sequence[datetime], grid: Sequence[datetime], interval: timedelta
    ) -> None:
        self._grid = list(grid)
        self._interval = interval
        self._shared = bool(set(instants) & set(grid))

    def missed_between(self, earlier: datetime, later: datetime) -> bool:
        """Return whether the rule was evaluated between these samples without being active."""
        if self._shared:
            return bisect_left(self._grid, later) - bisect_right(self._grid, earlier) > 0
        return later - earlier > 1.5 * self._interval and self.after(earlier) is not None

    def after(self, instant: datetime) -> datetime | None:
        """Return the first evaluation after this one that is over; None where none is known."""
        if self._shared:
            # The last one may still be going on: its recordings are there, its alerts are not yet.
            position = bisect_right(self._grid, instant)
            return self._grid[position] if position < len(self._grid) - 1 else None
        slot = instant + self._interval
        # One more half interval: a recording just before the slot proves nothing about it.
        went_on = bool(self._grid) and self._grid[-1] >= slot + self._interval / 2
        return slot if went_on else None


def _series(result: Any, url: str) -> list[Series]:
    try:
        return [
            Series(
                dict(entry["metric"]),
                tuple(
                    Sample(datetime.fromtimestamp(float(at), UTC), float(value))
                    for at, value in (entry["values"] if "values" in entry else [entry["value"]])
                ),
            )
            for entry in result
            if isinstance(entry, dict)
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise _not_prometheus(url) from error


def quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def seconds(duration: str) -> float:
    """Return a Prometheus duration (``1m30s``) in seconds; 0 where it cannot be read."""
    return sum(float(n) * _UNIT_SECONDS[unit] for n, unit in _DURATION.findall(duration))
