"""The conductor in a world of virtual time: every end a run can have."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gameday import plan
from gameday.conductor import Conductor, Recoverer
from gameday.conductor.deadlines import Deadlines
from gameday.conductor.guard import Probe
from gameday.conductor.mitigations import ReversibleMitigations
from gameday.conductor.run import to_the_end
from gameday.conductor.undos import Undos
from gameday.errors import (
    PermanentDriverError,
    RecoveryError,
    RunAborted,
    TemporaryDriverError,
)
from gameday.house.processes.silent import Silent
from gameday.ledger import Ledger
from gameday.model.notification import Action, Notification, Receipt
from gameday.model.scenario import Scenario
from gameday.model.signals import AlertState, Sample, Series
from gameday.model.slo import Slo
from gameday.ports import MITIGATIONS, Counters, Injection, PlannedFault, Undo
from gameday.settings import Settings, StoreSettings
from gameday.testing.effects import ToldEffects
from gameday.testing.lease import RecordingLease
from gameday.testing.memory import MemoryStore
from gameday.testing.virtual import START, VirtualClock
from scoring.detection import Timing
from scoring.slo import Objective, workbook_windows
from scoring.timeline import Kind

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
SLO = Slo(
    id="checkout-latency",
    service="storefront",
    objective=Objective(0.99, 30 * DAY),
    good_query="good",
    total_query="total",
    windows=workbook_windows(30 * DAY),
)


def scenario(**spec: Any) -> Scenario:
    return Scenario.model_validate(
        {
            "metadata": {"name": "slow-db"},
            "spec": {
                "regions": ["eu-west"],
                "slo": "checkout-latency",
                "steadyState": {"for": "10s", "burnRateBelow": 1, "within": "20s"},
                "faults": [{"experiment": "slow", "duration": "5m"}],
                "expect": {"errorRatio": 0.5},
                **spec,
            },
        }
    )


class World:
    """A target whose fault, alert and page follow a script in virtual time."""

    name = "world"
    time_scale = 60.0

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.present: set[str] = set()
        self.fires_after: timedelta | None = 18 * SECOND
        self.resets_after = 5 * SECOND
        self.injected_at: datetime | None = None
        self.drivers_clock = timedelta(0)
        self.mitigated_at: datetime | None = None
        self.burn: float | None = 0.1
        self.short_burn: float | None = 0.1
        self.blind = False
        self.stuck = False
        self.injects_in = SECOND
        self.takes = timedelta(0)
        self.inject_error: Exception | None = None
        self.restored = 0
        self.cannot_restore = False
        self.calls: list[str] = []
        self.on_webhook: Callable[[], None] = lambda: None
        self.webhook_sent = False

    # target
    async def check(self) -> None:
        self.calls.append("check")

    async def mitigate(self, name: str, parameters: Mapping[str, str]) -> str:
        self.mitigated_at = self.clock.now()
        return "done"

    async def route_pages(self, url: str) -> None:
        self.calls.append(f"route {url}")

    def undo_of_mitigation(self, run: str, *_: object) -> Undo:
        return Undo("m1", MITIGATIONS, run, "mitigations", "gameday sandbox reset")

    # faults
    def prepare(self, fault: str, **_: Any) -> PlannedFault:
        undo = Undo("u1", "experiment", "run", "slow is taken back", "gameday recover run")
        at, duration = timedelta(0), timedelta(minutes=5)
        return PlannedFault(fault, "slow.yaml", {}, at, duration, undo, self.takes)

    async def pinned(self, undo: Undo) -> Undo:
        return undo

    async def inject(self, fault: PlannedFault) -> Injection:
        await self.clock.sleep(self.injects_in)
        if self.inject_error is not None:
            raise self.inject_error
        self.present.add(fault.undo.id)
        self.injected_at = self.clock.now()
        return Injection(self.injected_at + self.drivers_clock)

    async def is_present(self, undo: Undo) -> bool:
        return undo.id in self.present

    async def recover(self, undo: Undo) -> None:
        self.calls.append(f"recover {undo.id}")
        if undo.kind == MITIGATIONS:
            if self.cannot_restore:
                raise PermanentDriverError("no such deploy")
            self.restored += 1
            return
        if self.stuck:
            raise TemporaryDriverError("the proxy does not answer")
        self.present.discard(undo.id)

    # alerts
    async def alerts(self, *, slo: str, since: datetime, until: datetime) -> Sequence[AlertState]:
        if self.blind:
            raise TemporaryDriverError("Prometheus does not answer")
        if self.injected_at is None or self.fires_after is None:
            return ()
        fired = self.injected_at + self.fires_after
        if until < fired:
            return ()
        ended = self.mitigated_at or (None if self.present else until)
        resolved = ended + self.resets_after if ended else None
        if not self.webhook_sent:
            self.webhook_sent = True
            self.on_webhook()
        labels = {
            "alertname": "CheckoutLatencyBudgetBurn",
            "slo": slo,
            "service": "storefront",
            "severity": "page",
            "long_window": "1h",
            "short_window": "5m",
        }
        shown = resolved if resolved is not None and resolved <= until else None
        return (AlertState(labels, fired, fired, shown),)

    async def counters(self, **_: Any) -> Counters:
        return Counters((), ())

    async def burn_rates(self, *, slo: str) -> Mapping[str, float | None]:
        if self.blind:
            raise TemporaryDriverError("Prometheus does not answer")
        short = self.short_burn
        return {"5m": short, "30m": short, "1h": self.burn, "6h": self.burn}

    async def started_at(self) -> datetime | None:
        return None

    async def timing(self, *, slo: str) -> tuple[timedelta, timedelta]:
        return SECOND, SECOND


class Scripted(Silent):
    """A responder that does one thing some time after the page."""

    def __init__(self, work: Callable[[], Any], *, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.work = work
        self.left = False
        self.task: asyncio.Future[Any] | None = None

    async def page(self, notification: Notification) -> Receipt:
        self.begin()
        return self.receipt(Action.PAGE, notification)

    def begin(self) -> None:
        self.task = asyncio.ensure_future(self.work())

    async def ended(self) -> tuple[int, str]:
        assert self.task is not None
        await asyncio.shield(self.task)
        return 0, "bye"

    async def leave(self) -> None:
        self.left = True
        if self.task is not None:
            self.task.cancel()


class Run:
    """A conductor on a world, ready to be played."""

    def __init__(self, folder: Path, *, takes: timedelta = timedelta(0), **spec: Any) -> None:
        self.clock = VirtualClock()
        self.world = World(self.clock)
        self.world.takes = takes
        self.store = MemoryStore()
        self.store.open_run(
            "run", scenario="slow-db", target="world", started_at=self.clock.now(), documents={}
        )
        self.ledger = Ledger("run", store=self.store, clock=self.clock)
        self.world.on_webhook = self.page
        self.plan = plan.make(
            scenario(**spec),
            SLO,
            run="run",
            target=plan.TargetProfile("world", 60, ("eu-west", "us-east"), Timing(SECOND, SECOND)),
            faults=[self.world.prepare("slow")],
        )
        self.responder: Scripted | None = self.scripted(self.mitigates)
        self.lease = RecordingLease()
        self.probes: dict[str, Probe] = {}
        self.effects: ToldEffects | None = None
        self.forget: Callable[[], Any] | None = None
        self.mitigations: ReversibleMitigations | None = None

    def scripted(self, work: Callable[[], Any]) -> Scripted:
        return Scripted(work, clock=self.clock)

    def page(self) -> None:
        self.ledger.record(
            Kind.PAGE_RECEIVED,
            source="alertmanager",
            data={"slo": SLO.id, "severity": "page", "long": "1h"},
        )
        # As the engine of incidents does, once it has the page on record.
        if self.responder is not None:
            self.responder.begin()

    async def mitigates(self) -> None:
        await self.clock.sleep(10 * SECOND)
        assert self.mitigations is not None
        detail = await self.mitigations.mitigate("failover-db", {})
        data = {"name": "failover-db", "ok": True, "detail": detail}
        self.ledger.record(Kind.MITIGATION_STARTED, source="responder", data=data)
        self.ledger.record(Kind.MITIGATION_APPLIED, source="target", data=data)

    def conductor(self) -> Conductor:
        settings = Settings(store=StoreSettings(state=Path()))
        recovery = Recoverer(
            undoer=self.world,
            store=self.store,
            clock=self.clock,
            budget=settings.recovery_budget,
            lease=self.lease,
        )
        undos = Undos(
            ledger=self.ledger,
            store=self.store,
            lease=self.lease,
            clock=self.clock,
            recovery=recovery,
            settle=settings.lease,
        )
        deadlines = Deadlines(self.plan, ledger=self.ledger, settings=settings)
        self.mitigations = ReversibleMitigations(
            self.world, run="run", undos=undos, at_most=deadlines.longest
        )
        return Conductor(
            self.plan,
            ledger=self.ledger,
            store=self.store,
            clock=self.clock,
            faults=self.world,
            alerts=self.world,
            target=self.world,
            responder=self.responder,
            settings=settings,
            undos=undos,
            mitigations=self.mitigations,
            deadlines=deadlines,
            probes=self.probes,
            effects=self.effects,
            forget=self.forget,
        )

    async def play(self) -> None:
        await self.clock.run(self.conductor().play(webhook="http://hook"))

    def kinds(self) -> list[str]:
        skipped = {Kind.MEASUREMENT}
        return [f.kind for f in self.ledger.timeline if f.kind not in skipped]


async def test_a_mitigated_run_leaves_its_facts_in_order(tmp_path: Path) -> None:
    run = Run(tmp_path)

    await run.play()

    assert run.kinds() == [
        Kind.STEADY_STATE_CHECKED,
        Kind.UNDO_STORED,
        Kind.FAULT_INJECTED,
        Kind.PAGE_RECEIVED,
        Kind.ALERT_FIRED,
        Kind.FAULT_READ,
        Kind.UNDO_STORED,
        Kind.MITIGATION_STARTED,
        Kind.MITIGATION_APPLIED,
        Kind.FAULT_READ,
        Kind.ALERT_RESOLVED,
        Kind.FAULT_READ,
        Kind.RESPONDER_ENDED,
        Kind.FAULT_RECOVERED,
        Kind.RECOVERY_PROVEN,
        Kind.MITIGATIONS_RESTORED,
    ]
    assert [f.data["present"] for f in run.ledger.timeline.of_kind(Kind.FAULT_READ)] == [True] * 3
    assert run.store.open_undos() == ()
    assert run.world.restored == 1


async def test_the_undo_is_in_the_store_before_the_fault_is_injected(tmp_path: Path) -> None:
    run = Run(tmp_path)
    seen: list[int] = []
    inject = run.world.inject

    async def look(fault: PlannedFault) -> Injection:
        seen.append(len(run.store.open_undos("run")))
        return await inject(fault)

    run.world.inject = look  # type: ignore[method-assign]

    await run.play()

    assert seen == [1]


async def test_an_alert_that_never_fires_ends_the_run_after_its_deadline(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.world.fires_after = None

    await run.play()

    assert Kind.ALERT_FIRED not in run.kinds()
    assert run.world.present == set()
    assert run.plan.detection_due is not None
    waited = run.clock.now() - run.world.injected_at  # type: ignore[operator]
    assert waited >= run.plan.detection_due


async def test_a_fault_that_cannot_be_injected_is_recovered_all_the_same(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.world.inject_error = PermanentDriverError("no such proxy")

    with pytest.raises(PermanentDriverError, match="no such proxy"):
        await run.play()

    assert "recover u1" in run.world.calls
    assert run.kinds()[-2:] == [Kind.FAULT_RECOVERED, Kind.RECOVERY_PROVEN]


async def test_a_fault_that_stays_is_a_stuck_recovery_with_its_command(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.world.stuck = True

    with pytest.raises(RecoveryError, match="gameday recover run"):
        await run.play()

    assert run.kinds()[-2:] == [Kind.RECOVERY_STUCK] * 2
    assert run.world.restored == 0  # the mitigation keeps users well while the fault is there
    assert [u.id for u in run.store.open_undos()] == ["m1", "u1"]


async def test_a_cancelled_run_recovers_before_the_cancellation_goes_on(tmp_path: Path) -> None:
    run = Run(tmp_path)

    async def interrupted() -> None:
        task = asyncio.ensure_future(run.conductor().play(webhook="http://hook"))
        await run.clock.sleep(15 * SECOND)
        task.cancel()
        await run.clock.sleep(SECOND / 10)
        task.cancel()  # a second Ctrl-C must not stop the recovery
        await task

    with pytest.raises(asyncio.CancelledError):
        await run.clock.run(interrupted())

    assert run.world.injected_at is not None
    assert run.world.present == set()
    assert run.store.open_undos() == ()


async def test_an_abort_rule_stops_the_run_and_recovers(tmp_path: Path) -> None:
    run = Run(tmp_path, abort=[{"burnRateAbove": 20}])
    inject = run.world.inject

    async def and_burn(fault: PlannedFault) -> Injection:
        injection = await inject(fault)
        run.world.burn = 50.0
        return injection

    run.world.inject = and_burn  # type: ignore[method-assign]

    with pytest.raises(RunAborted, match=r"burn rate is 50\.0"):
        await run.play()

    assert run.world.present == set()
    assert Kind.RUN_ABORTED in run.kinds()


async def test_a_blind_prometheus_is_recorded_as_not_measured(tmp_path: Path) -> None:
    run = Run(tmp_path)
    inject = run.world.inject

    async def and_go_blind(fault: PlannedFault) -> Injection:
        run.world.blind = True
        return await inject(fault)

    run.world.inject = and_go_blind  # type: ignore[method-assign]

    await run.play()

    assert Kind.MEASUREMENT_FAILED in run.kinds()
    assert Kind.ALERT_FIRED not in run.kinds()
    assert run.world.present == set()


async def test_a_responder_that_gives_up_ends_the_run_without_a_mitigation(tmp_path: Path) -> None:
    run = Run(tmp_path)

    async def gives_up() -> None:
        await run.clock.sleep(4 * SECOND)

    run.responder = run.scripted(gives_up)

    await run.play()

    assert Kind.MITIGATION_APPLIED not in run.kinds()
    assert Kind.RESPONDER_ENDED in run.kinds()
    assert run.world.restored == 0


async def test_a_mitigation_that_takes_the_fault_away_is_told_from_a_fault_that_ran_out(
    tmp_path: Path,
) -> None:
    run = Run(tmp_path)

    async def rolls_back() -> None:
        await run.clock.sleep(SECOND)
        run.world.present.clear()
        await run.mitigates()

    run.responder = run.scripted(rolls_back)

    await run.play()

    reads = run.ledger.timeline.of_kind(Kind.FAULT_READ)
    assert [(f.data["present"], f.data.get("by")) for f in reads] == [
        (True, None),
        (False, "mitigation"),
        (False, "mitigation"),
    ]


@pytest.mark.parametrize(("beat_seconds_ago", "alive"), [(3, True), (60, False), (None, False)])
async def test_silence_means_something_only_if_the_watchdog_was_heard(
    tmp_path: Path, beat_seconds_ago: int | None, alive: bool
) -> None:
    run = Run(
        tmp_path,
        expect={"alert": None, "errorRatio": 0.0},
        faults=[{"experiment": "slow", "duration": "5m"}],
    )
    run.world.fires_after = None
    sleep = run.clock.sleep

    async def and_beat(duration: timedelta) -> None:
        await sleep(duration)
        if duration == run.plan.silent_for and beat_seconds_ago is not None:
            run.ledger.record(
                Kind.PIPELINE_BEAT,
                source="alertmanager",
                happened_at=run.clock.now() - beat_seconds_ago * SECOND,
            )

    run.clock.sleep = and_beat  # type: ignore[method-assign]

    await run.play()

    measured = [
        f.data["alive"]
        for f in run.ledger.timeline.of_kind(Kind.MEASUREMENT)
        if f.data["what"] == "pipeline"
    ]
    assert measured == [alive]


async def test_expected_silence_lasts_as_long_as_the_fault(tmp_path: Path) -> None:
    run = Run(
        tmp_path,
        expect={"alert": None, "errorRatio": 0.0},
        faults=[{"experiment": "slow", "duration": "5m"}],
    )
    run.world.fires_after = None

    await run.play()

    assert run.clock.now() - run.world.injected_at >= timedelta(minutes=5) - SECOND  # type: ignore[operator]
    assert [f.data["by"] for f in run.ledger.timeline.of_kind(Kind.FAULT_RECOVERED)][-1] in {
        "conductor",
        "expired",
    }
    assert run.world.present == set()


def counted(clock: VirtualClock, *, bad_from: datetime | None) -> Counters:
    """Return counters of 10 events/s, all bad from an instant on."""
    good, total = [], []
    fine = 0
    for second in range(-60, int((clock.now() - START).total_seconds()) + 1):
        at = START + second * SECOND
        if bad_from is None or at < bad_from:
            fine += 10
        good.append(Sample(at, float(fine)))
        total.append(Sample(at, float(10 * (second + 61))))
    return Counters((Series({}, tuple(good)),), (Series({}, tuple(total)),))


async def test_a_run_that_spends_too_much_budget_is_aborted(tmp_path: Path) -> None:
    run = Run(tmp_path, abort=[{"errorBudgetSpentAbove": "1%"}])

    async def counters(**_: Any) -> Counters:
        return counted(run.clock, bad_from=run.world.injected_at)

    run.world.counters = counters  # type: ignore[method-assign]

    with pytest.raises(RunAborted, match="of the period's error budget"):
        await run.play()

    assert run.world.present == set()


async def test_a_budget_that_cannot_be_counted_aborts_nothing_and_is_recorded(
    tmp_path: Path,
) -> None:
    run = Run(tmp_path, abort=[{"errorBudgetSpentAbove": "1%"}])

    async def counters(**_: Any) -> Counters:
        raise TemporaryDriverError("Prometheus does not answer")

    run.world.counters = counters  # type: ignore[method-assign]

    await run.play()

    failed = run.ledger.timeline.of_kind(Kind.MEASUREMENT_FAILED)
    assert {f.data["what"] for f in failed} == {"abort_rule"}
    assert Kind.RUN_ABORTED not in run.kinds()


async def test_without_a_responder_the_page_is_all_that_is_waited_for(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.responder = None

    await run.play()

    assert Kind.PAGE_RECEIVED in run.kinds()
    assert run.world.present == set()


async def test_a_fault_that_outlives_its_duration_is_recovered_as_expired(tmp_path: Path) -> None:
    run = Run(tmp_path)

    async def sleeps_through() -> None:
        await run.clock.sleep(timedelta(hours=1))

    run.responder = run.scripted(sleeps_through)
    run.plan = replace(
        run.plan, faults=(replace(run.plan.faults[0], duration=timedelta(seconds=60)),)
    )

    await run.play()

    recovered = run.ledger.timeline.of_kind(Kind.FAULT_RECOVERED)
    assert [f.data["by"] for f in recovered] == ["expired"]
    assert run.store.open_undos() == ()


async def test_a_fault_that_cannot_be_recovered_when_it_expires_is_tried_again_at_the_end(
    tmp_path: Path,
) -> None:
    run = Run(tmp_path)

    async def sleeps_through() -> None:
        await run.clock.sleep(timedelta(minutes=2))
        run.world.stuck = False
        await run.clock.sleep(timedelta(hours=1))

    run.world.stuck = True
    run.responder = run.scripted(sleeps_through)
    run.plan = replace(
        run.plan, faults=(replace(run.plan.faults[0], duration=timedelta(seconds=60)),)
    )

    await run.play()

    assert Kind.RECOVERY_STUCK in run.kinds()
    assert run.kinds()[-1] == Kind.RECOVERY_PROVEN
    assert run.store.open_undos() == ()


async def test_a_fault_that_cannot_be_read_back_is_neither_there_nor_gone(tmp_path: Path) -> None:
    run = Run(tmp_path)
    is_present = run.world.is_present

    async def unreadable(undo: Undo) -> bool:
        if run.world.mitigated_at is None:
            raise TemporaryDriverError("the proxy does not answer")
        return await is_present(undo)

    run.world.is_present = unreadable  # type: ignore[method-assign]

    await run.play()

    assert run.ledger.timeline.of_kind(Kind.FAULT_READ)[0].data["present"] is None


async def test_a_fault_still_seen_after_it_was_taken_back_is_taken_back_again(
    tmp_path: Path,
) -> None:
    run = Run(tmp_path)
    answers = iter([True, True, True, True])
    is_present = run.world.is_present

    async def lingers(undo: Undo) -> bool:
        return next(answers, False) or await is_present(undo)

    run.world.is_present = lingers  # type: ignore[method-assign]

    await run.play()

    assert run.world.calls.count("recover u1") == 2
    assert run.kinds().count(Kind.FAULT_RECOVERED) == 1


async def test_mitigations_that_cannot_be_taken_back_are_stuck(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.world.cannot_restore = True

    with pytest.raises(RecoveryError, match="gameday sandbox reset"):
        await run.play()

    assert [u.id for u in run.store.open_undos()] == ["m1"]
    assert run.world.present == set()


async def test_a_fault_may_take_as_long_as_it_says_to_be_in_place(tmp_path: Path) -> None:
    run = Run(tmp_path, takes=timedelta(minutes=3))
    run.world.injects_in = timedelta(minutes=2)

    await run.play()

    assert Kind.FAULT_RECOVERED in run.kinds()


async def test_a_fault_that_says_nothing_is_given_up_after_a_while(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.world.injects_in = timedelta(minutes=2)

    with pytest.raises(TemporaryDriverError, match="did not answer within 75 s"):
        await run.play()

    assert run.world.calls.count("recover u1") == 1


async def test_a_declared_recovery_time_is_how_long_the_alert_is_waited_for(
    tmp_path: Path,
) -> None:
    run = Run(tmp_path, expect={"errorRatio": 0.5, "recovered": {"within": "60s"}})
    run.world.resets_after = timedelta(hours=1)

    await run.play()

    mitigated = run.ledger.timeline.last(Kind.MITIGATION_APPLIED)
    assert mitigated is not None
    waited = run.clock.now() - mitigated.happened_at
    assert timedelta(seconds=75) <= waited <= timedelta(seconds=85)
    assert Kind.ALERT_RESOLVED not in run.kinds()


async def test_a_responder_that_stays_is_let_go_once_the_alert_has_cleared(tmp_path: Path) -> None:
    run = Run(tmp_path)

    async def stays() -> None:
        await run.mitigates()
        await run.clock.sleep(timedelta(hours=1))

    run.responder = run.scripted(stays)

    await run.play()

    assert run.responder.left
    assert Kind.RESPONDER_ENDED not in run.kinds()


async def test_an_alert_of_before_the_injection_and_one_only_pending_are_not_recorded(
    tmp_path: Path,
) -> None:
    run = Run(tmp_path)
    run.world.fires_after = None

    async def alerts(*, slo: str, since: datetime, until: datetime) -> Sequence[AlertState]:
        labels = {"slo": slo, "severity": "page", "long_window": "1h"}
        return (
            AlertState(labels, since - 9 * SECOND, since - 5 * SECOND, since - SECOND),
            AlertState(labels, since + SECOND, None),
        )

    run.world.alerts = alerts  # type: ignore[method-assign]

    await run.play()

    assert Kind.ALERT_FIRED not in run.kinds()


async def test_what_must_end_raises_its_own_error_also_when_it_was_cancelled() -> None:
    async def fails() -> None:
        await asyncio.sleep(0)
        raise PermanentDriverError("no")

    with pytest.raises(PermanentDriverError):
        await to_the_end(fails())

    task = asyncio.ensure_future(to_the_end(fails()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(PermanentDriverError):
        await task


async def test_a_fault_that_ran_out_is_not_read_as_in_place(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.plan = replace(
        run.plan, faults=(replace(run.plan.faults[0], duration=timedelta(seconds=22)),)
    )

    await run.play()

    reads = run.ledger.timeline.of_kind(Kind.FAULT_READ)
    assert [f.data["present"] for f in reads] == [True]
    assert run.ledger.timeline.of_kind(Kind.FAULT_RECOVERED)[0].data["by"] == "expired"


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(hours=-1)], ids=["on", "back"])
async def test_a_drivers_clock_that_was_set_moves_no_injection(
    tmp_path: Path, ahead: timedelta
) -> None:
    run = Run(tmp_path)
    run.world.drivers_clock = ahead

    await run.play()

    injected = run.ledger.timeline.first(Kind.FAULT_INJECTED)
    assert injected is not None
    assert run.world.injected_at == injected.happened_at
