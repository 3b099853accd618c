"""A team's month: what began in it, who was woken, and what came back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from gameday.learning.flywheel.review import review_of, teams_in
from gameday.learning.flywheel.wheel import turned
from gameday.model.monthly_review import MonthlyReview, PagesOfRole
from gameday.model.past_incident import Chronicle, Dimension, ItemTally, PastIncident, Theme
from gameday.model.pattern import Why
from gameday.model.severity import IncidentSeverity
from gameday.report.monthly_review import review_markdown

AS_OF = datetime(2026, 12, 1, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def incident(id: str, at: str, **said: object) -> PastIncident:
    began = datetime.fromisoformat(at).replace(tzinfo=UTC)
    known = PastIncident(
        id,
        began,
        severity=IncidentSeverity.SEV_2,
        detected_at=began,
        cleared_at=began + timedelta(minutes=30),
        team="books",
        cause=f"cause of {id}",
    )
    return replace(known, **said)  # type: ignore[arg-type]


HISTORY = (
    incident("old", "2025-09-15T10:00", cause="expiry", tally=ItemTally(filed=2, open=2)),
    incident("september", "2026-09-20T10:00", tally=ItemTally(filed=4, done=4, due=4, in_time=3)),
    incident("edge", "2026-09-30T22:30"),  # in Berlin it is October
    incident("day", "2026-10-06T09:00"),  # a Tuesday, eleven in Berlin
    incident("evening", "2026-10-06T16:30", cause="expiry"),  # half past six in Berlin
    incident("weekend", "2026-10-10T10:00"),
    incident("mild", "2026-10-11T10:00", severity=IncidentSeverity.SEV_4),
    incident("theirs", "2026-10-07T10:00", team="music"),
    incident("november", "2026-11-02T10:00"),
)
THEMES = (
    Theme("", "Add alerts", ("Add alerts",), ("old", "day", "evening"), 3),
    Theme("", "Rotate", ("Rotate",), ("old", "september", "november"), 3),
)


def october() -> MonthlyReview:
    chronicle = Chronicle(HISTORY, AS_OF, THEMES)
    return review_of(chronicle, team="books", month=date(2026, 10, 17), zone=BERLIN)


def test_a_month_is_the_teams_and_begins_where_it_lives() -> None:
    review = october()

    assert (date(2026, 10, 1), 5, 4) == (review.first, review.incidents, review.severe)
    assert ["books", "music"] == list(teams_in(Chronicle(HISTORY, AS_OF)))


def test_pages_out_of_hours_are_by_the_teams_clock() -> None:
    assert [PagesOfRole("on-call", 4, 3)] == list(october().pages)


def test_what_came_back_in_the_month_is_named_with_what_could_have_prevented_it() -> None:
    (returned,) = october().returns

    assert ("expiry", Why.OPEN, "old", ["evening"], 1) == (
        returned.cause,
        returned.why,
        returned.first,
        list(returned.again),
        returned.times,
    )


def test_what_was_asked_for_again_is_of_its_incidents() -> None:
    assert ["Add alerts"] == [theme.title for theme in october().recurring]


def test_action_items_of_the_month_before_are_judged_and_the_year_is_compared() -> None:
    review = october()

    assert (3, 4, 2) == (review.actions.met, review.actions.of, review.open)
    assert 1 / 12 == review.usual  # but for `old`, a year and more ago
    assert review.recover is not None
    assert 5 == review.recover.count


def test_the_page_is_short_and_says_what_it_cannot_know() -> None:
    page = review_markdown(october())

    assert page.startswith("# books, October 2026\n")
    assert "| pages, on-call | 4 | 3 of them out of hours |" in page
    assert "| action items of last month done in 30 days | 75 % of 4 |" in page
    assert "| cost against traffic | unknown |" in page
    assert "expiry came back once while its items were open" in page
    assert len(page.splitlines()) < 40


def test_how_all_teams_share_exposure_says_nothing_of_one() -> None:
    many = [
        incident(f"I{n}", f"2026-{n % 9 + 1:02}-{n % 27 + 1:02}T{n % 24:02}:00") for n in range(90)
    ]
    many.sort(key=lambda one: one.began_at)
    exposures = {Dimension.TEAM: {"books": 1.0, "music": 99.0}}

    wheel = turned(Chronicle(many, AS_OF, exposures=exposures), team="books")

    assert wheel is not None
    assert [] == list(wheel.patterns)
