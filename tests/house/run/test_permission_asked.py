"""Asking for a permission: which file governs, which figures it is judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gameday.errors import Ground, SpecError, TemporaryDriverError
from gameday.house.run.permission import SLOTS, address, permission, programme_in_force, read_budget
from gameday.house.run.stories import Story, read_story
from gameday.house.targets.open_system import OpenSystem
from gameday.incidents import deeplinks
from gameday.model.budget import BudgetLeft, BudgetUnknown
from gameday.model.scenario import TargetKind
from gameday.model.signals import Sample, Series

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
PERIOD = timedelta(days=30) / 60
PROGRAMME = """\
apiVersion: gameday/v1
kind: Programme
metadata: {name: p}
spec:
  errorBudgetLeftAbove: 20%
  targets:
    sandbox: {errorBudgetLeftAbove: 20%}
    kubernetes/prod: {production: true, approvers: [sre-lead]}
"""


@dataclass
class Counting:
    """Answers like Prometheus: the increase of each slot at the slot's end."""

    good: dict[int, float] = field(default_factory=dict)
    total: dict[int, float] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)
    fails: Exception | None = None

    async def range(
        self, query: str, *, since: datetime, until: datetime, step: timedelta
    ) -> Sequence[Series]:
        self.asked.append({"query": query, "since": since, "until": until, "step": step})
        if self.fails is not None:
            raise self.fails
        slots = self.good if "_bucket" in query else self.total
        samples = tuple(Sample(since + slot * step, value) for slot, value in sorted(slots.items()))
        return [Series({}, samples)] if samples else []


@dataclass
class Where:
    name: str = "sandbox"
    time_scale: float = 60.0


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    found = read_story(str(ROOT / "scenarios/slow-db.yaml"))
    (tmp_path / "programme.yaml").write_text(PROGRAMME)
    monkeypatch.chdir(tmp_path)
    return found


def system(target: Where | None = None) -> OpenSystem:
    return OpenSystem(
        target=target or Where(),  # type: ignore[arg-type]
        alerts=None,  # type: ignore[arg-type]
        faults=None,  # type: ignore[arg-type]
        deploys=None,
        tools=deeplinks.Tools(prometheus="http://127.0.0.1:1", traces="", profiles=""),
        regions=("eu-west", "us-east"),
    )


def full(bad_ratio: float) -> Counting:
    return Counting(
        good=dict.fromkeys(range(SLOTS), 100 * (1 - bad_ratio)),
        total=dict.fromkeys(range(SLOTS), 100),
    )


async def test_a_budget_above_the_line_is_a_permission_and_below_it_a_refusal(
    story: Story,
) -> None:
    enough = await permission(story, system(), now=NOW, signals=full(0.005))
    too_little = await permission(story, system(), now=NOW, signals=full(0.009))

    assert enough.may_start
    assert "programme.yaml" == enough.programme
    assert [Ground.BUDGET] == [refusal.ground for refusal in too_little.refusals]
    (budget,) = too_little.budgets
    assert isinstance(budget, BudgetLeft)
    assert pytest.approx(0.1) == budget.left_ratio
    assert PERIOD == budget.period


async def test_the_run_asks_about_its_own_regions_and_who_approved_it(story: Story) -> None:
    found = await permission(story, system(), now=NOW, approved_by="sre-lead", signals=full(0))

    assert ("sandbox", ("eu-west",), NOW, "sre-lead") == (
        found.start.target,
        found.start.regions,
        found.start.at,
        found.start.approved_by,
    )


async def test_a_scenario_without_regions_asks_about_all_of_the_system(story: Story) -> None:
    spec = story.scenario.spec.model_copy(update={"regions": ()})
    everywhere = replace(story, scenario=story.scenario.model_copy(update={"spec": spec}))

    found = await permission(everywhere, system(), now=NOW, signals=full(0))

    assert ("eu-west", "us-east") == found.start.regions


async def test_a_prometheus_that_does_not_answer_is_an_unknown_budget(story: Story) -> None:
    spec = story.scenario.spec.model_copy(update={"target": TargetKind.KUBERNETES})
    on_cluster = replace(story, scenario=story.scenario.model_copy(update={"spec": spec}))

    # Nobody listens on port 1 of this machine.
    found = await permission(
        on_cluster, system(Where("prod", 1.0)), now=NOW, approved_by="sre-lead"
    )

    (refusal,) = found.refusals
    assert str(refusal).startswith(
        "error budget of checkout-latency is unknown: Prometheus at http://127.0.0.1:1 does not"
    )


async def test_without_a_line_prometheus_is_left_alone(story: Story, tmp_path: Path) -> None:
    text = "\n".join(line for line in PROGRAMME.splitlines() if "LeftAbove" not in line)
    (tmp_path / "programme.yaml").write_text(text.replace("  targets:", "  targets:\n    sandbox:"))
    signals = full(1)

    found = await permission(story, system(), now=NOW, signals=signals)

    assert found.may_start
    assert [] == signals.asked


async def test_without_a_programme_nothing_is_asked_or_refused(
    story: Story, tmp_path: Path
) -> None:
    (tmp_path / "programme.yaml").unlink()
    nowhere = story.scenario.model_copy(update={"path": tmp_path / "scenarios/slow-db.yaml"})
    signals = full(1)

    found = await permission(replace(story, scenario=nowhere), system(), now=NOW, signals=signals)

    assert found.may_start
    assert ("", []) == (found.programme, signals.asked)


async def test_a_broken_programme_is_an_error_and_not_a_permission(
    story: Story, tmp_path: Path
) -> None:
    (tmp_path / "programme.yaml").write_text("kind: Programme")

    with pytest.raises(SpecError, match="metadata: is missing"):
        await permission(story, system(), now=NOW, signals=full(0))
    with pytest.raises(SpecError):
        programme_in_force(None)


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        (TargetKind.SANDBOX, "sandbox", "sandbox"),
        (TargetKind.KUBERNETES, "kubernetes", "kubernetes"),
        (TargetKind.KUBERNETES, "prod-eu", "kubernetes/prod-eu"),
        (TargetKind.KUBERNETES, "kubernetes/prod-eu", "kubernetes/prod-eu"),
        (TargetKind.KUBERNETES, "", "kubernetes"),
    ],
)
def test_a_cluster_is_called_by_its_context(
    story: Story, kind: TargetKind, name: str, expected: str
) -> None:
    spec = story.scenario.spec.model_copy(update={"target": kind})

    assert expected == address(story.scenario.model_copy(update={"spec": spec}), name)


# --- counting -----------------------------------------------------------------------------------


async def test_the_period_is_cut_into_slots_that_end_now(story: Story) -> None:
    signals = full(0)

    await read_budget(signals, story.slo, time_scale=60, now=NOW)

    slot = PERIOD / SLOTS
    assert 2 == len(signals.asked)
    assert all(
        (NOW - PERIOD + slot, NOW, slot) == (a["since"], a["until"], a["step"])
        for a in signals.asked
    )
    assert {
        f"sum(increase({query}[120000ms]))"
        for query in (story.slo.good_query, story.slo.total_query)
    } == {a["query"] for a in signals.asked}


async def test_slots_that_prometheus_does_not_hold_are_history_that_is_missing(
    story: Story,
) -> None:
    last = SLOTS - 1
    signals = Counting(good={last: 50.0}, total={last: 100.0})

    found = await read_budget(signals, story.slo, time_scale=60, now=NOW)

    assert isinstance(found, BudgetLeft)
    assert pytest.approx(1 / SLOTS) == found.history_ratio
    # Half of one slot's events were bad: 50 of the 1 % of 360 slots of 100.
    assert pytest.approx(1 - 50 / 360) == found.left_ratio


async def test_an_slo_that_counts_bad_events_is_read_by_them(story: Story) -> None:
    by_bad = replace(story.slo, good_query="", bad_query="failed_bucket")
    signals = Counting(good={5: 50.0}, total=dict.fromkeys(range(SLOTS), 100.0))

    found = await read_budget(signals, by_bad, time_scale=60, now=NOW)

    # 50 of the 360 bad events that 1 % of 36,000 allow; slots without one had none.
    assert isinstance(found, BudgetLeft)
    assert pytest.approx(1 - 50 / 360) == found.left_ratio


async def test_nothing_held_and_nothing_answered_are_unknown(story: Story) -> None:
    empty = await read_budget(Counting(), story.slo, time_scale=60, now=NOW)
    down = await read_budget(
        Counting(fails=TemporaryDriverError("no answer")), story.slo, time_scale=60, now=NOW
    )
    uncounted = await read_budget(
        full(0), replace(story.slo, good_query=""), time_scale=60, now=NOW
    )

    assert BudgetUnknown("checkout-latency", "Prometheus holds no events of it") == empty
    assert BudgetUnknown("checkout-latency", "no answer") == down
    assert isinstance(uncounted, BudgetUnknown)
