"""What a mitigation did: right or unknown, never wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from drill_facts import SLOW_DB, at, burning, fact, good_run, measured
from hypothesis import given
from hypothesis import strategies as st

from scoring.effect import Effect, MitigationEffect, mitigation_effects
from scoring.run_facts import RunFacts
from scoring.slo import nominal, span_of, workbook_windows
from scoring.timeline import Fact, Kind, Timeline


def start(**data: Any) -> Fact:
    return fact(Kind.RUN_STARTED, -1, "start", time_scale=60, **data)


def injected(second: float = 0, undo: str = "u1") -> Fact:
    return fact(Kind.FAULT_INJECTED, second, f"in-{undo}", undo=undo)


def applied(second: float, name: str = "drain-region", **data: Any) -> Fact:
    said = {"name": name, "parameters": {"region": "us-east"}, "ok": True, **data}
    return fact(Kind.MITIGATION_APPLIED, second, f"{name}@{second}", **said)


def effects(*facts: Fact) -> tuple[MitigationEffect, ...]:
    return mitigation_effects(RunFacts(Timeline.of([start(), injected(), *facts]), SLOW_DB))


def effect(*facts: Fact) -> tuple[Effect, str]:
    (found,) = effects(*facts)
    return found.effect, found.reason


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (50.0, 100.0, Effect.MAKES_WORSE),
        (50.0, 69.0, Effect.DOES_NOT_HELP),
        (50.0, 50.0, Effect.DOES_NOT_HELP),
        (50.0, 36.0, Effect.DOES_NOT_HELP),
        (50.0, 25.0, Effect.HELPS),
        (1.2, 0.9, Effect.HELPS),
        (0.2, 50.0, Effect.MAKES_WORSE),
        (0.0, 0.9, Effect.DOES_NOT_HELP),
    ],
)
def test_a_mitigation_is_judged_by_the_burn_rate_before_and_after(
    before: float, after: float, expected: Effect
) -> None:
    found = effects(applied(20), *burning(0, 20, before), *burning(20, 40, after))

    assert [(expected, before, after)] == [(e.effect, e.burn_before, e.burn_after) for e in found]


def test_one_that_failed_did_nothing() -> None:
    assert () == effects(applied(20, ok=False), *burning(0, 40, 50.0))


def test_one_that_is_applied_while_the_window_fills_has_an_unknown_effect() -> None:
    # Five seconds hold the window of five minutes at 60 times the pace.
    assert (Effect.UNKNOWN, "the shortest window was still filling when it was applied") == effect(
        applied(5), *burning(0, 5, 20.0), *burning(5, 40, 100.0)
    )


def test_one_that_was_not_watched_for_long_enough_has_an_unknown_effect() -> None:
    assert (Effect.UNKNOWN, "nothing was measured for long enough after it") == effect(
        applied(20), *burning(0, 20, 50.0), *burning(20, 25, 100.0)
    )


@pytest.mark.parametrize(
    "end",
    [
        fact(Kind.FAULT_RECOVERED, 24, undo="u1", by="expired"),
        fact(Kind.MITIGATIONS_RESTORED, 24, undo="m"),
        injected(24, "u2"),
    ],
    ids=["fault gone", "taken back", "another fault"],
)
def test_what_came_after_something_else_changed_is_not_looked_at(end: Fact) -> None:
    found, _ = effect(applied(20), end, *burning(0, 20, 50.0), *burning(20, 40, 100.0))

    assert Effect.UNKNOWN == found


def test_two_mitigations_are_told_apart() -> None:
    found = effects(
        applied(20),
        applied(40, "failover-db"),
        *burning(0, 20, 50.0),
        *burning(20, 40, 100.0),
        *burning(40, 60, 0.5),
    )

    assert [Effect.MAKES_WORSE, Effect.HELPS] == [one.effect for one in found]


def test_a_try_that_failed_changes_nothing_for_the_one_before() -> None:
    found, _ = effect(
        applied(20), applied(22, ok=False), *burning(0, 20, 50.0), *burning(20, 40, 100.0)
    )

    assert Effect.MAKES_WORSE == found


@pytest.mark.parametrize(
    "burn_rate",
    [lambda t: 2.0 * t, lambda t: 1.2**t, lambda t: 50 if t % 16 < 8 else 10],
    ids=["a ramp", "faster and faster", "on and off"],
)
def test_a_fault_that_grows_by_itself_is_not_held_against_the_responder(
    burn_rate: Callable[[int], float],
) -> None:
    grown = [f for second in range(60) for f in burning(second, second + 1, burn_rate(second))]

    assert Effect.MAKES_WORSE != effect(applied(20), *grown)[0]


@given(st.floats(0.5, 60), st.floats(-1, 3), st.integers(11, 50))
def test_whatever_changes_nothing_is_never_called_worse(
    level: float, slope: float, second: int
) -> None:
    drawn = [
        f
        for at_second in range(80)
        for f in burning(at_second, at_second + 1, max(level + slope * at_second, 0.0))
    ]

    assert Effect.MAKES_WORSE != effect(applied(second), *drawn)[0]


def test_without_any_reading_the_effect_is_unknown() -> None:
    assert (Effect.UNKNOWN, "no burn rate was measured while the fault was in place") == effect(
        applied(20)
    )
    blind = [measured("burn_rate", s, values={"5m": None, "odd": 3.0, "5x": 1}) for s in range(40)]
    assert Effect.UNKNOWN == effect(applied(20), *blind)[0]


def test_a_mitigation_that_the_alert_cleared_by_helps_whatever_was_measured() -> None:
    unmeasured = Timeline.of(f for f in good_run() if f.data.get("what") != "burn_rate")

    (found,) = mitigation_effects(RunFacts(unmeasured, SLOW_DB))

    assert (Effect.HELPS, "the alert cleared by it", at(27.5)) == (
        found.effect,
        found.reason,
        found.applied_at,
    )


def test_a_window_is_found_again_by_its_name() -> None:
    from datetime import timedelta

    for window in workbook_windows(timedelta(days=30)):
        assert window.long == span_of(nominal(window.long))
    assert [None] * 3 == [span_of(name) for name in ("", "m", "5w")]
