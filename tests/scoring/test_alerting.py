"""Whether an alert fired is told from whether it could have, and when from how sure that is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from drill_facts import (
    SLOW_DB,
    at,
    changed,
    default_rubric,
    fact,
    good_run,
    measured,
    only,
    plus,
    without,
)

from scoring.alerting import Detection
from scoring.expectation import Expectation
from scoring.scorecard import judge
from scoring.timeline import Fact, Kind, Timeline
from scoring.verdict import Verdict

SILENT = replace(SLOW_DB, alert=None, culprit=None, mitigations=())
PROVEN = measured("pipeline", 39, alive=True)


def detection(timeline: Timeline, expectation: Expectation = SLOW_DB) -> Detection:
    return judge(timeline, expectation, default_rubric()).detection


def paged(timeline: Timeline) -> Verdict:
    return judge(timeline, SLOW_DB, default_rubric()).phases["paged"].verdict


def quiet_run(beats: Callable[[float], bool] = lambda _: True) -> Timeline:
    """Return a run of 41 s in which nothing fired, read to its end, with some of its beats."""

    def kept(found: Fact) -> bool:
        second = (found.happened_at - at(0)).total_seconds()
        if found.kind == Kind.PIPELINE_BEAT:
            return beats(second)
        return not 0 < second < 35

    return plus(only(good_run(), kept), measured("burn_rate", 41, values={}))


# --- the watchdog -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("beats", "verdict"),
    [
        (lambda second: True, Verdict.MISSED),
        # It was due at 21.9 s; a beat within 15 s of that shows that a page could have come.
        (lambda second: second < 11, Verdict.MISSED),
        (lambda second: second > 30, Verdict.MISSED),
        (lambda second: second < 6, Verdict.UNKNOWN),
        (lambda second: not 6 <= second <= 37, Verdict.UNKNOWN),
        (lambda second: False, Verdict.UNKNOWN),
    ],
)
def test_an_alert_that_did_not_fire_is_missed_only_if_the_watchdog_was_heard_when_it_was_due(
    beats: Callable[[float], bool], verdict: Verdict
) -> None:
    found = detection(quiet_run(beats))

    assert verdict == found.verdict
    assert (verdict is Verdict.UNKNOWN) == ("no beat of the watchdog" in found.reason)


def test_no_page_is_missed_only_if_the_watchdog_was_heard_at_the_end() -> None:
    assert Verdict.MISSED == paged(quiet_run())
    assert Verdict.UNKNOWN == paged(quiet_run(lambda second: second < 20))


def test_firing_too_late_is_unknown_if_the_watchdog_was_not_heard_when_it_was_due() -> None:
    # Due at 2.5 s; beats, and the page itself, came 16 s later and more.
    quick = changed(good_run(), "measured-detection@40", predicted_seconds=2.0, upper_seconds=2.5)
    deaf = only(
        quick,
        lambda f: f.kind != Kind.PIPELINE_BEAT or not at(-13) <= f.happened_at <= at(17.5),
    )

    # As long before the injection as the alert was due after it: that tells nothing.
    deaf = plus(deaf, fact(Kind.PIPELINE_BEAT, -14))

    assert Verdict.MISSED == detection(quick).verdict
    assert Verdict.UNKNOWN == detection(deaf).verdict
    assert "15.5 s too late; no beat of the watchdog" in detection(deaf).reason


@pytest.mark.parametrize(
    ("beats", "verdict", "reason"),
    [
        (lambda second: True, Verdict.MET, "silent, as expected"),
        (lambda second: not 3 <= second <= 17, Verdict.UNKNOWN, "for 16 s no beat"),
        (lambda second: second < 20, Verdict.UNKNOWN, "for 21 s no beat"),
        (lambda second: second > 20, Verdict.UNKNOWN, "for 22 s no beat"),
        (lambda second: second < 0, Verdict.UNKNOWN, "for 39 s no beat"),
    ],
)
def test_silence_is_met_only_if_the_watchdog_was_heard_all_along(
    beats: Callable[[float], bool], verdict: Verdict, reason: str
) -> None:
    found = detection(plus(quiet_run(beats), PROVEN), SILENT)

    assert verdict == found.verdict
    assert reason in found.reason


def test_a_gap_of_fifteen_seconds_is_not_yet_too_long() -> None:
    deaf = quiet_run(lambda _: False)
    beats = [fact(Kind.PIPELINE_BEAT, second) for second in (12, 27)]

    assert Verdict.MET == detection(plus(deaf, *beats, PROVEN), SILENT).verdict


@pytest.mark.parametrize(("since", "verdict"), [(33, Verdict.MISSED), (37, Verdict.UNKNOWN)])
def test_an_alert_that_was_not_recomputed_is_due_when_the_plan_says(
    since: int, verdict: Verdict
) -> None:
    # Planned after 18.3 s, due after 22.9: a beat at 34 s is near enough, one at 38 s is not.
    quiet = quiet_run(lambda second: second > since)

    assert verdict == detection(only(quiet, lambda f: f.id != "measured-detection@40")).verdict


def test_silence_without_a_single_beat_is_unknown() -> None:
    deaf = quiet_run(lambda _: False)

    assert Verdict.UNKNOWN == detection(deaf, SILENT).verdict
    for alive in (True, False):
        told = plus(deaf, measured("pipeline", 39, alive=alive))
        assert Verdict.UNKNOWN == detection(told, SILENT).verdict


# --- how sure it is -----------------------------------------------------------------------------


def test_the_instants_are_given_with_their_resolution() -> None:
    told = changed(good_run(), "alert.fired@18", active_at=at(16).isoformat())
    planned = changed(told, "plan.made@-11", evaluation_seconds=1.0)

    found = detection(planned)

    assert (at(16), at(18), at(18.5), at(33)) == (
        found.pending_at,
        found.fired_at,
        found.paged_at,
        found.cleared_at,
    )
    assert (0.5, 1.0) == (found.delivery_seconds, found.resolution_seconds)


def test_what_is_not_known_about_an_instant_is_not_made_up() -> None:
    found = detection(without(good_run(), Kind.PAGE_RECEIVED, Kind.ALERT_RESOLVED, Kind.PLAN_MADE))

    assert (None, None) == (found.pending_at, found.cleared_at)
    assert (None, None) == (found.delivery_seconds, found.resolution_seconds)


@pytest.mark.parametrize(
    ("started", "verdict"), [(-3600, Verdict.MET), (0, Verdict.MET), (5, Verdict.UNKNOWN)]
)
def test_a_restart_of_prometheus_during_the_run_makes_the_detection_unknown(
    started: float, verdict: Verdict
) -> None:
    stamp = at(started).isoformat()
    told = changed(good_run(), "measured-detection@40", prometheus_started_at=stamp)

    found = detection(told)

    assert verdict == found.verdict
    assert (verdict is Verdict.UNKNOWN) == ("Prometheus restarted" in found.reason)


@pytest.mark.parametrize(("limit", "verdict"), [(17.9, Verdict.MISSED), (18, Verdict.MET)])
def test_a_declared_limit_is_judged_without_any_theory(limit: float, verdict: Verdict) -> None:
    declared = replace(SLOW_DB, within=timedelta(seconds=limit))

    found = detection(without(good_run(), Kind.MEASUREMENT, Kind.PLAN_MADE), declared)

    assert (verdict, limit) == (found.verdict, found.within_seconds)


def test_a_run_that_says_nothing_of_when_the_alert_is_due_is_judged_by_its_end() -> None:
    untold = without(quiet_run(), Kind.PLAN_MADE, Kind.MEASUREMENT)
    read = plus(untold, measured("burn_rate", 41, values={}))

    assert Verdict.MISSED == detection(read).verdict
    assert Verdict.UNKNOWN == (detection(without(read, Kind.PIPELINE_BEAT)).verdict)


def test_a_fact_without_data_of_its_own_changes_nothing() -> None:
    assert detection(good_run()) == detection(plus(good_run(), fact("weather.changed", 5)))


# --- an alert that cannot be read ---------------------------------------------------------------

UNREAD = "the alert X cannot be read: sgn(…) is not followed"


def unpredicted(timeline: Timeline) -> Timeline:
    """Return a run of an alert of which nobody knows when it had to fire."""
    planless = changed(timeline, f"{Kind.PLAN_MADE}@-11", predicted_seconds=None)
    return changed(
        planless,
        "measured-detection@40",
        predicted_seconds=None,
        upper_seconds=None,
        unpredicted=UNREAD,
    )


def test_an_alert_that_cannot_be_read_is_timed_and_not_judged() -> None:
    found = detection(unpredicted(good_run()))

    assert (18.0, None, None) == (found.seconds, found.predicted_seconds, found.ratio)
    assert (Verdict.UNKNOWN, f"it fired; when it had to is not known: {UNREAD}") == (
        found.verdict,
        found.reason,
    )


def test_silence_of_an_alert_that_cannot_be_read_proves_nothing() -> None:
    quiet = only(unpredicted(good_run()), lambda f: f.kind not in _OF_AN_ALERT)
    quiet = plus(quiet, measured("burn_rate", 41, values={}))

    found = detection(quiet)

    assert Verdict.UNKNOWN == found.verdict
    assert f"it did not fire; when it had to is not known: {UNREAD}" == found.reason


def test_a_limit_that_the_scenario_states_is_judged_by_all_the_same() -> None:
    told = replace(SLOW_DB, within=timedelta(seconds=20))

    assert Verdict.MET == detection(unpredicted(good_run()), told).verdict
    assert (
        Verdict.MISSED
        == detection(unpredicted(good_run()), replace(told, within=timedelta(seconds=10))).verdict
    )


_OF_AN_ALERT = (Kind.ALERT_FIRED, Kind.ALERT_RESOLVED, Kind.PAGE_RECEIVED, Kind.PAGE_DELIVERED)
