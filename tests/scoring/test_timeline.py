from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from drill_facts import at, fact, good_run

from scoring.timeline import Fact, Kind, Timeline


def test_a_fact_survives_json_unchanged() -> None:
    for one in good_run():
        assert one == Fact.from_json(one.to_json())


def test_a_fact_of_an_older_file_gets_its_defaults_and_unknown_keys_are_ignored() -> None:
    raw = fact("run.started", 0).to_json()
    older = {k: v for k, v in raw.items() if k not in ("subject", "data", "version")}

    found = Fact.from_json({**older, "colour": "red"})

    assert ("", {}, 1) == (found.subject, found.data, found.version)


@pytest.mark.parametrize(
    "instant",
    [datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1)))],  # noqa: DTZ001 - the naive one is the point
)
def test_a_fact_must_know_its_instant_in_utc(instant: datetime) -> None:
    with pytest.raises(ValueError, match="must be aware and UTC"):
        Fact("x", "run.started", instant, at(0), "test")


def test_facts_of_a_kind_come_in_the_order_they_happened() -> None:
    late, early = fact(Kind.FINDING, 9, "late"), fact(Kind.FINDING, 3, "early")
    timeline = Timeline.of([late, early])

    assert [early, late] == list(timeline.of_kind(Kind.FINDING))
    assert (early, late) == (timeline.first(Kind.FINDING), timeline.last(Kind.FINDING))
    assert [late, early] == list(timeline)
    assert 2 == len(timeline)
    assert timeline.first(Kind.RUN_ENDED) is None
    assert timeline.last(Kind.RUN_ENDED) is None
