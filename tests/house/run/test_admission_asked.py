"""Asking whether a run may begin: who is asked, in which case, and what is held meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gameday.drivers.chaostoolkit import ChaosToolkit
from gameday.errors import Ground, PlanRefused, Refusal, SpecError, TemporaryDriverError
from gameday.governance.admission import NotAdmitted
from gameday.house.run.admission import Entered, admission, would_enter
from gameday.house.run.asking import Asked
from gameday.house.run.opening import only_run
from gameday.house.run.stories import read_story
from gameday.house.targets.open_system import NamedTarget, OpenSystem
from gameday.incidents import deeplinks
from gameday.ports import Order, OrderKind, PlannedFault, Undo
from gameday.settings import Settings
from gameday.testing.memory import MemoryStore

ROOT = Path(__file__).parents[3]
STRAY = Undo("gd-r2-1", "experiment", "r2", "toxic on db", "gameday recover --strays")
PROGRAMME = """\
apiVersion: gameday/v1
kind: Programme
metadata: {name: p}
spec:
  targets:
    sandbox: {approval: required, approvers: [sre-lead]}
"""


@dataclass
class Alerts:
    """A Prometheus that knows its intervals, and burn rates."""

    fails: TemporaryDriverError | None = None
    rates: Mapping[str, float | None] = field(default_factory=lambda: {"1h": 0.1, "6h": 0.1})

    async def burn_rates(self, *, slo: str) -> Mapping[str, float | None]:
        return self.rates

    async def timing(self, *, slo: str) -> tuple[timedelta, timedelta]:
        if self.fails is not None:
            raise self.fails
        return timedelta(seconds=1), timedelta(seconds=1)


@dataclass
class Faults:
    """Prepares as Chaos Toolkit does; knows what is astray."""

    astray: Sequence[Undo] = ()
    inner: ChaosToolkit = field(
        default_factory=lambda: ChaosToolkit(toxiproxy_url="http://127.0.0.1:1")
    )

    def prepare(self, fault: str, **given: Any) -> PlannedFault:
        return self.inner.prepare(fault, **given)

    async def strays(self) -> Sequence[Undo]:
        return self.astray


@dataclass
class Sandbox:
    name: str = "sandbox"
    time_scale: float = 60.0


@dataclass
class Stage:
    """A target, how often it was opened, and what is asked of it."""

    settings: Settings
    store: MemoryStore = field(default_factory=MemoryStore)
    alerts: Alerts = field(default_factory=Alerts)
    faults: Faults = field(default_factory=Faults)
    is_up: bool = True
    forgets: bool = False
    says: Exception | None = None
    opened: int = 0
    changes: Mapping[str, Any] = field(default_factory=dict)

    async def _open(self) -> OpenSystem:
        self.opened += 1
        if self.says is not None:
            raise self.says
        return OpenSystem(
            target=Sandbox(),  # type: ignore[arg-type]  # nothing is done to it
            alerts=self.alerts,  # type: ignore[arg-type]  # only its timing is asked for
            faults=self.faults,  # type: ignore[arg-type]  # nothing is injected
            deploys=None,
            tools=deeplinks.Tools(prometheus="http://127.0.0.1:1", traces="", profiles=""),
            regions=("eu-west", "us-east"),
            forget=self._forget if self.forgets else None,
        )

    async def _forget(self) -> None:
        raise AssertionError("who only asks changes nothing")

    def asked(self, scenario: str = "slow-db", **changes: Any) -> Asked:
        story = read_story(scenario, target="sandbox", **changes)
        return Asked(story, NamedTarget("sandbox", self._open, lambda: self.is_up), "r9")

    async def would_enter(self, asked: Asked | None = None) -> Entered | NotAdmitted:
        return await would_enter(asked or self.asked(), store=self.store, settings=self.settings)

    async def grounds(self, asked: Asked | None = None) -> list[Ground]:
        found = await self.would_enter(asked)
        assert isinstance(found, NotAdmitted)
        return [refusal.ground for refusal in found.refusals]

    def stop(self) -> None:
        now = datetime(2026, 11, 23, tzinfo=UTC)
        self.store.give(Order(OrderKind.STOP, None, "enough", "ada", now))

    def is_held(self) -> bool:
        try:
            with only_run(self.settings, "sandbox"):
                return False
        except PlanRefused:
            return True


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path))
    return Stage(Settings.from_environment())


@pytest.fixture
def programme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have a programme in the working directory."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "programme.yaml"
    path.write_text(PROGRAMME)
    return path


async def test_a_run_that_may_begin_has_its_plan_and_its_target_held_until_it_ends(
    stage: Stage,
) -> None:
    async with admission(stage.asked(), store=stage.store, settings=stage.settings) as entered:
        held = stage.is_held()

    assert isinstance(entered, Entered)
    assert ("r9", True, False) == (entered.admitted.plan.run, held, stage.is_held())
    assert entered.admitted.permission is not None


async def test_asking_for_a_plan_holds_nothing(stage: Stage) -> None:
    assert isinstance(await stage.would_enter(), Entered)
    assert not stage.is_held()


async def test_a_target_is_given_back_where_the_run_breaks_off(stage: Stage) -> None:
    with pytest.raises(ZeroDivisionError):
        async with admission(stage.asked(), store=stage.store, settings=stage.settings):
            raise ZeroDivisionError

    assert not stage.is_held()


async def test_a_run_on_a_target_that_is_played_on_is_told_what_else_speaks_against_it(
    stage: Stage,
) -> None:
    stage.stop()
    stage.faults.astray = [STRAY]

    with only_run(stage.settings, "sandbox"):
        assert [Ground.STOP, Ground.LOCK] == await stage.grounds()


async def test_every_reason_is_given_at_once(stage: Stage, programme: Path) -> None:
    stage.stop()
    stage.store.open_run(
        "r1", scenario="s", target="sandbox", started_at=datetime.now(UTC), documents={}
    )
    stage.store.save_undo(Undo("u1", "experiment", "r1", "slow db", "gameday recover r1"))
    stage.faults.astray = [STRAY]

    found = await stage.would_enter(stage.asked(regions=("mars",)))

    assert isinstance(found, NotAdmitted)
    assert [
        Ground.STOP,
        Ground.LEFTOVER,
        Ground.STRAY,
        Ground.APPROVAL,
        Ground.PLAN,
    ] == [refusal.ground for refusal in found.refusals]
    assert all(refusal.remedy for refusal in found.refusals)


async def test_nothing_is_started_only_to_say_no(stage: Stage, programme: Path) -> None:
    stage.stop()
    stage.is_up = False

    found = await stage.would_enter()

    assert isinstance(found, NotAdmitted)
    assert [Ground.STOP, Ground.APPROVAL] == [refusal.ground for refusal in found.refusals]
    assert 0 == stage.opened
    assert "not looked at: sandbox is not up, and is not started only to say no" in found.notices


async def test_a_target_that_is_down_is_started_for_a_run_that_may_begin(stage: Stage) -> None:
    stage.is_up = False

    assert isinstance(await stage.would_enter(), Entered)
    assert 1 == stage.opened


async def test_what_cannot_be_played_there_is_not_asked_of_the_target(stage: Stage) -> None:
    assert [Ground.MISFIT] == await stage.grounds(stage.asked("kill-pod"))
    assert 0 == stage.opened


async def test_a_target_that_says_no_itself_is_one_reason_among_others(
    stage: Stage, programme: Path
) -> None:
    stage.says = PlanRefused(Refusal(Ground.TARGET, "its time is compressed", "say so"))

    assert [Ground.TARGET, Ground.APPROVAL] == await stage.grounds()


async def test_a_target_that_cannot_be_reached_is_an_error_where_nothing_else_is_wrong(
    stage: Stage,
) -> None:
    stage.says = TemporaryDriverError("nobody answers")

    with pytest.raises(TemporaryDriverError, match="nobody answers"):
        await stage.would_enter()
    stage.stop()
    assert [Ground.STOP] == await stage.grounds()


async def test_a_prometheus_that_does_not_answer_keeps_no_other_reason_back(stage: Stage) -> None:
    stage.alerts.fails = TemporaryDriverError("Prometheus does not answer")
    stage.faults.astray = [STRAY]

    assert [Ground.STRAY] == await stage.grounds()
    stage.faults.astray = []
    with pytest.raises(TemporaryDriverError, match="Prometheus does not answer"):
        await stage.would_enter()


async def test_who_approved_it_is_asked_of_the_programme(stage: Stage, programme: Path) -> None:
    found = await stage.would_enter(replace(stage.asked(), approved_by="sre-lead"))

    assert isinstance(found, Entered)
    assert found.admitted.permission is not None
    assert "sre-lead" == found.admitted.permission.start.approved_by


async def test_a_programme_that_nobody_can_read_is_not_passed_over(
    stage: Stage, programme: Path
) -> None:
    programme.write_text("kind: Programme")

    with pytest.raises(SpecError):
        await stage.would_enter()


@pytest.mark.parametrize(
    ("rates", "forgets", "keeps", "notice"),
    [
        ({"1h": 0.1, "6h": 0.1}, True, False, None),
        ({"1h": 3.0, "6h": 0.1}, True, False, "3.0 over 1h: what was measured so far is forgotten"),
        ({"1h": 3.0, "6h": 0.1}, True, True, "3.0 over 1h, and must be below 1: the run waits up"),
        ({"1h": 3.0, "6h": 2.0}, False, False, "3.0 over 1h, 2.0 over 6h, and must be below 1"),
        ({"1h": 0.1}, True, False, "no burn rate of 'checkout-latency' over 6h is known yet"),
    ],
    ids=["quiet", "forgotten", "kept", "no sandbox", "unknown"],
)
async def test_how_the_steady_state_stands_is_said_beforehand(
    stage: Stage, rates: Mapping[str, float | None], forgets: bool, keeps: bool, notice: str | None
) -> None:
    stage.alerts.rates, stage.forgets = rates, forgets

    entered = await stage.would_enter(replace(stage.asked(), keeps_history=keeps))

    assert isinstance(entered, Entered)
    said = [n for n in entered.admitted.notices if "burn rate" in n]
    assert [notice is not None] == [bool(said)]
    assert notice is None or notice in said[0]
