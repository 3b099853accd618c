"""Simulated nights on call; `bench/pager.py` plays thousands of them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gameday.testing.flood import flood, sent_on_a_full_disk
from gameday.testing.waking import night


# Those with a number of their own were bad once, for the engine or for the judge.
@pytest.mark.parametrize("seed", [*range(5), 386, 1412, 1430, 1847, 2618, 2814, 4784, 7830, 8793])
def test_who_must_be_awake_is_woken_and_nobody_without_a_cause(seed: int) -> None:
    assert [] == night(seed).violations


def test_a_night_is_the_same_each_time() -> None:
    first, second = night(5), night(5)

    assert (first.wakes, first.did) == (second.wakes, second.did)
    assert first.wakes > 0


def test_a_sev1_in_a_flood_is_delivered_at_once_and_nothing_is_called_in_vain() -> None:
    found = flood(200, per_minute=120, later=timedelta(seconds=60), waits=timedelta(seconds=30))

    assert 0 == found.refused
    assert found.delivered_after is not None
    assert found.delivered_after <= timedelta(seconds=30)


def test_some_nights_have_storms_that_ring_less_often_than_they_have_incidents() -> None:
    nights = [night(seed) for seed in range(4)]

    shared, told = sum(n.shared for n in nights), sum(n.told for n in nights)
    assert 0 < 3 * shared < told


def test_a_flood_of_few_services_is_few_pages_and_none_is_refused() -> None:
    found = flood(
        200, per_minute=120, later=timedelta(seconds=20), waits=timedelta(seconds=9), services=4
    )

    assert 0 == found.refused
    assert found.delivered_after is not None
    assert found.delivered_after <= timedelta(seconds=9)
    # Of each service the first at once, what came meanwhile after it, and the SEV-1.
    assert found.delivered <= 4 * 2 + 1


@pytest.mark.parametrize("services", [1, 12])
def test_a_full_disk_sends_no_page_twice_within_ten_minutes(services: int) -> None:
    sent = sent_on_a_full_disk(24, services=services)

    assert set(sent.values()) == {1}
