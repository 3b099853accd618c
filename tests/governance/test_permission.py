"""Every reason against a run, at once, with what to change or whom to ask."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gameday.errors import ExitCode, Ground, PlanRefused
from gameday.governance.permission import Permission, Start, judge
from gameday.model.budget import BudgetLeft, BudgetUnknown
from gameday.model.programme import Programme

NOON = datetime(2026, 12, 24, 12, tzinfo=UTC)
TARGETS = {
    "sandbox": {"disposable": True},
    "kubernetes/staging": {},
    "kubernetes/prod": {"production": True, "approvers": ["sre-lead", "head-of-platform"]},
}


def programme(**spec: Any) -> Programme:
    found = Programme.model_validate(
        {
            "apiVersion": "gameday/v1",
            "kind": "Programme",
            "metadata": {"name": "p", "owner": "#sre"},
            "spec": spec,
        }
    )
    return found.model_copy(update={"path": Path("programme.yaml")})


def asked(target: str = "kubernetes/prod", **fields: Any) -> Start:
    return Start(**{"target": target, "regions": (), "at": NOON, **fields})


def grounds(permission: Permission) -> list[Ground]:
    return [refusal.ground for refusal in permission.refusals]


def said(permission: Permission) -> str:
    (refusal,) = permission.refusals
    return str(refusal)


def budget(left: float = 0.5, history: float = 1.0) -> BudgetLeft:
    return BudgetLeft("checkout", left, history, 5000 * (1 - left), 5000, timedelta(days=30))


def test_without_a_programme_nothing_is_refused() -> None:
    permission = judge(None, asked(), [budget(-3)])

    assert permission.may_start
    assert permission.require() is None
    assert () == permission.notices


def test_all_reasons_are_given_at_once_and_end_with_exit_code_3() -> None:
    found = programme(
        errorBudgetLeftAbove="20%",
        blackouts=[
            {"name": "year-end", "from": "2026-12-18", "until": "2027-01-04", "timezone": "UTC"},
            {"name": "noon", "daily": "11:00-13:00", "timezone": "UTC"},
        ],
        targets=TARGETS,
    )

    permission = judge(found, asked(), [budget(0.1)])

    expected = [Ground.BLACKOUT, Ground.BLACKOUT, Ground.APPROVAL, Ground.BUDGET]
    assert expected == grounds(permission)
    with pytest.raises(PlanRefused) as caught:
        permission.require()
    assert ExitCode.REFUSED == caught.value.exit_code
    assert 4 == len(str(caught.value).splitlines())


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"reason": "Half of us\n  are away.", "timezone": "Europe/Berlin"},
            "blackout 'b' is in force until 2027-01-05 00:00 Europe/Berlin (Half of us are away); "
            "start then, or ask #sre",
        ),
        (
            {"regions": ["eu", "us"], "timezone": "UTC"},
            "blackout 'b' is in force in eu, us until 2027-01-05 00:00 UTC; start then, leave "
            "those regions out with --region, or ask #sre",
        ),
    ],
)
def test_a_blackout_says_until_when_why_and_whom_to_ask(
    fields: dict[str, Any], sentence: str
) -> None:
    found = programme(
        blackouts=[{"name": "b", "from": "2026-12-18", "until": "2027-01-04", **fields}]
    )

    assert sentence == said(judge(found, asked()))


def test_a_blackout_that_ends_into_another_says_when_both_are_over() -> None:
    found = programme(
        blackouts=[
            {"name": "noon", "daily": "11:00-13:00", "timezone": "UTC"},
            {"name": "afternoon", "daily": "12:30-18:00", "timezone": "UTC"},
        ]
    )

    assert (
        "blackout 'noon' is in force until 2026-12-24 13:00 UTC; start at 2026-12-24 18:00 UTC, "
        "when no other holds, or ask #sre"
    ) == said(judge(found, asked()))


def test_blackouts_without_a_gap_leave_only_somebody_to_ask() -> None:
    found = programme(
        blackouts=[
            {"name": "day", "daily": "06:00-18:00", "timezone": "UTC"},
            {"name": "night", "daily": "18:00-06:00", "timezone": "UTC"},
        ]
    )

    assert said(judge(found, asked())).endswith("others follow without a gap: ask #sre")


def test_a_blackout_of_another_region_is_none() -> None:
    found = programme(
        blackouts=[{"name": "b", "daily": "11:00-13:00", "timezone": "UTC", "regions": ["eu"]}]
    )

    assert judge(found, asked(regions=("us",))).may_start
    assert not judge(found, asked(regions=("us", "eu"))).may_start


@pytest.mark.parametrize(
    ("target", "approved_by", "sentence"),
    [
        (
            "kubernetes/prod",
            None,
            "kubernetes/prod needs an approval; ask sre-lead or head-of-platform, then start with "
            "--approved-by NAME",
        ),
        (
            "kubernetes/prod",
            "sre-led",
            "'sre-led' may not approve runs on kubernetes/prod; did you mean --approved-by "
            "'sre-lead'?",
        ),
        (
            "kubernetes/prod",
            "bob",
            "'bob' may not approve runs on kubernetes/prod; ask sre-lead or head-of-platform",
        ),
        ("kubernetes/prod", "sre-lead", ""),
        ("kubernetes/staging", None, ""),
        ("kubernetes/staging", "bob", ""),
    ],
)
def test_production_needs_the_word_of_somebody_on_the_list(
    target: str, approved_by: str | None, sentence: str
) -> None:
    permission = judge(programme(targets=TARGETS), asked(target, approved_by=approved_by))

    assert ([sentence] if sentence else []) == [str(r) for r in permission.refusals]
    assert approved_by == permission.to_json()["approved_by"]


@pytest.mark.parametrize(
    ("target", "hint"),
    [
        ("kubernetes/prdo", "did you mean 'kubernetes/prod'?"),
        ("none", "it lists: kubernetes/prod, kubernetes/staging, sandbox"),
    ],
)
def test_a_target_that_is_not_listed_is_refused_with_the_nearest(target: str, hint: str) -> None:
    # The budget of a target without terms is nobody's question.
    permission = judge(programme(targets=TARGETS, errorBudgetLeftAbove="20%"), asked(target))

    assert (
        f"target '{target}' is not in the programme ({hint}); ask #sre to add it under spec.targets"
    ) == said(permission)


# --- the reserve --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "may_start"), [(1.0, True), (0.2, True), (0.1999, False), (-0.5, False)]
)
def test_less_budget_than_the_line_is_refused(left: float, may_start: bool) -> None:
    found = programme(errorBudgetLeftAbove="20%", targets=TARGETS)

    assert may_start == judge(found, asked("kubernetes/staging"), [budget(left)]).may_start


@pytest.mark.parametrize(
    ("seen", "sentence"),
    [
        (
            budget(0.123),
            "error budget of checkout: 12.3 % is left, 20 % must be; 4,385 bad events of the 5,000 "
            "that 30d allow at this traffic; wait until bad events leave the period, or ask #sre",
        ),
        (
            budget(-0.5, history=0.95),
            "error budget of checkout: it is overspent by 50 %, 20 % must be; 7,500 bad events of "
            "the 5,000 that 30d (of which 95 % is known) allow at this traffic; wait until bad "
            "events leave the period, or ask #sre",
        ),
        # Too little of the period is known, but what is known is already too much.
        (
            budget(0.1, history=0.01),
            "error budget of checkout: 10 % is left, 20 % must be; 4,500 bad events of the 5,000 "
            "that 30d (of which 1 % is known) allow at this traffic; wait until bad events leave "
            "the period, or ask #sre",
        ),
        (
            budget(1.0, history=0.5),
            "error budget of checkout is unknown: Prometheus holds 50 % of 30d, 90 % must be "
            "known, and kubernetes/staging is not disposable; have Prometheus keep more, or ask "
            "#sre to accept less by errorBudgetHistoryAbove",
        ),
        (
            BudgetUnknown("checkout", "Prometheus holds no events of it"),
            "error budget of checkout is unknown: Prometheus holds no events of it, and "
            "kubernetes/staging is not disposable; see that Prometheus runs and scrapes the "
            "service, then start again",
        ),
    ],
)
def test_a_budget_is_refused_with_its_figures(
    seen: BudgetLeft | BudgetUnknown, sentence: str
) -> None:
    found = programme(errorBudgetLeftAbove="20%", targets=TARGETS)

    assert sentence == said(judge(found, asked("kubernetes/staging"), [seen]))


@pytest.mark.parametrize(
    ("seen", "notice"),
    [
        (
            budget(0.1),
            "error budget of checkout: 10 % is left, 20 % must be; 4,500 bad events of the 5,000 "
            "that 30d allow at this traffic; allowed, for sandbox is disposable",
        ),
        (
            BudgetUnknown("checkout", "Prometheus does not answer"),
            "error budget of checkout is unknown: Prometheus does not answer; allowed, for sandbox "
            "is disposable",
        ),
    ],
)
def test_on_a_disposable_target_a_budget_is_only_noticed(
    seen: BudgetLeft | BudgetUnknown, notice: str
) -> None:
    found = programme(errorBudgetLeftAbove="20%", targets=TARGETS)

    permission = judge(found, asked("sandbox"), [seen])

    assert permission.may_start
    assert (notice,) == permission.notices


def test_a_line_of_its_own_holds_on_a_disposable_target_too_but_not_what_is_unknown() -> None:
    targets = {"sandbox": {"disposable": True, "errorBudgetLeftAbove": "50%"}}
    found = programme(targets=targets)

    assert [Ground.BUDGET] == grounds(judge(found, asked("sandbox"), [budget(0.4)]))
    assert judge(found, asked("sandbox"), [budget(1.0, history=0.1)]).notices


def test_enough_known_history_is_what_the_programme_says() -> None:
    found = programme(errorBudgetLeftAbove="20%", errorBudgetHistoryAbove="50%")

    assert judge(found, asked(), [budget(0.9, history=0.5)]).may_start


def test_without_a_line_no_budget_is_asked_for() -> None:
    permission = judge(programme(), asked(), [budget(-3), BudgetUnknown("x", "nothing")])

    assert permission.may_start
    assert () == permission.notices


def test_one_budget_below_the_line_is_enough() -> None:
    found = programme(errorBudgetLeftAbove="20%")

    assert [Ground.BUDGET] == grounds(judge(found, asked(), [budget(0.9), budget(0.1)]))


def test_a_programme_without_an_owner_names_its_file() -> None:
    nobody = programme(blackouts=[{"name": "b", "daily": "11:00-13:00", "timezone": "UTC"}])
    nobody = nobody.model_copy(
        update={"metadata": nobody.metadata.model_copy(update={"owner": ""})}
    )

    assert said(judge(nobody, asked())).endswith("or ask whoever keeps programme.yaml")


def test_a_permission_is_json_as_it_is_recorded() -> None:
    found = programme(errorBudgetLeftAbove="20%", targets=TARGETS)
    start = asked("sandbox", regions=("eu",), approved_by="sre-lead")

    permission = judge(found, start, [budget(0.5), BudgetUnknown("other", "nothing")])

    assert {
        "programme": "programme.yaml",
        "target": "sandbox",
        "regions": ["eu"],
        "at": "2026-12-24T12:00:00+00:00",
        "approved_by": "sre-lead",
        "may_start": True,
        "refusals": [],
        "notices": [
            "error budget of other is unknown: nothing; allowed, for sandbox is disposable"
        ],
        "budgets": [
            {
                "slo": "checkout",
                "left_ratio": 0.5,
                "history_ratio": 1.0,
                "bad_events": 2500.0,
                "allowed_events": 5000,
                "period_seconds": 2592000.0,
            },
            {"slo": "other", "left_ratio": None, "reason": "nothing"},
        ],
    } == json.loads(json.dumps(permission.to_json()))
