"""When a cluster's shop is said to serve its visitors."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from gameday.house.targets.cluster_visits import unseen, unserved
from gameday.model.slo import Slo
from scoring.slo import Objective

SLO = Slo(
    id="checkout-latency",
    service="storefront",
    objective=Objective(0.99, timedelta(days=30)),
    windows=(),
    good_query="good",
    total_query="total",
)
REGIONS = ("region-a", "region-b")


class Answers:
    """A Prometheus that answers what it is told, by what the query contains."""

    def __init__(self, **rates: Mapping[str, float]) -> None:
        self.rates = rates
        self.failing: list[dict[str, str]] = []

    def __call__(self, _path: str, parameters: Mapping[str, str]) -> Any:
        query = parameters["query"]
        if "downstream" in query:
            return {"result": [{"metric": hop, "value": [0, "1"]} for hop in self.failing]}
        found = self.rates["good" if "good" in query else "total"]
        return {
            "result": [
                {"metric": {"region": region} if region else {}, "value": [0, str(value)]}
                for region, value in found.items()
            ]
        }


def targets(*health: str) -> Any:
    pods = [{"labels": {"pod": f"p{n}"}, "health": h} for n, h in enumerate(health)]
    return lambda _path, _parameters: {"activeTargets": pods}


@pytest.mark.parametrize(
    ("health", "says"),
    [
        ((), "has found no pod"),
        (("up", "unknown", "down"), "no answer from p1, p2"),
        (("up", "up"), ""),
    ],
)
def test_all_that_count_have_to_be_asked(health: tuple[str, ...], says: str) -> None:
    found = unseen(targets(*health))

    assert says in found
    assert bool(found) is bool(says)


def test_every_region_has_to_serve_well() -> None:
    both = {"region-a": 5.0, "region-b": 5.0}

    assert unserved(Answers(good=both, total=both), [SLO], REGIONS) == ""
    assert unserved(Answers(good={**both, "region-b": 4.8}, total=both), [SLO], REGIONS) == ""


def test_a_region_that_fails_is_named_with_the_hops_that_do() -> None:
    answers = Answers(
        good={"region-a": 5.0, "region-b": 0.0}, total={"region-a": 5.0, "region-b": 5.0}
    )
    slow = unserved(answers, [SLO], REGIONS)
    answers.failing = [{"service": "checkout", "downstream": "inventory", "region": "region-b"}]
    failing = unserved(answers, [SLO], REGIONS)

    assert slow == (
        "only 0% of the visits to region-b are good (SLO checkout-latency; no hop fails: they are"
        " slow)"
    )
    assert "failing: checkout → inventory in region-b" in failing


def test_a_region_that_nobody_visits_is_not_served() -> None:
    answers = Answers(good={"region-a": 5.0}, total={"region-a": 5.0})

    assert unserved(answers, [SLO], REGIONS) == "nobody visits region-b (SLO checkout-latency)"


def test_slos_that_are_not_counted_here_by_region_say_nothing() -> None:
    assert unserved(Answers(good={}, total={}), [SLO], REGIONS) == ""
    assert unserved(Answers(good={"": 0.0}, total={"": 9.0}), [SLO], REGIONS) == ""
