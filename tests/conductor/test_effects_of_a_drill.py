"""A drill that sets off more than it is meant to ends at once, and takes its fault back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from test_conductor import Run

from gameday.errors import PermanentDriverError, RecoveryError, RunAborted, TemporaryDriverError
from gameday.model.effects import OwnerEffects
from gameday.testing.effects import ToldEffects
from scoring.timeline import Kind

SECOND = timedelta(seconds=1)
OWNER = "Deployment shop/storefront"
STOP = "kubectl -n shop scale deployment/storefront --replicas=0"
SAID = f"{OWNER} makes pods without end"


class Multiplying:
    """A run in which an owner makes pods, six a second from its injection on."""

    def __init__(self, folder: Path, *, goes_on: bool = False, **spec: Any) -> None:
        self.run = Run(folder, **spec)
        self.effects = ToldEffects(self.seen)
        self.run.effects = self.effects
        self.goes_on = goes_on
        self.stopped_at = 0

    def seen(self) -> Sequence[OwnerEffects]:
        world = self.run.world
        if world.injected_at is None:
            return ()
        if world.present or self.goes_on:
            since = self.run.clock.now() - world.injected_at
            self.stopped_at = int(since.total_seconds() * 6)
        pods = tuple(f"shop/storefront-{n}" for n in range(self.stopped_at))
        return [
            OwnerEffects(
                OWNER,
                wants=2,
                before=2,
                made=len(pods),
                made_s=len(pods) / 6,
                made_in_all=len(pods),
                useless_pods=pods,
                stopped_by=STOP,
            )
        ]

    def facts(self, kind: str) -> Sequence[Any]:
        return self.run.ledger.timeline.of_kind(kind)


async def test_it_is_ended_and_taken_back_within_ten_seconds(tmp_path: Path) -> None:
    drill = Multiplying(tmp_path)

    with pytest.raises(RunAborted, match=f"^{SAID}: [0-9]+ in [0-9] s, it wants 2"):
        await drill.run.play()

    assert drill.run.world.present == set()
    (aborted,) = drill.facts(Kind.RUN_ABORTED)
    assert drill.run.world.injected_at is not None
    assert aborted.happened_at - drill.run.world.injected_at < 10 * SECOND
    assert drill.run.store.open_undos() == ()


async def test_what_is_left_is_said_and_left_alone(tmp_path: Path) -> None:
    drill = Multiplying(tmp_path)

    with pytest.raises(RunAborted) as ended:
        await drill.run.play()

    (fact,) = drill.facts(Kind.SET_OFF)
    assert fact.data["goes_on"] is False
    assert len(fact.data["left"]) == drill.stopped_at
    assert str(ended.value).endswith(
        f". {drill.stopped_at} pods are left that it made and has no use for, and not gameday's to"
        f" delete: shop/storefront-0, shop/storefront-1, shop/storefront-2 and"
        f" {drill.stopped_at - 3} more"
    )


async def test_what_goes_on_without_the_fault_is_no_complete_recovery(tmp_path: Path) -> None:
    drill = Multiplying(tmp_path, goes_on=True)

    with pytest.raises(RecoveryError, match="goes on with the fault taken back: 30 more pods in 5"):
        await drill.run.play()

    # First the fault, which is ours; the owner is not.
    kinds = [f.kind for f in drill.run.ledger.timeline if f.kind != Kind.MEASUREMENT]
    assert kinds.index(Kind.RECOVERY_PROVEN) < kinds.index(Kind.SET_OFF)
    (fact,) = drill.facts(Kind.SET_OFF)
    assert (True, STOP) == (fact.data["goes_on"], fact.data["command"])


async def test_what_goes_on_says_the_command_that_stops_it(tmp_path: Path) -> None:
    drill = Multiplying(tmp_path, goes_on=True)

    with pytest.raises(RecoveryError) as ended:
        await drill.run.play()

    assert str(ended.value).endswith(f"Run `{STOP}`")


async def test_a_flood_while_the_fault_is_still_going_in_ends_it_too(tmp_path: Path) -> None:
    """A drain is in place only when its last pod is gone; by then there may be hundreds."""
    drill = Multiplying(tmp_path)
    drill.run.world.injects_in = 60 * SECOND
    begun = drill.run.clock.now()
    drill.run.effects = ToldEffects(
        lambda: (
            [OwnerEffects(OWNER, 2, 2, made=23, made_s=4, useless_pods=("shop/p",) * 22)]
            if drill.run.clock.now() - begun > 20 * SECOND
            else ()
        )
    )

    with pytest.raises(RunAborted, match=f"^{SAID}: 23 in 4 s, it wants 2"):
        await drill.run.play()

    assert drill.run.world.injected_at is None
    assert drill.run.world.calls[-1] == "recover u1"
    assert drill.run.clock.now() - begun < 60 * SECOND


async def test_nothing_is_injected_where_it_cannot_be_seen_what_would_be_set_off(
    tmp_path: Path,
) -> None:
    run = Run(tmp_path)
    run.effects = ToldEffects()
    run.effects.begins_with = PermanentDriverError("lacks the verb 'list' on 'pods'")

    with pytest.raises(PermanentDriverError, match="'list' on 'pods'"):
        await run.play()

    assert run.world.injected_at is None
    assert run.effects.calls == ["begin", "end"]


async def test_a_cluster_that_is_not_heard_any_more_ends_the_run(tmp_path: Path) -> None:
    run = Run(tmp_path)

    def unheard() -> Sequence[OwnerEffects]:
        raise TemporaryDriverError("what this drill sets off in 'c' has not been seen for 31 s")

    run.effects = ToldEffects(unheard)

    with pytest.raises(RunAborted, match="has not been seen for 31 s"):
        await run.play()

    assert run.world.present == set()


async def test_whether_it_goes_on_may_be_unknown(tmp_path: Path) -> None:
    drill = Multiplying(tmp_path)
    tell = drill.effects.tell

    def lost_with_the_fault() -> Sequence[OwnerEffects]:
        if drill.facts(Kind.RECOVERY_PROVEN):
            raise TemporaryDriverError("its API server is not heard")
        return tell()

    drill.effects.tell = lost_with_the_fault

    with pytest.raises(RunAborted, match=f"Whether {OWNER} goes on is not known: its API server"):
        await drill.run.play()

    assert [None] == [f.data["goes_on"] for f in drill.facts(Kind.SET_OFF)]


async def test_a_scenario_may_allow_more(tmp_path: Path) -> None:
    drill = Multiplying(
        tmp_path,
        abort=[{"podsAbove": 1000}],
        faults=[{"experiment": "slow", "duration": "30s"}],
    )

    await drill.run.play()

    assert [] == drill.facts(Kind.RUN_ABORTED)


async def test_a_quiet_drill_is_watched_to_its_end(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.effects = ToldEffects()

    await run.play()

    assert run.effects.calls == ["begin", "end"]
    assert Kind.RUN_ABORTED not in run.kinds()
    assert Kind.SET_OFF not in run.kinds()


async def test_the_watch_ends_with_a_run_that_fails(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.effects = ToldEffects()
    run.lease.dead = True

    with pytest.raises(TemporaryDriverError, match="sentinel"):
        await run.play()

    assert run.effects.calls[-1] == "end"
