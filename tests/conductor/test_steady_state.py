"""The steady state before a fault: awaited, refused, and an earlier drill's minutes forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from test_conductor import Run

from gameday.errors import PlanRefused, TemporaryDriverError
from scoring.timeline import Kind


async def test_a_burn_before_the_fault_refuses_the_run_and_injects_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.world.burn = 3.0

    with pytest.raises(PlanRefused, match="steady state not met: the burn rate"):
        await run.play()

    assert run.world.injected_at is None
    assert run.kinds() == [Kind.STEADY_STATE_CHECKED]


async def test_bad_minutes_of_an_earlier_drill_are_forgotten_before_pages_come_here(
    tmp_path: Path,
) -> None:
    run = Run(tmp_path)
    run.world.burn = 3.0

    async def forget() -> None:
        assert not [call for call in run.world.calls if call.startswith("route")]
        run.world.burn = 0.1

    run.forget = forget
    await run.play()

    assert [Kind.HISTORY_FORGOTTEN, Kind.STEADY_STATE_CHECKED] == run.kinds()[:2]
    told = run.ledger.timeline.first(Kind.HISTORY_FORGOTTEN)
    assert told is not None
    assert {"burn_rates": {"1h": 3.0, "6h": 3.0}} == told.data


@pytest.mark.parametrize("burn", [0.1, None], ids=["low", "unknown"])
async def test_nothing_is_forgotten_where_no_burn_rate_is_high(
    tmp_path: Path, burn: float | None
) -> None:
    run = Run(tmp_path)
    run.world.burn = burn

    async def forget() -> None:
        raise AssertionError("there is nothing bad to forget")

    run.forget = forget
    with suppress(PlanRefused):
        await run.play()

    assert Kind.HISTORY_FORGOTTEN not in run.kinds()


@pytest.mark.parametrize("short", [3.0, None], ids=["bad", "unknown"])
async def test_what_is_not_known_to_be_over_is_not_forgotten_away(
    tmp_path: Path, short: float | None
) -> None:
    run = Run(tmp_path)
    run.world.burn, run.world.short_burn = 3.0, short
    times: list[int] = []

    async def forget() -> None:
        times.append(1)

    run.forget = forget
    with pytest.raises(PlanRefused, match="steady state not met"):
        await run.play()

    assert [1] == times
    assert run.world.injected_at is None


async def test_a_bad_moment_after_forgetting_is_forgotten_once_it_is_over(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.world.burn = 3.0
    forgotten_at: list[timedelta] = []

    async def forget() -> None:
        now = run.clock.elapsed()
        forgotten_at.append(now)
        if len(forgotten_at) == 1:  # the machine stutters: too high in every window, for 5 s
            run.world.burn = run.world.short_burn = 2.6
            over.append(now + timedelta(seconds=5))
        else:
            run.world.burn = 0.1

    over: list[timedelta] = []
    rates = run.world.burn_rates

    async def burn_rates(*, slo: str) -> Mapping[str, float | None]:
        if over and run.clock.elapsed() >= over[0]:
            run.world.short_burn = 0.1
        return await rates(slo=slo)

    run.world.burn_rates = burn_rates  # type: ignore[method-assign]
    run.forget = forget
    await run.play()

    assert 2 == len(forgotten_at)
    assert over[0] <= forgotten_at[1]
    assert run.world.injected_at is not None


async def test_a_target_that_cannot_forget_ends_the_run_before_any_fault(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.world.burn = 3.0

    async def forget() -> None:
        raise TemporaryDriverError("prometheus refused")

    run.forget = forget
    with pytest.raises(TemporaryDriverError, match="prometheus refused"):
        await run.play()

    assert run.world.injected_at is None


async def test_missing_burn_rates_refuse_the_run_as_unknown(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.world.burn = None

    with pytest.raises(PlanRefused, match="steady state is unknown"):
        await run.play()

    checked = run.ledger.timeline.first(Kind.STEADY_STATE_CHECKED)
    assert checked is not None
    assert checked.data["met"] is None


async def test_after_forgetting_silence_is_only_expected_on_enough_history(tmp_path: Path) -> None:
    run = Run(tmp_path, expect={"alert": None, "errorRatio": 0.07})
    run.world.burn = 3.0
    run.world.fires_after = None

    async def forget() -> None:
        run.world.burn = 0.1

    run.forget = forget
    await run.play()

    forgotten = run.ledger.timeline.first(Kind.HISTORY_FORGOTTEN)
    assert forgotten is not None
    assert run.world.injected_at is not None
    waited = run.world.injected_at - forgotten.happened_at
    assert run.plan.silent_history > run.plan.scenario.spec.steady_state.for_
    assert run.plan.silent_history <= waited
