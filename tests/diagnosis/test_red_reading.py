"""Reading RED when there is little of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gameday.diagnosis.red import Signal, read
from gameday.model.signals import Sample, Series

QUIET = 14


def series(values: list[float], region: str) -> Series:
    return Series(
        {"region": region},
        tuple(Sample(datetime.fromtimestamp(1000 + n, UTC), v) for n, v in enumerate(values)),
    )


@pytest.mark.parametrize("seconds", [5, 8, 12, 15, 20])
def test_trouble_longer_than_the_quiet_before_it_is_still_trouble(seconds: int) -> None:
    # A cold start: fourteen seconds of history, then every request of one region fails.
    failing = [0.0] * QUIET + [min(1.0, (n + 1) / 5) for n in range(seconds)]
    steady = [8.0] * len(failing)
    drawn = [
        (Signal.RATE, [series(steady, "eu-west"), series(steady, "us-east")]),
        (Signal.ERRORS, [series(failing, "eu-west"), series([0.0] * len(failing), "us-east")]),
    ]

    reading = read(
        drawn,
        since=datetime.fromtimestamp(800, UTC),
        now=datetime.fromtimestamp(1000 + len(failing), UTC),
        short_window=timedelta(seconds=5),
    )

    assert ("errors",) == reading.moved()
    assert "eu-west" == reading.region()
    assert reading.is_plain(timedelta(milliseconds=100))
