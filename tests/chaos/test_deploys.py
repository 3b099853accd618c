"""Changes that go live and come back, against a control API in memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from chaoslib.exceptions import ActivityFailed

from gameday.chaos import strays
from gameday.chaos.deploys import (
    change_is_live,
    deploy_change,
    deploys_are_known,
    recover_change,
)
from gameday.process import ProcessId
from gameday.testing.control import ControlApi, controlling


@pytest.fixture
def control(monkeypatch: pytest.MonkeyPatch) -> Iterator[ControlApi]:
    api = ControlApi()
    with controlling(api) as url:
        monkeypatch.setenv("GAMEDAY_CONTROL_URL", url)
        yield api


def test_a_change_goes_live_in_one_region_and_comes_back(control: ControlApi) -> None:
    made = deploy_change("orders", ["eu-west"], seed=4, change_name="gd-r-1")

    assert "new4" == made["revision"]
    assert {"eu-west": "new4", "us-east": "base"} == control.live()
    assert change_is_live("gd-r-1")

    assert ["eu-west"] == recover_change("gd-r-1")

    assert {"eu-west": "base", "us-east": "base"} == control.live()
    assert not change_is_live("gd-r-1")


def test_a_change_everywhere_is_one_deploy_and_so_is_its_recovery(control: ControlApi) -> None:
    deploy_change("orders", seed="9")
    recover_change()

    assert ["base", "new9", "base"] == [d["revision"] for d in control.deploys]
    assert {"eu-west": "base", "us-east": "base"} == control.live()


def test_recovering_twice_or_without_a_change_does_nothing(control: ControlApi) -> None:
    assert [] == recover_change()
    deploy_change("orders", revision="given")
    recover_change()
    deploys = list(control.deploys)

    assert [] == recover_change()

    assert deploys == control.deploys


def test_what_somebody_rolled_back_already_is_left_alone(control: ControlApi) -> None:
    deploy_change("orders", ["eu-west"])
    control.deploys.append({"service": "orders", "revision": "fix", "region": "eu-west"})

    assert not change_is_live()
    assert [] == recover_change()

    assert {"eu-west": "fix", "us-east": "base"} == control.live()


def test_regions_that_differed_before_differ_again(control: ControlApi) -> None:
    control.deploys.append({"service": "orders", "revision": "canary", "region": "us-east"})
    deploy_change("orders")

    recover_change()

    assert {"eu-west": "base", "us-east": "canary"} == control.live()


def test_a_deploy_that_fails_half_way_is_taken_back(control: ControlApi) -> None:
    control.refuses = "us-east"

    with pytest.raises(ActivityFailed, match="does not start"):
        deploy_change("orders", "eu-west,us-east")

    assert {"eu-west": "base", "us-east": "base"} == control.live()
    assert not change_is_live()


def test_one_change_name_is_used_once_at_a_time(control: ControlApi) -> None:
    deploy_change("orders")

    with pytest.raises(ActivityFailed, match="recover it first"):
        deploy_change("orders")


def test_a_service_nobody_deployed_is_an_error(control: ControlApi) -> None:
    assert deploys_are_known("orders")
    assert not deploys_are_known("billing")
    with pytest.raises(ActivityFailed, match="deploys of orders"):
        deploy_change("billing")


def test_a_name_that_is_a_path_is_refused(control: ControlApi) -> None:
    with pytest.raises(ActivityFailed, match="no name for a change"):
        recover_change("../../etc/passwd")


def test_without_a_sandbox_the_message_says_what_to_do() -> None:
    with pytest.raises(ActivityFailed, match="gameday sandbox up"):
        deploys_are_known("orders")


def test_a_control_api_that_does_not_answer_is_one_sentence() -> None:
    with pytest.raises(ActivityFailed, match=r"nobody listens at http://127\.0\.0\.1:9"):
        deploys_are_known("orders", control_url="http://127.0.0.1:9")


NOBODY = "http://127.0.0.1:9"


def test_that_nobody_answers_does_not_take_a_change_back(control: ControlApi) -> None:
    deploy_change("orders")

    with pytest.raises(ActivityFailed, match="nobody listens"):
        change_is_live(control_url=NOBODY)
    with pytest.raises(ActivityFailed, match="nobody listens"):
        recover_change(control_url=NOBODY)
    assert change_is_live()


@pytest.mark.parametrize("runs", [False, True])
def test_with_the_process_of_the_sandbox_its_changes_are_gone(
    control: ControlApi, monkeypatch: pytest.MonkeyPatch, runs: bool
) -> None:
    own = ProcessId.own()
    process = own if runs else ProcessId(own.pid, "before")
    monkeypatch.setattr("gameday.chaos.faults.deploy_change._process_at", lambda _: process)
    deploy_change("orders")

    if runs:
        with pytest.raises(ActivityFailed, match="nobody listens"):
            change_is_live(control_url=NOBODY)
    else:
        assert not change_is_live(control_url=NOBODY)
        assert [] == recover_change(control_url=NOBODY)
        assert not change_is_live()


def test_a_change_that_a_run_left_is_found_by_its_mark_and_taken_back(control: ControlApi) -> None:
    deploy_change("orders", ["eu-west"], seed=4, change_name="gd-r7-1")
    deploy_change("orders", ["us-east"], seed=5, change_name="by-hand")

    assert {"gd-r7-1": ["version new4 of orders"]} == strays.find_records("gd-")
    assert strays.is_recorded("gd-r7-1")

    assert ["version new4 of orders"] == strays.recover_record("gd-r7-1")

    assert {"eu-west": "base", "us-east": "new5"} == control.live()
    assert ({}, []) == (strays.find_records("gd-"), strays.recover_record("gd-r7-1"))
    assert not strays.is_recorded("gd-r7-1")


def test_a_change_that_somebody_rolled_back_is_no_stray(control: ControlApi) -> None:
    deploy_change("orders", ["eu-west"], change_name="gd-r7-1")
    control.deploys.append({"service": "orders", "revision": "fix", "region": "eu-west"})

    assert {} == strays.find_records("gd-")


def test_a_sandbox_that_is_gone_has_no_strays() -> None:
    assert {} == strays.find_records("gd-", control_url="http://127.0.0.1:9")
