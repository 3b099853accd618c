"""How much of what a drill sets off is too much."""

from __future__ import annotations

import pytest

from gameday.model.effects import Limits, OwnerEffects, too_much
from gameday.model.scenario import ScenarioSpec

OWNER = "Deployment shop/storefront"


def pods(number: int) -> tuple[str, ...]:
    return tuple(f"shop/p{n}" for n in range(number))


@pytest.mark.parametrize(
    ("effects", "said"),
    [
        (
            OwnerEffects(OWNER, 2, 2, made=23, made_s=3.8, useless_pods=pods(22)),
            f"{OWNER} makes pods without end: 23 in 4 s, it wants 2",
        ),
        # More than five that are of no use to it, however many it wants.
        (
            OwnerEffects(OWNER, 500, 500, made=6, made_s=0.2, useless_pods=pods(6)),
            f"{OWNER} makes pods without end: 6 in 1 s, it wants 500",
        ),
        # Slow, but without end: the minute forgets them, their number does not.
        (
            OwnerEffects(OWNER, 2, 2, made=2, made_s=58, useless_pods=pods(6), useless_s=190),
            f"{OWNER} makes pods without end: 6 in 190 s, it wants 2",
        ),
        # Made and deleted again and again: none is useless, and more than three rollouts a minute.
        (
            OwnerEffects(OWNER, 2, 2, made=12, made_s=30),
            f"{OWNER} makes pods without end: 12 in 30 s, it wants 2",
        ),
        (
            OwnerEffects("Job shop/j", None, 4, made=96, made_s=30),
            "Job shop/j makes pods without end: 96 in 30 s, it had 4",
        ),
        (
            OwnerEffects(OWNER, 3, 3, restarts=20, restarts_s=94),
            f"the containers of {OWNER} restart without end: 20 times in 94 s, it wants 3",
        ),
        (
            OwnerEffects(OWNER, 20, 20, evicted=11),
            "the cluster has evicted 11 pods that this drill did not, most of them (11) of"
            f" {OWNER}",
        ),
        (
            OwnerEffects(OWNER, 30, 6, made=24, waiting=15, gone=4),
            f"15 pods find no place, and only 4 were taken away; most of them (15) of {OWNER},"
            " it wants 30",
        ),
    ],
)
def test_what_feeds_on_itself_is_said_with_its_owner(effects: OwnerEffects, said: str) -> None:
    found = too_much([OwnerEffects("Deployment shop/other", 1, 1), effects], Limits())

    assert found is not None
    assert (said, effects) == (found.text, found.owner)


@pytest.mark.parametrize(
    "effects",
    [
        # All of it replaced three times within a minute: fault, mitigation, recovery.
        OwnerEffects(OWNER, 40, 40, made=120, gone=120),
        # One that is scaled up, by whomever.
        OwnerEffects(OWNER, 50, 2, made=48),
        # A new version, whose ReplicaSet has not been asked for yet.
        OwnerEffects("ReplicaSet shop/new-6f", None, 0, made=25),
        # Somebody takes pods aside to look at them.
        OwnerEffects(OWNER, 3, 3, made=5, useless_pods=pods(5)),
        # Every pod restarts twice: a blow to its liveness probes.
        OwnerEffects(OWNER, 20, 20, restarts=40),
        # A drained region's pods may run nowhere else.
        OwnerEffects(OWNER, 30, 30, made=30, waiting=30, gone=30),
        OwnerEffects(OWNER, 30, 30, evicted=10),
    ],
)
def test_what_a_drill_rightly_sets_off_is_not_too_much(effects: OwnerEffects) -> None:
    assert too_much([effects], Limits()) is None


def test_evictions_and_waiting_pods_are_added_up_over_all_owners() -> None:
    many = [OwnerEffects(f"Deployment shop/d{n}", 1, 1, evicted=1) for n in range(11)]

    found = too_much(many, Limits())

    assert found is not None
    assert "has evicted 11 pods" in found.text


def test_nothing_is_not_too_much() -> None:
    assert too_much([], Limits(0, 0, 0, 0)) is None


def spec(*abort: dict[str, float]) -> ScenarioSpec:
    fault = {"experiment": "drain-region", "duration": "5m"}
    return ScenarioSpec.model_validate({"slo": "x", "faults": [fault], "abort": abort})


def test_a_scenario_sets_its_own_limits() -> None:
    found = spec({"podsAbove": 50}, {"waitingAbove": 0}, {"burnRateAbove": 5}).limits

    assert Limits(pods=50, waiting=0) == found


def test_a_limit_of_a_scenario_is_the_one_that_holds() -> None:
    effects = [OwnerEffects(OWNER, 2, 2, made=23, useless_pods=pods(22))]

    assert too_much(effects, spec({"podsAbove": 22}).limits) is None
    assert too_much(effects, spec({"podsAbove": 21}).limits) is not None
