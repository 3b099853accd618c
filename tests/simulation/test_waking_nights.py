"""Simulated nights on call; `bench/pager.py` plays thousands of them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gameday.testing.flood import flood
from gameday.testing.waking import night


@pytest.mark.parametrize("seed", range(12))
def test_who_must_be_awake_is_woken_and_nobody_without_a_cause(seed: int) -> None:
    assert [] == night(seed).violations


def test_a_night_is_the_same_each_time() -> None:
    first, second = night(3), night(3)

    assert (first.wakes, first.did) == (second.wakes, second.did)
    assert first.wakes > 0


def test_a_sev1_in_a_flood_is_delivered_at_once_and_nothing_is_called_in_vain() -> None:
    found = flood(200, per_minute=120, later=timedelta(seconds=60), waits=timedelta(seconds=30))

    assert 0 == found.refused
    assert found.delivered_after is not None
    assert found.delivered_after <= timedelta(seconds=30)
