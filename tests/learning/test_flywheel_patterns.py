"""What is planted in a year of incidents is found, and nothing where nothing is planted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gameday.learning.flywheel.patterns import FAMILY_WISE, SHARE, patterns_in, unjudged_in
from gameday.learning.flywheel.returns import repeats_in, returns_in
from gameday.model.past_incident import Chronicle, Dimension, ItemTally, PastIncident
from gameday.model.pattern import Why, Yardstick
from gameday.model.severity import IncidentSeverity
from gameday.testing.past_years import PLANTED, planted_year, shuffled_year

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
CONTROLS = 200


def incident(number: int, *, day: float | None = None, **said: object) -> PastIncident:
    began = NEW_YEAR + timedelta(days=number if day is None else day)
    known = PastIncident(f"I{number:03}", began, is_by_day=not began.hour)
    return replace(known, **said)  # type: ignore[arg-type]


def chronicle(incidents: Sequence[PastIncident], **known: object) -> Chronicle:
    as_of = NEW_YEAR + timedelta(days=400)
    return replace(Chronicle(incidents, as_of), **known)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(5))
def test_all_that_is_planted_is_found_and_the_innocent_is_not_named(seed: int) -> None:
    year = planted_year(seed)

    patterns = patterns_in(year)

    assert [(Dimension.PIPELINE, PLANTED.pipeline)] == [(p.dimension, p.value) for p in patterns]
    assert [PLANTED.cause] == [r.cause for r in repeats_in(year.incidents)]
    assert [set(PLANTED.wordings)] == [set(theme.wordings) for theme in year.themes]
    assert 6 == len(year.themes[0].incidents)


def test_in_200_shuffled_years_one_at_most_has_anything_named() -> None:
    named = 0
    for seed in range(CONTROLS):
        year = shuffled_year(seed)
        repeats = [r for r in repeats_in(year.incidents) if r.is_beyond_chance]
        named += bool(patterns_in(year) or repeats or year.themes)

    assert named <= FAMILY_WISE * CONTROLS


def test_a_share_is_held_against_exposure() -> None:
    incidents = [incident(n, team="a" if n % 3 else "b") for n in range(180)]
    twice = {Dimension.TEAM: {"a": 200.0, "b": 100.0}}
    alike = {Dimension.TEAM: {"a": 100.0, "b": 100.0}}

    assert [] == patterns_in(chronicle(incidents, exposures=twice))
    (found,) = patterns_in(chronicle(incidents, exposures=alike))

    assert ("a", 120, 180, 0.5) == (found.value, found.incidents, found.of, found.expected_ratio)
    # P(X >= 120) of a binomial of 180 and 0.5: by the normal one with its half step, z = 4.40.
    assert found.p == pytest.approx(5e-6, rel=0.3)
    assert found.p <= found.adjusted_p <= SHARE


def test_without_exposure_a_share_is_shown_and_not_judged() -> None:
    incidents = [incident(n, pipeline="one" if n % 5 else "two") for n in range(50)]

    assert [] == patterns_in(chronicle(incidents))
    (unjudged,) = unjudged_in(chronicle(incidents))

    assert (Dimension.PIPELINE, "one", 40, 50) == (
        unjudged.dimension,
        unjudged.value,
        unjudged.incidents,
        unjudged.of,
    )


def test_what_is_known_to_the_day_was_at_no_hour() -> None:
    assert [] == patterns_in(chronicle([incident(n) for n in range(60)]))


def test_an_hour_is_as_exposed_as_any_other() -> None:
    at_nine = [incident(n, day=n + 9 / 24) for n in range(40)]

    (found,) = patterns_in(chronicle(at_nine))

    assert (Dimension.HOUR, "09", Yardstick.EXPOSURE) == (
        found.dimension,
        found.value,
        found.yardstick,
    )
    assert found.expected_ratio == pytest.approx(1 / 24)


def test_a_class_that_comes_up_all_at_once_is_held_against_other_times() -> None:
    calm = [incident(n, day=3 * n + n / 24, cause=f"class {n % 8}") for n in range(100)]
    burst = [incident(200 + n, day=150 + 3 * n + n / 24, cause="expiry") for n in range(15)]

    found = patterns_in(chronicle(sorted(calm + burst, key=lambda one: one.began_at)))

    assert [(Dimension.CAUSE, "expiry", Yardstick.OTHER_TIMES, 15)] == [
        (p.dimension, p.value, p.yardstick, p.incidents) for p in found
    ]


def test_the_same_sev_1_four_times_in_three_months_is_named_and_three_times_is_not() -> None:
    severe = IncidentSeverity.SEV_1
    four = [incident(n, day=25 * n, cause="expiry", severity=severe) for n in range(4)]
    others = [incident(10 + n, day=3 * n, cause=f"class {n}") for n in range(100)]
    incidents = sorted([*four, *others], key=lambda one: one.began_at)

    (repeat,) = repeats_in(incidents)

    assert ["I000", "I001", "I002", "I003"] == list(repeat.incidents)
    assert repeat.is_beyond_chance
    assert [] == repeats_in([one for one in incidents if one.id != "I002"])
    assert [] == repeats_in([replace(i, severity=IncidentSeverity.SEV_2) for i in incidents])


def test_a_long_run_is_named_once() -> None:
    severe = IncidentSeverity.SEV_1
    run = [incident(n, day=28 * n, cause="expiry", severity=severe) for n in range(9)]

    (repeat,) = repeats_in(run)

    assert 9 == len(repeat.incidents)


def test_where_everything_is_one_class_four_severe_ones_are_no_more_than_chance() -> None:
    severe = IncidentSeverity.SEV_1
    run = [incident(n, day=20 * n, cause="deploy", severity=severe) for n in range(18)]

    (repeat,) = repeats_in(run)

    assert not repeat.is_beyond_chance


@pytest.mark.parametrize(
    ("tally", "why"),
    [
        (ItemTally(filed=2, done=2, last_closed_at=NEW_YEAR + timedelta(days=5)), Why.CLOSED),
        (ItemTally(filed=2, done=1, open=1, last_closed_at=NEW_YEAR + timedelta(days=5)), Why.OPEN),
        # Closed, but only after it had come back.
        (ItemTally(filed=1, done=1, last_closed_at=NEW_YEAR + timedelta(days=15)), Why.OPEN),
        (ItemTally(filed=1), Why.UNKNOWN),
        (ItemTally(), Why.NONE),
    ],
)
def test_a_class_that_came_back_says_how_that_could_be(tally: ItemTally, why: Why) -> None:
    first = incident(0, cause="expiry", tally=tally)
    again = incident(10, cause="expiry")

    (found,) = returns_in([first, again, incident(11, cause="other"), incident(12)])

    assert (why, "I000", ["I010"], tally.filed) == (
        found.why,
        found.first,
        list(found.again),
        found.items,
    )


def test_the_odds_of_a_burst_are_scipys_hypergeometric_ones_times_its_choices() -> None:
    from scipy.stats import hypergeom

    calm = [incident(n, day=3 * n + n / 24, cause=f"class {n % 8}") for n in range(100)]
    burst = [incident(200 + n, day=150 + 3 * n + n / 24, cause="expiry") for n in range(15)]
    history = sorted(calm + burst, key=lambda one: one.began_at)

    (found,) = patterns_in(chronicle(history))

    assert found.p == pytest.approx(15 * hypergeom.sf(14, 115, 15, found.of), rel=1e-9)
