"""Reading RED when there is little of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gameday.diagnosis.dashboard import tail_of
from gameday.diagnosis.findings import red
from gameday.diagnosis.red import BurnSpan, Signal, read
from gameday.model.signals import Sample, Series

QUIET = 14


def series(values: list[float], region: str) -> Series:
    return Series(
        {"region": region},
        tuple(Sample(datetime.fromtimestamp(1000 + n, UTC), v) for n, v in enumerate(values)),
    )


def span(paged: int) -> BurnSpan:
    since, burn_from, paged_at = (
        datetime.fromtimestamp(second, UTC) for second in (800, paged - 60, paged)
    )
    return BurnSpan(since, burn_from, paged_at)


@pytest.mark.parametrize("seconds", [5, 8, 12, 15, 20])
def test_trouble_longer_than_the_quiet_before_it_is_still_trouble(seconds: int) -> None:
    # A cold start: fourteen seconds of history, then every request of one region fails.
    failing = [0.0] * QUIET + [min(1.0, (n + 1) / 5) for n in range(seconds)]
    steady = [8.0] * len(failing)
    drawn = {
        Signal.RATE: [series(steady, "eu-west"), series(steady, "us-east")],
        Signal.ERRORS: [series(failing, "eu-west"), series([0.0] * len(failing), "us-east")],
    }

    reading = read(
        drawn,
        span=span(1000 + len(failing)),
        now=datetime.fromtimestamp(1000 + len(failing), UTC),
        short_window=timedelta(seconds=5),
    )

    assert ("errors",) == reading.moved()
    assert "eu-west" == reading.region()
    assert reading.is_plain(timedelta(milliseconds=100))


STEADY = series([8.0] * 30, "eu-west")
TOLD = Series({**STEADY.labels, "code": "200"}, STEADY.samples)


@pytest.mark.parametrize(
    ("drawn", "summary"),
    [
        (
            {Signal.RATE: [STEADY], Signal.ERRORS: [], Signal.DURATION: [STEADY]},
            "unknown: neither rate, errors nor duration left its quiet level plainly",
        ),
        # Statuses tell of errors as well; a rate that does not tell them apart knows nothing.
        (
            {Signal.RATE: [TOLD]},
            "unknown: rate and errors did not plainly leave the quiet level; no data of duration",
        ),
        (
            {Signal.RATE: [STEADY]},
            "unknown: rate did not plainly leave the quiet level; no data of errors and duration",
        ),
        (
            {Signal.RATE: [STEADY], Signal.ERRORS: [], Signal.DURATION: []},
            "unknown: rate and errors did not plainly leave the quiet level; no data of duration",
        ),
        (
            {Signal.RATE: [], Signal.ERRORS: [], Signal.DURATION: []},
            "unknown: no series answers the queries of the RED dashboard",
        ),
    ],
)
def test_a_signal_without_data_is_not_said_to_be_still(
    drawn: dict[Signal, list[Series]], summary: str
) -> None:
    reading = read(
        drawn,
        span=span(1030),
        now=datetime.fromtimestamp(1030, UTC),
        short_window=timedelta(seconds=5),
    )

    assert summary == red(reading).summary


@pytest.mark.parametrize(
    ("expression", "tail_ratio"),
    [
        ("histogram_quantile(0.9, sum by (le) (rate(x_bucket[5s])))", 0.1),
        ("histogram_quantile(.99,sum(rate(x[5s])))", 0.01),
        ("histogram_quantile( 0.5, rate(x[5s])) / 1000", 0.5),
        ("sum(rate(x_sum[5s])) / sum(rate(x_count[5s]))", None),
        ("", None),
    ],
)
def test_a_quantile_tells_how_many_are_slower(expression: str, tail_ratio: float | None) -> None:
    found = tail_of(expression)

    assert found == (None if tail_ratio is None else pytest.approx(tail_ratio))
