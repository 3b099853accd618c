"""Each target is met, missed, or unknown with the reason; what is due is counted, nothing else."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gameday.learning.flywheel.shares import actions_in_time, postmortems_in_time
from gameday.learning.flywheel.targets import change_in_words
from gameday.learning.flywheel.themes import tally_of
from gameday.learning.flywheel.wheel import turned
from gameday.model.flywheel import Flywheel, PlayedDrill
from gameday.model.past_incident import (
    Chronicle,
    ItemState,
    ItemTally,
    PastIncident,
    PastItem,
)
from gameday.model.severity import IncidentSeverity
from scoring.verdict import Verdict

START = datetime(2025, 1, 1, tzinfo=UTC)
END = datetime(2027, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def years(before: int, after: int, *, cut: float = 0.0) -> Sequence[PastIncident]:
    """Return two years of incidents, so many in each, the later ones shorter by a cut."""
    rng = random.Random(1)
    found = []
    for number in range(before + after):
        is_after = number >= before
        place = (number - before) / after if is_after else number / before
        began = START + 365 * DAY * (place + is_after)
        took = timedelta(minutes=45 * math.exp(rng.gauss(0, 1))) * (1 - cut * is_after)
        found.append(PastIncident(f"I{number}", began, cleared_at=began + took))
    return found


def wheel(incidents: Sequence[PastIncident], drills: Sequence[PlayedDrill] = ()) -> Flywheel:
    found = turned(Chronicle(incidents, END), drills=drills)
    assert found is not None
    return found


def verdicts(found: Flywheel) -> dict[str, Verdict]:
    return {target.name: target.verdict for target in found.targets}


@pytest.mark.parametrize(
    ("before", "after", "cut", "recovering", "fewer"),
    [
        (150, 100, 0.7, Verdict.MET, Verdict.MET),
        (150, 150, 0.0, Verdict.MISSED, Verdict.MISSED),
        (8, 7, 0.3, Verdict.UNKNOWN, Verdict.UNKNOWN),
    ],
)
def test_a_change_is_met_where_it_is_shown_and_unknown_where_it_could_not_be(
    before: int, after: int, cut: float, recovering: Verdict, fewer: Verdict
) -> None:
    found = verdicts(wheel(years(before, after, cut=cut)))

    assert (recovering, fewer) == (found["time to recover"], found["incidents"])


def test_an_unknown_target_says_what_could_have_been_shown() -> None:
    (target,) = [t for t in wheel(years(8, 7)).targets if t.name == "time to recover"]

    assert "incidents would have shown a cut of" in target.reason


def test_game_days_are_asked_of_each_region_and_month() -> None:
    monthly = [PlayedDrill("s", "eu", END - 30 * n * DAY) for n in range(1, 13)]
    once = PlayedDrill("s", "us", END - 200 * DAY)

    assert Verdict.MET is verdicts(wheel(years(9, 9), monthly))["game days"]
    assert Verdict.MISSED is verdicts(wheel(years(9, 9), [*monthly, once]))["game days"]
    assert Verdict.UNKNOWN is verdicts(wheel(years(9, 9)))["game days"]


def test_drills_of_the_same_scenario_are_compared_in_pairs() -> None:
    drills = [
        PlayedDrill(f"s{n}", "eu", END - day * DAY, seconds)
        for n in range(8)
        for day, seconds in ((200, 600.0 + 50 * n), (20, 250.0 + 30 * n))
    ]

    found = wheel(years(9, 9), drills).drills

    assert found is not None
    assert ("shorter", 8) == (found.trend, found.before)


def test_months_count_what_began_in_them() -> None:
    found = wheel(years(24, 36))

    assert 12 == len(found.months)
    assert [2027, 1] == [found.months[-1].first.year, found.months[-1].first.month]
    assert 30 < sum(month.incidents for month in found.months) <= 36


def test_postmortems_count_where_somebody_keeps_them_and_once_they_are_due() -> None:
    severe = PastIncident(
        "I", START, severity=IncidentSeverity.SEV_1, closed_at=START + timedelta(hours=1)
    )
    written = replace(severe, id="W", postmortem_at=START + timedelta(hours=30))
    late = replace(severe, id="L", postmortem_at=START + timedelta(hours=90))
    mild = replace(severe, id="M", severity=IncidentSeverity.SEV_3)
    elsewhere = replace(severe, id="E", source="log.csv")

    share = postmortems_in_time([severe, written, late, mild, elsewhere], END)

    assert (1, 3) == (share.met, share.of)
    fresh = postmortems_in_time([severe, written], START + timedelta(hours=2))
    assert (1, 1) == (fresh.met, fresh.of)
    assert postmortems_in_time([elsewhere], END).ratio is None


def test_action_items_are_due_after_30_days_and_only_if_it_is_known_when_they_were_filed() -> None:
    items = [
        PastItem("quick", "", ItemState.DONE, START, START + 10 * DAY),
        PastItem("slow", "", ItemState.DONE, START, START + 40 * DAY),
        PastItem("open", "", ItemState.OPEN, START),
        PastItem("young", "", ItemState.OPEN, START + 50 * DAY),
        PastItem("open when the report was written", "", ItemState.OPEN),
        PastItem("nobody said", "", ItemState.UNKNOWN, START),
    ]

    tally = tally_of(items, as_of=START + 60 * DAY)

    assert (
        ItemTally(filed=6, open=3, done=2, due=3, in_time=1, last_closed_at=START + 40 * DAY)
        == tally
    )
    share = actions_in_time([PastIncident("I", START, tally=tally)])
    assert (1, 3) == (share.met, share.of)


def test_of_no_incident_there_is_no_wheel() -> None:
    assert turned(Chronicle([], END)) is None


@pytest.mark.parametrize(
    ("ratio", "words"), [(0.5, "−50 %"), (1.2, "+20 %"), (1.0, "±0 %"), (118.0, "×118")]
)
def test_a_ratio_is_said_as_a_change(ratio: float, words: str) -> None:
    assert words == change_in_words(ratio)
