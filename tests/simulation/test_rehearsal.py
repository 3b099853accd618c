"""Whole runs in a simulated world: what is promised, whatever goes wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gameday.testing.drawing import (
    CALLS,
    OPERATOR,
    RUN,
    SENTINEL,
    STEPS,
    DrawnMoment,
    draw,
    possible,
)
from gameday.testing.failures import RAISING, Failure, Way
from gameday.testing.oncall import Character
from gameday.testing.rehearsal import Rehearsed, rehearse

REPOSITORY = Path(__file__).parents[2]
FOR_EVER = 1_000_000
SOON = timedelta(0)
RULES = ({"errorBudgetSpentAbove": "90%"}, {"query": "errors", "above": 2})

UNDISTURBED = replace(
    draw(0),
    character=Character.PROMPT,
    failures=(),
    moments=(),
    theirs=None,
    interrupts=1,
    kills_in_vain=0,
    hand_after=None,
    pager_is_out=False,
    steps=(),
)


def scenario(
    *, faults: int = 1, lasts: str = "60s", silent: bool = False, abort: Sequence[object] = ()
) -> str:
    """Return a scenario whose faults the target never ends by itself.

    Args:
        silent: whether the faults hurt nobody, and no page is expected.
    """
    parts = {"ratio": 0.0 if silent else 0.7, "places": 2, "ttl": False}
    expect: dict[str, object] = {
        "errorRatio": parts["ratio"],
        "culprit": {"service": "catalog", "downstream": "db"},
        "mitigation": ["shed-load"],
    }
    if silent:
        expect["alert"] = "none"
    return json.dumps(
        {
            "metadata": {"name": "rehearsal"},
            "spec": {
                "slo": "orders",
                "steadyState": {"for": "2s", "burnRateBelow": 1, "within": "6s"},
                "faults": [
                    {"experiment": f"fault-{n}", "with": parts, "at": f"{n}s", "duration": lasts}
                    for n in range(faults)
                ],
                "abort": list(abort),
                "expect": expect,
                "responder": "bot",
            },
        }
    )


def played(*failures: Failure, moments: tuple[DrawnMoment, ...] = (), **changes: Any) -> Rehearsed:
    """Play one rehearsal in which only this goes wrong, and check every promise."""
    text = changes.pop("scenario", scenario())
    drawn = replace(UNDISTURBED, scenario=text, failures=failures, moments=moments, **changes)
    report = rehearse(-1, drawn=drawn)
    assert [] == report.violations, report.timeline
    return report


def failure(call: str, way: Way, *, process: str = RUN, **more: Any) -> Failure:
    return Failure(process, call, way, **more)


@pytest.mark.parametrize("first", range(0, 100, 25))
def test_every_promise_is_kept_whatever_a_seed_draws(first: int) -> None:
    broken = {}
    for seed in range(first, first + 25):
        report = rehearse(seed)
        if report.violations:
            broken[f"python bench/rehearsal.py --seed {seed} --verbose"] = report.violations

    assert {} == broken


@pytest.mark.parametrize("seed", [3, 20, 78, 112])
def test_the_same_seed_gives_the_same_timeline(seed: int) -> None:
    assert rehearse(seed).timeline == rehearse(seed).timeline


def test_an_undisturbed_run_passes() -> None:
    report = played()

    assert ("passed", "passed", "relieved", 0) == (
        report.outcome,
        report.verdict,
        report.sentinel,
        report.by_hand,
    )


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_a_run_takes_no_notice_of_a_wall_clock_that_is_set(step: timedelta) -> None:
    usual = played()

    report = played(steps=((3.0, step), (20.0, -step), (25.0, step)))

    assert ("passed", "relieved") == (report.outcome, report.sentinel)
    assert usual.seconds == report.seconds


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_a_run_that_freezes_is_taken_over_in_time_whatever_its_clock_was_set_to(
    step: timedelta,
) -> None:
    moment = DrawnMoment(20.0, RUN, Way.FROZEN_BEFORE, timedelta(seconds=40))

    report = played(moments=(moment,), steps=((21.0, step),))

    assert ("killed", "took over") == (report.outcome, report.sentinel)


@pytest.mark.parametrize(
    ("way", "sentinel"), [(Way.KILLED_BEFORE, "killed"), (Way.FROZEN_BEFORE, "relieved")]
)
def test_a_run_whose_sentinel_is_killed_or_frozen_ends_and_recovers(
    way: Way, sentinel: str
) -> None:
    moment = DrawnMoment(12.0, SENTINEL, way, timedelta(seconds=40))

    report = played(moments=(moment,))

    assert ("aborted", "aborted", sentinel) == (report.outcome, report.verdict, report.sentinel)


def test_every_call_there_is_is_made_by_some_rehearsal() -> None:
    reports = [
        played(scenario=scenario(abort=RULES)),
        played(scenario=scenario(abort=[{"probe": "fault-0"}], silent=True, lasts="8s")),
        played(failure("faults.inject", Way.KILLED_AFTER)),
        played(
            failure("faults.inject", Way.KILLED_AFTER),
            failure("undoer.recover", Way.KILLED_BEFORE, process=SENTINEL),
        ),
    ]

    made = {call for report in reports for call in report.calls}
    known = {f"{process}: {call}" for process, calls in CALLS.items() for call in calls}
    assert set() == known - made


# --- dying, freezing, hanging ---------------------------------------------------------------------


@pytest.mark.parametrize("call", sorted(CALLS[RUN]))
def test_a_run_killed_right_after_any_call_leaves_nothing(call: str) -> None:
    rules = [{"probe": "fault-0"}] if call == "faults.steady" else RULES

    report = played(failure(call, Way.KILLED_AFTER), scenario=scenario(faults=2, abort=rules))

    assert ("killed", 1) == (report.outcome, len(report.happened))


@pytest.mark.parametrize("call", sorted(c for c in CALLS[RUN] if not c.startswith("store.")))
def test_a_call_that_is_never_answered_does_not_hold_a_run_up_for_ever(call: str) -> None:
    if (f"{RUN}: {call}", str(Way.HANGS)) not in possible():
        pytest.skip("it waits for no answer")

    report = played(failure(call, Way.HANGS, times=FOR_EVER))

    assert report.outcome in {"passed", "missed", "unknown", "failed", "TemporaryDriverError"}


def test_a_run_that_thaws_after_it_was_taken_over_puts_nothing_in_place() -> None:
    report = played(
        failure("target.check", Way.FROZEN_AFTER, lasts=timedelta(seconds=15)),
        failure("store.give", Way.REFUSED, process=SENTINEL),
        kills_in_vain=40,
    )

    assert ("failed", "StoreError", "took over") == (
        report.outcome,
        report.error,
        report.sentinel,
    )
    assert "put " not in report.timeline


def test_what_lands_after_its_run_died_is_taken_back_by_the_sentinel() -> None:
    report = played(failure("faults.inject", Way.KILLED_LATE, lasts=timedelta(seconds=2.9)))

    assert ("killed", "took over", "aborted") == (report.outcome, report.sentinel, report.verdict)
    assert "put gd-rehearsed-1@1" in report.timeline


def test_where_run_and_sentinel_both_die_a_person_recovers() -> None:
    report = played(
        failure("responder.page", Way.KILLED_BEFORE),
        failure("undoer.recover", Way.KILLED_BEFORE, process=SENTINEL),
    )

    assert ("killed", "killed", 1) == (report.outcome, report.sentinel, report.by_hand)


def test_a_person_may_recover_while_the_sentinel_is_at_work() -> None:
    report = played(
        failure("responder.page", Way.KILLED_BEFORE),
        failure("undoer.recover", Way.SLOW, process=SENTINEL, lasts=timedelta(seconds=2)),
        hand_after=0.5,
        theirs=0.0,
    )

    assert ("took over", 0) == (report.sentinel, report.by_hand)


# --- what rehearsals found ------------------------------------------------------------------------


def test_an_injection_that_lands_after_its_error_is_taken_back() -> None:
    report = played(failure("faults.inject", Way.LATE, lasts=timedelta(seconds=2.5)))

    assert "TemporaryDriverError" == report.outcome or "failed" == report.outcome
    assert "put gd-rehearsed-1@1" in report.timeline


@pytest.mark.parametrize("way", [Way.REFUSED, Way.LOST, Way.HANGS, Way.INTERRUPTED])
def test_an_undo_that_no_sentinel_holds_is_closed_again(way: Way) -> None:
    report = played(failure("lease.hold", way))

    assert "put " not in report.timeline
    assert 0 == report.by_hand


def test_an_undo_whose_storing_was_not_answered_is_closed_again() -> None:
    report = played(failure("store.save_undo", Way.LOST))

    assert "put " not in report.timeline
    assert 0 == report.by_hand


def test_an_undo_whose_storing_was_not_answered_is_closed_although_the_store_is_slow_to() -> None:
    report = played(failure("store.save_undo", Way.LOST), failure("store.close_undo", Way.HANGS))

    assert "put " not in report.timeline


@pytest.mark.parametrize("disk", ["store.append", "store.close_run"])
def test_a_full_disk_does_not_hide_a_fault_that_is_stuck(disk: str) -> None:
    report = played(
        failure("undoer.recover", Way.REFUSED, times=FOR_EVER),
        failure("undoer.recover", Way.REFUSED, process=SENTINEL, times=FOR_EVER),
        failure(disk, Way.REFUSED, skips=0 if disk == "store.close_run" else 12, times=FOR_EVER),
    )

    assert ("failed", "RecoveryError") == (report.outcome, report.error)
    assert ("stuck", 1) == (report.sentinel, report.by_hand)


def test_a_second_interruption_does_not_hide_a_fault_that_is_stuck() -> None:
    report = played(
        failure("responder.page", Way.INTERRUPTED),
        failure("undoer.recover", Way.REFUSED, times=FOR_EVER),
        failure("undoer.recover", Way.REFUSED, process=SENTINEL, times=FOR_EVER),
        interrupts=3,
    )

    assert ("failed", "RecoveryError") == (report.outcome, report.error)


def test_an_interruption_while_the_doors_close_does_not_hide_what_is_stuck() -> None:
    stuck = failure("undoer.recover", Way.REFUSED, times=FOR_EVER)
    given_up_at = played(stuck).happened[-1][0]

    report = played(stuck, moments=(DrawnMoment(given_up_at + 0.1, RUN, Way.INTERRUPTED, SOON),))

    assert Way.INTERRUPTED is report.happened[-1][1].way
    assert ("failed", "RecoveryError") == (report.outcome, report.error)


def test_a_sentinel_that_stood_still_looks_once_more() -> None:
    report = played(
        failure("faults.inject", Way.KILLED_LATE, lasts=timedelta(seconds=0.5)),
        failure(
            "store.open_undos", Way.FROZEN_BEFORE, process=SENTINEL, lasts=timedelta(seconds=15)
        ),
    )

    assert "took over" == report.sentinel


def test_a_sentinel_asks_a_store_again_that_did_not_answer() -> None:
    report = played(
        failure("store.save_undo", Way.KILLED_AFTER),
        failure("store.open_undos", Way.REFUSED, process=SENTINEL, times=3),
    )

    assert ("took over", 0) == (report.sentinel, report.by_hand)


def test_two_mitigations_at_once_are_both_taken_back() -> None:
    report = played(character=Character.EAGER)

    assert 2 == report.timeline.count('"kind": "mitigation.started"')
    assert "restore" in report.timeline


# --- verdicts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [Way.ABORTED, Way.STOPPED, Way.PAGED])
def test_an_order_or_a_real_page_ends_the_run(way: Way) -> None:
    moment = DrawnMoment(20, RUN, way, timedelta(0))

    report = played(moments=(moment,))

    assert ("aborted", "relieved") == (report.outcome, report.sentinel)


def test_a_run_that_saw_neither_alert_nor_page_does_not_pass() -> None:
    unread = failure("alerts.alerts", Way.REFUSED, times=FOR_EVER)

    report = played(unread, pager_is_out=True)

    assert "unknown" == report.verdict


def test_expected_silence_does_not_pass_where_no_page_could_have_come() -> None:
    text = scenario(silent=True, lasts="8s")

    heard = played(scenario=text)
    deaf = played(scenario=text, pager_is_out=True)

    assert ("passed", "unknown") == (heard.verdict, deaf.verdict)


@pytest.mark.long
def test_twenty_thousand_seeds() -> None:
    done = subprocess.run(
        [sys.executable, "bench/rehearsal.py", "--seeds", "20000"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == done.returncode, done.stderr[-5000:]


@pytest.mark.long
@pytest.mark.parametrize("name", sorted({name for name, _ in possible()}))
def test_every_way_in_which_a_call_can_go_wrong(name: str) -> None:
    process, _, call = name.partition(": ")
    dying: tuple[Failure, ...] = ()
    if process != RUN:
        dying = (failure("responder.page", Way.KILLED_BEFORE),)
    if process == OPERATOR:
        dying += (failure("undoer.recover", Way.KILLED_BEFORE, process=SENTINEL),)
    for way in sorted(Way(word) for found, word in possible() if found == name):
        lasts = timedelta(seconds=3 if way in (Way.LATE, Way.KILLED_LATE) else 6)
        for skips in (0, 1, 3, 10):
            for times in (1, FOR_EVER) if way in RAISING and process != OPERATOR else (1,):
                struck = failure(call, way, process=process, skips=skips, times=times, lasts=lasts)
                played(*dying, struck, scenario=scenario(faults=2, abort=RULES))
