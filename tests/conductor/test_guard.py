"""What ends a run early: orders, strangers' pages, abort rules that ask Prometheus or a probe."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from test_conductor import Run

from gameday.errors import RunAborted, TemporaryDriverError
from gameday.model.scenario import AbortRule
from gameday.ports import Injection, Order, OrderKind, PlannedFault
from gameday.testing.virtual import START
from scoring.timeline import Kind

SECOND = timedelta(seconds=1)


def after_injection(run: Run, act: Any) -> None:
    inject = run.world.inject

    async def and_act(fault: PlannedFault) -> Injection:
        injection = await inject(fault)
        act()
        return injection

    run.world.inject = and_act  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("kind", "whom", "words"),
    [
        (OrderKind.ABORT, "run", "abort ordered: enough"),
        (OrderKind.STOP, None, "stop of all runs ordered: enough"),
        (OrderKind.FENCE, "run", "taken over"),
    ],
)
async def test_an_order_ends_the_run_and_recovers(
    tmp_path: Path, kind: OrderKind, whom: str | None, words: str
) -> None:
    run = Run(tmp_path)
    order = Order(kind, whom, "enough", "ann", START)
    if kind is OrderKind.FENCE:
        # Its own facts are refused from then on; what it injected is recovered all the same.
        after_injection(run, lambda: None)
        run.store.orders = lambda _run=None: (order,)  # type: ignore[method-assign]
    else:
        after_injection(run, lambda: run.store.give(order))

    with pytest.raises(RunAborted, match=words):
        await run.play()

    assert run.world.present == set()
    assert run.ledger.timeline.of_kind(Kind.RUN_ABORTED)[0].data["by"] in {"ann", "sentinel"}


async def test_an_order_for_another_run_is_none_of_ours(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.store.give(Order(OrderKind.ABORT, "another", "enough", "ann", START))

    await run.play()

    assert Kind.RUN_ABORTED not in run.kinds()


async def test_an_order_before_the_fault_lets_nothing_be_injected(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.store.give(Order(OrderKind.ABORT, "run", "", "ann", START))

    with pytest.raises(RunAborted, match="abort ordered"):
        await run.play()

    assert run.world.injected_at is None
    assert run.lease.said == []


def page(run: Run, **labels: str) -> None:
    run.ledger.record(
        Kind.PAGE_RECEIVED, source="alertmanager", data={"severity": "page", **labels}
    )


async def test_a_real_page_of_another_service_makes_the_drill_give_way(tmp_path: Path) -> None:
    run = Run(tmp_path)
    after_injection(
        run, lambda: page(run, slo="search-latency", alert="SearchBurn", service="search")
    )

    with pytest.raises(RunAborted, match="SearchBurn of search"):
        await run.play()

    assert run.world.present == set()


@pytest.mark.parametrize("collateral", ["search-latency", "SearchBurn"])
async def test_a_page_that_was_announced_does_not(tmp_path: Path, collateral: str) -> None:
    run = Run(tmp_path, expect={"errorRatio": 0.5, "collateral": [collateral]})
    after_injection(
        run, lambda: page(run, slo="search-latency", alert="SearchBurn", service="search")
    )

    await run.play()

    assert Kind.RUN_ABORTED not in run.kinds()


async def test_a_ticket_of_another_service_does_not(tmp_path: Path) -> None:
    run = Run(tmp_path)
    after_injection(run, lambda: page(run, slo="search-latency", severity="ticket"))

    await run.play()

    assert Kind.RUN_ABORTED not in run.kinds()


@pytest.mark.parametrize(
    ("rule", "answers", "aborts"),
    [
        ({"above": 5}, [4.0, 6.0], "is 6, above the abort rule's 5"),
        ({"below": 5}, [4.0], "is 4, below the abort rule's 5"),
        ({"above": 5}, [5.0], None),
        ({"above": 5}, [], None),
    ],
)
async def test_a_rule_may_ask_prometheus_anything(
    tmp_path: Path, rule: dict[str, float], answers: list[float], aborts: str | None
) -> None:
    run = Run(tmp_path, abort=[{"query": "queue_length", **rule}])

    async def values(query: str) -> list[float]:
        assert query == "queue_length"
        return answers

    run.world.values = values  # type: ignore[attr-defined]

    if aborts is None:
        await run.play()
        assert Kind.RUN_ABORTED not in run.kinds()
    else:
        with pytest.raises(RunAborted, match=aborts):
            await run.play()
        assert run.world.present == set()


async def test_a_rule_nobody_can_read_ends_the_run(tmp_path: Path) -> None:
    run = Run(tmp_path, abort=[{"query": "queue_length", "above": 5}])
    run.responder = None
    run.world.fires_after = timedelta(minutes=4)
    run.plan = run.plan.__class__(
        **{
            **{f: getattr(run.plan, f) for f in run.plan.__dataclass_fields__},
            "detection_due": timedelta(minutes=4),
        }
    )

    async def values(query: str) -> list[float]:
        raise TemporaryDriverError("Prometheus does not answer")

    run.world.values = values  # type: ignore[attr-defined]

    with pytest.raises(RunAborted, match="could not be read for 60 s"):
        await run.play()

    assert run.world.present == set()


@pytest.mark.parametrize("holds", [True, False])
async def test_a_rule_may_be_a_probe(tmp_path: Path, holds: bool) -> None:
    run = Run(tmp_path, abort=[{"probe": "shop-open"}])

    async def probe() -> bool:
        return holds

    run.probes["shop-open"] = probe

    if holds:
        await run.play()
    else:
        with pytest.raises(RunAborted, match="'shop-open' does not hold"):
            await run.play()
    assert run.world.present == set()


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"query": "up"},
        {"above": 3},
        {"burnRateAbove": 3, "above": 3},
        {"burnRateAbove": 3, "probe": "x"},
        {"query": "up", "above": float("inf")},
    ],
)
def test_half_a_rule_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AbortRule.model_validate(rule)


async def test_without_a_sentinel_nothing_is_injected(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.lease.dead = True

    with pytest.raises(TemporaryDriverError, match="sentinel"):
        await run.play()

    assert run.world.injected_at is None


async def test_a_sentinel_that_is_lost_while_a_fault_is_in_place_ends_the_run(
    tmp_path: Path,
) -> None:
    run = Run(tmp_path)

    async def lose() -> None:
        await run.clock.sleep(5 * SECOND)
        run.lease.dead = True

    tasks: list[asyncio.Task[None]] = []
    after_injection(run, lambda: tasks.append(asyncio.create_task(lose())))

    with pytest.raises(RunAborted, match="sentinel has ended, and without it no fault is held"):
        await run.play()

    assert run.world.present == set()
    assert () == run.store.open_undos()


async def test_the_sentinel_holds_an_undo_before_and_lets_it_go_after(tmp_path: Path) -> None:
    run = Run(tmp_path)
    held_at_injection: list[list[str]] = []
    inject = run.world.inject

    async def look(fault: PlannedFault) -> Injection:
        held_at_injection.append(list(run.lease.held))
        return await inject(fault)

    run.world.inject = look  # type: ignore[method-assign]

    await run.play()

    assert held_at_injection == [["u1"]]
    assert run.lease.held == {}
    assert [s for s in run.lease.said if s.startswith("release")] == ["release u1", "release m1"]


async def test_a_burn_that_only_the_period_remembers_stops_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path, abort=[{"burnRateAbove": 20}])
    rates = run.world.burn_rates

    async def with_the_period(*, slo: str) -> dict[str, float | None]:
        return {**await rates(slo=slo), "30d": 50.0}

    run.world.burn_rates = with_the_period  # type: ignore[method-assign]

    await run.play()

    assert Kind.RUN_ABORTED not in run.kinds()
