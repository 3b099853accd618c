"""What every source of alerts promises.

All of it is seen in one story: nothing for six seconds, every event bad for six more, then nothing
again until the alert has cleared. What the source said before, during and after is looked at here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from gameday.errors import DriverError
from gameday.model.signals import AlertState, Series
from gameday.ports import AlertSource, Counters
from gameday.testing.contracts.contract import refused
from gameday.testing.monitored import Cell
from scoring.slo import BurnWindow, Objective

__all__ = ["ALERTING_SLO", "TIME_SCALE", "AlertSourceContract", "Alerted", "alerted"]

T = TypeVar("T")

SECOND, MINUTE, HOUR = (timedelta(seconds=s) for s in (1, 60, 3600))
QUIET, FAULT, CLEARS = 6 * SECOND, 6 * SECOND, 9 * SECOND

TIME_SCALE = 240
"""What the story's windows are divided by: one hour is fifteen seconds."""

ALERTING_SLO = Cell.promised(
    "orders", Objective(0.999, 30 * 24 * HOUR), (BurnWindow(HOUR, 20 * MINUTE, 14.4),)
)
"""The SLO of the story; `gameday.testing.monitored` has an exporter that counts its events."""


@dataclass(frozen=True)
class SourceSaid:
    """What the source said at one moment."""

    at: datetime
    alerts: Sequence[AlertState]
    burn_rates: Mapping[str, float | None]
    counters: Counters
    values: Sequence[float]


@dataclass(frozen=True)
class Alerted:
    """A source under the contract, and what it said before, during and after a fault.

    Playing that takes a real source 21 s, so one may do for all promises; `alerted` plays it.

    Attributes:
        unreachable: such a source whose server does not answer.
        do: plays a call to its end.
    """

    began: datetime
    onset: datetime
    before: SourceSaid
    during: SourceSaid
    after: SourceSaid
    of_another: Sequence[AlertState]
    early: Sequence[AlertState]
    timing: tuple[timedelta, timedelta]
    unreachable: AlertSource
    do: Callable[[Coroutine[Any, Any, Any]], Any] = asyncio.run


async def _slept(duration: timedelta) -> None:
    await asyncio.sleep(duration.total_seconds())


async def alerted(
    source: AlertSource,
    turn: Callable[[float], None],
    *,
    unreachable: AlertSource,
    sleep: Callable[[timedelta], Awaitable[None]] = _slept,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    do: Callable[[Coroutine[Any, Any, Any]], Any] = asyncio.run,
) -> Alerted:
    """Play the story and return what was said.

    Args:
        source: watches `ALERTING_SLO`, compressed by `TIME_SCALE`, with its rules in force and
            enough history that it has a burn rate; it scrapes and evaluates every second.
        turn: sets the share of events that are bad from now on.
    """

    async def said() -> SourceSaid:
        at = now()
        return SourceSaid(
            at,
            await source.alerts(slo=ALERTING_SLO.id, since=began, until=at),
            await source.burn_rates(slo=ALERTING_SLO.id),
            await source.counters(
                good_query=ALERTING_SLO.good_query,
                total_query=ALERTING_SLO.total_query,
                since=began,
                until=at,
            ),
            await source.values("vector(1)"),
        )

    began = now()
    await sleep(QUIET)
    before = await said()
    onset = now()
    turn(1.0)
    await sleep(FAULT)
    during = await said()
    turn(0.0)
    await sleep(CLEARS)
    after = await said()
    return Alerted(
        began=began,
        onset=onset,
        before=before,
        during=during,
        after=after,
        of_another=await source.alerts(slo="another", since=began, until=now()),
        early=await source.alerts(slo=ALERTING_SLO.id, since=began, until=onset),
        timing=await source.timing(slo=ALERTING_SLO.id),
        unreachable=unreachable,
        do=do,
    )


class AlertSourceContract:
    """For a `gameday.ports.AlertSource`."""

    def test_an_alert_is_seen_from_its_firing_on(self, subject: Alerted) -> None:
        assert [] == list(subject.before.alerts)
        assert [] == list(subject.early)
        (state,) = (s for s in subject.during.alerts if s.fired_at is not None)
        assert state.fired_at is not None
        assert subject.onset < state.fired_at <= subject.during.at
        assert timedelta(0) == state.fired_at.utcoffset()
        assert state.active_at is None or state.active_at <= state.fired_at
        assert None is state.resolved_at

    def test_its_labels_say_whose_it_is_and_which_branch(self, subject: Alerted) -> None:
        (state,) = subject.during.alerts
        wanted = {
            "alertname": "OrdersBudgetBurn",
            "slo": "orders",
            "service": "orders",
            "severity": "page",
            "long_window": "1h",
            "short_window": "20m",
        }

        assert wanted == {name: state.labels.get(name) for name in wanted}
        assert 14.4 == float(state.labels["burn_rate"])

    def test_what_cleared_keeps_when_it_fired_and_says_when_it_cleared(
        self, subject: Alerted
    ) -> None:
        (during,), (after,) = subject.during.alerts, subject.after.alerts

        assert during.fired_at == after.fired_at
        assert after.resolved_at is not None
        assert subject.during.at <= after.resolved_at <= subject.after.at

    def test_alerts_of_another_slo_are_not_shown(self, subject: Alerted) -> None:
        assert [] == list(subject.of_another)

    def test_burn_rates_go_by_nominal_windows_and_follow_the_errors(self, subject: Alerted) -> None:
        before, during = subject.before.burn_rates["1h"], subject.during.burn_rates["1h"]

        assert before is not None
        assert abs(before) <= 0.01
        assert during is not None
        assert 14.4 < during <= 1000

    def test_counters_are_raw_ordered_and_within_the_span(self, subject: Alerted) -> None:
        for said in (subject.before, subject.during, subject.after):
            for series in (*said.counters.good, *said.counters.total):
                assert isinstance(series, Series)
                times = [sample.at for sample in series.samples]
                assert times == sorted(set(times))
                assert subject.began <= times[0] <= times[-1] <= said.at
                values = [sample.value for sample in series.samples]
                assert values == sorted(values)

    def test_counters_count_what_was_bad(self, subject: Alerted) -> None:
        counters = subject.after.counters
        everything, good = _rise(counters.total), _rise(counters.good)

        bad_ratio = 1 - good / everything
        expected = FAULT / (subject.after.at - subject.began)
        assert 0.5 * expected <= bad_ratio <= 1.5 * expected

    def test_intervals_and_values_are_told(self, subject: Alerted) -> None:
        assert (SECOND, SECOND) == subject.timing
        assert all(isinstance(value, float) for value in subject.during.values)
        assert 1 == len(subject.during.values)

    def test_a_source_that_does_not_answer_is_a_driver_error(self, subject: Alerted) -> None:
        source = subject.unreachable
        span = {"since": subject.began, "until": subject.onset}
        slo = ALERTING_SLO

        with refused(DriverError):
            subject.do(source.alerts(slo=slo.id, **span))
        with refused(DriverError):
            subject.do(
                source.counters(good_query=slo.good_query, total_query=slo.total_query, **span)
            )
        with refused(DriverError):
            subject.do(source.burn_rates(slo=slo.id))
        with refused(DriverError):
            subject.do(source.timing(slo=slo.id))
        with refused(DriverError):
            subject.do(source.values("vector(1)"))


def _rise(series: Sequence[Series]) -> float:
    return sum(one.samples[-1].value - one.samples[0].value for one in series)
