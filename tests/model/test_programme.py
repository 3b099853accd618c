"""When a blackout is in force, for whom, and on what terms a target is played on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.model.programme import Blackout, Programme, covers
from gameday.spec import read_programme

ROOT = Path(__file__).parents[2]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def blackout(**fields: Any) -> Blackout:
    return Blackout.model_validate({"name": "b", **fields})


def programme(**spec: Any) -> Programme:
    return Programme.model_validate(
        {
            "apiVersion": "gameday/v1",
            "kind": "Programme",
            "metadata": {"name": "p"},
            "spec": spec,
        }
    )


YEAR_END = {"from": "2026-12-18", "until": "2027-01-04", "timezone": "Europe/Berlin"}
WEEKEND = {"weekly": ["Sat", "Sun"], "timezone": "Europe/Berlin"}


@pytest.mark.parametrize(
    ("fields", "at", "ends"),
    [
        (YEAR_END, "2026-12-17T22:59:59", None),
        (YEAR_END, "2026-12-17T23:00:00", "2027-01-04T23:00"),
        (YEAR_END, "2027-01-04T22:59:59", "2027-01-04T23:00"),
        (YEAR_END, "2027-01-04T23:00:00", None),
        (WEEKEND, "2026-11-28T12:00", "2026-11-29T23:00"),
        (WEEKEND, "2026-11-27T22:59", None),
        ({"daily": "22:00-06:00", "timezone": "UTC"}, "2026-11-28T05:59", "2026-11-28T06:00"),
        ({"daily": "22:00-06:00", "timezone": "UTC"}, "2026-11-28T06:00", None),
        (
            {"weekly": ["Fri"], "daily": "16:00-24:00", "timezone": "UTC"},
            "2026-11-27T20:00",
            "2026-11-28T00:00",
        ),
        (
            {"weekly": ["Fri"], "daily": "16:00-24:00", "timezone": "UTC"},
            "2026-11-26T20:00",
            None,
        ),
        # The hours of the last night end with the range, not in the morning.
        (
            {
                "daily": "22:00-06:00",
                "from": "2026-12-01",
                "until": "2026-12-02",
                "timezone": "UTC",
            },
            "2026-12-02T23:00",
            "2026-12-03T00:00",
        ),
        (
            {
                "daily": "22:00-06:00",
                "from": "2026-12-01",
                "until": "2026-12-02",
                "timezone": "UTC",
            },
            "2026-12-03T01:00",
            None,
        ),
    ],
)
def test_a_blackout_is_in_force_from_its_begin_until_its_end(
    fields: dict[str, Any], at: str, ends: str | None
) -> None:
    assert (utc(ends) if ends else None) == blackout(**fields).ends_at(utc(at))


def test_one_day_is_a_blackout_of_that_day() -> None:
    day = blackout(**{**YEAR_END, "until": "2026-12-18"})

    assert day.span is not None
    assert timedelta(days=1) == day.span.end - day.span.begin


@pytest.mark.parametrize(
    ("fields", "target", "regions", "concerned"),
    [
        ({}, "sandbox", (), True),
        ({"targets": ["kubernetes"]}, "sandbox", (), False),
        ({"targets": ["kubernetes"]}, "kubernetes", (), True),
        ({"targets": ["kubernetes"]}, "kubernetes/prod", (), True),
        ({"targets": ["kubernetes/prod"]}, "kubernetes/prod", (), True),
        ({"targets": ["kubernetes/prod"]}, "kubernetes/prod-2", (), False),
        ({"targets": ["kubernetes/prod"]}, "kubernetes", (), False),
        ({"regions": ["eu"]}, "sandbox", ("us",), False),
        ({"regions": ["eu"]}, "sandbox", ("us", "eu"), True),
        # A run whose regions nobody knows may touch any.
        ({"regions": ["eu"]}, "sandbox", (), True),
    ],
)
def test_a_blackout_concerns_its_targets_and_regions_only(
    fields: dict[str, Any], target: str, regions: tuple[str, ...], concerned: bool
) -> None:
    assert concerned == blackout(**YEAR_END, **fields).concerns(target, regions)


def test_the_kind_of_a_target_covers_every_context_and_nothing_that_only_begins_alike() -> None:
    assert covers("kubernetes", "kubernetes/arn:aws:eks:eu-west-1:1:cluster/prod")
    assert not covers("kubernetes", "kubernetes2")
    assert not covers("kubernetes/prod", "kubernetes/prod2")


def test_blackouts_repeat_each_other_only_by_date_and_for_the_same_runs() -> None:
    first = blackout(**YEAR_END)

    assert first.repeats(blackout(**{**YEAR_END, "from": "2027-01-04", "until": "2027-01-09"}))
    assert not first.repeats(blackout(**{**YEAR_END, "from": "2027-01-05", "until": "2027-01-09"}))
    assert not first.repeats(blackout(**YEAR_END, targets=["sandbox"]))
    assert not first.repeats(blackout(**WEEKEND))
    assert not first.repeats(blackout(**YEAR_END, daily="00:00-06:00"))


def test_the_first_free_instant_lies_behind_all_that_follow_each_other() -> None:
    # The year ends on a Monday evening; the night and then a day of its own follow.
    found = programme(
        blackouts=[
            {"name": "year-end", **YEAR_END},
            {"name": "night", "daily": "22:00-06:00", "timezone": "Europe/Berlin"},
            {
                "name": "stock-taking",
                "from": "2027-01-05T05:00+01:00",
                "until": "2027-01-05T12:00+01:00",
            },
        ]
    )

    assert utc("2027-01-05T11:00") == found.free_at("sandbox", (), utc("2026-12-24"))
    assert utc("2026-12-10T12:00") == found.free_at("sandbox", (), utc("2026-12-10T12:00"))


def test_blackouts_without_a_gap_have_no_free_instant() -> None:
    found = programme(
        blackouts=[
            {"name": "day", "daily": "06:00-18:00", "timezone": "UTC"},
            {"name": "night", "daily": "18:00-06:00", "timezone": "UTC"},
        ]
    )

    assert found.free_at("sandbox", (), utc("2026-12-24")) is None


def test_a_cluster_of_its_own_entry_goes_before_all_clusters() -> None:
    found = programme(
        errorBudgetLeftAbove="20%",
        targets={
            "sandbox": None,
            "kubernetes": {"production": True, "approvers": ["sre-lead"]},
            "kubernetes/kind": {"disposable": True},
            "kubernetes/staging": {"errorBudgetLeftAbove": "5%"},
        },
    )

    reserves = {t: found.reserve(t) for t in ("sandbox", "kubernetes/eu", "kubernetes/kind")}
    terms = found.terms("kubernetes/eu")

    assert {"sandbox": None, "kubernetes/eu": 0.2, "kubernetes/kind": None} == reserves
    assert 0.05 == found.reserve("kubernetes/staging")
    assert terms is not None and terms.needs_approval and not terms.disposable
    assert found.terms("none") is None
    assert found.reserve("none") is None


def test_without_a_list_every_target_is_played_on_and_only_the_sandbox_is_disposable() -> None:
    found = programme()

    assert [True, False, False] == [
        bool(terms and terms.disposable)
        for terms in map(found.terms, ("sandbox", "kubernetes/x", "none"))
    ]


def test_a_sandbox_that_is_called_production_is_not_disposable() -> None:
    terms = programme(targets={"sandbox": {"production": True, "approvers": ["a"]}}).terms(
        "sandbox"
    )

    assert terms is not None and terms.disposable is False


def test_a_programme_written_as_json_reads_back_the_same() -> None:
    found = read_programme(ROOT / "tests/spec/good/programme.yaml")

    again = Programme.model_validate_json(found.model_dump_json(by_alias=True, exclude_unset=True))

    assert found.model_copy(update={"path": None}) == again


@given(
    st.datetimes(
        min_value=datetime.fromisoformat("2026-01-01"),
        max_value=datetime.fromisoformat("2036-01-01"),
        timezones=st.just(UTC),
    )
)
def test_the_shipped_programme_never_stands_in_the_way_of_the_sandbox(at: datetime) -> None:
    shipped = read_programme(ROOT / "programme.yaml")

    assert [] == shipped.blackouts("sandbox", ("eu-west", "us-east"), at)
    assert shipped.reserve("sandbox") is None
    terms = shipped.terms("sandbox")
    assert terms is not None and not terms.needs_approval
