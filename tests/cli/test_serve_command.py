"""`gameday serve`, `token` and `incident list` from the command line, without a service."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from gameday.cli.app import run
from gameday.drivers.clock import SystemClock
from gameday.errors import StoreError, UsageError
from gameday.house.run.drills import drills_of
from gameday.house.run.opening import open_store
from gameday.house.service.key import server_key
from gameday.house.service.pagers import drill_pager, pagers_of
from gameday.house.service.serve import ServeSettings
from gameday.settings import Settings


def test_a_token_is_printed_once_and_only_its_hash_is_kept(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert 0 == run(["token", "create", "--role", "responder", "--name", "ann", "--json"])
    made = json.loads(capsys.readouterr().out)
    state = Path(os.environ["GAMEDAY_STATE"])

    assert made["token"].startswith("gd_")
    for file in state.iterdir():
        assert made["token"].encode() not in file.read_bytes()
    assert 0 == run(["token", "revoke", made["id"], "--json"])
    assert made["id"] == json.loads(capsys.readouterr().out)["id"]
    assert 2 == run(["token", "revoke", made["id"]])
    assert 0 == run(["token", "list", "--json"])
    (listed,) = json.loads(capsys.readouterr().out)
    assert ("ann", True) == (listed["name"], listed["revoked_at"] is not None)
    with open_store() as store:
        audited = [(a.who, a.what, a.about) for a in store.audit()]
    by = "command line"
    assert [(by, "token.revoked", made["id"]), (by, "token.created", made["id"])] == audited


def test_a_role_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == run(["token", "create", "--role", "king"])
    assert "webhook, observer, responder, facilitator" in capsys.readouterr().err


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "example.org", "10.0.0.1"])
def test_nothing_but_loopback_is_served_without_a_token(
    host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 3 == run(["serve", "--host", host, "--port", "0"])
    assert "gameday token create" in capsys.readouterr().err


def test_a_word_without_a_token_of_ones_own_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == run(["incident", "note", "x", "y"])
    assert "GAMEDAY_TOKEN" in capsys.readouterr().err
    assert 0 == run(["incident", "list", "--json"])
    assert [] == json.loads(capsys.readouterr().out)


def test_the_servers_secret_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    key = server_key(tmp_path / "state")
    path = tmp_path / "state" / "server.key"

    assert (32, 0o600) == (len(key), stat.S_IMODE(path.stat().st_mode))
    assert key == server_key(tmp_path / "state")
    assert [path] == list(path.parent.iterdir())
    path.chmod(0o640)
    with pytest.raises(StoreError, match="chmod 600"):
        server_key(tmp_path / "state")


def test_two_pagers_for_the_same_people_are_refused() -> None:
    both = {"GAMEDAY_SLACK_URL": "https://x", "GAMEDAY_WEBHOOK_URL": "https://y"}
    with pytest.raises(UsageError, match="choose one"):
        pagers_of(SystemClock(), Settings.from_environment(both))
    drill = Settings.from_environment({"GAMEDAY_DRILL_WEBHOOK_URL": "https://y.example"})
    assert {"drill on-call"} == set(pagers_of(SystemClock(), drill))
    assert {} == pagers_of(SystemClock(), Settings.from_environment({}))


def test_what_calls_a_drills_on_call_is_chosen_or_what_is_set_up() -> None:
    clock, key = SystemClock(), "k" * 32
    both = {"GAMEDAY_DRILL_PAGERDUTY_KEY": key, "GAMEDAY_DRILL_SLACK_URL": "https://x.example"}
    one = {"GAMEDAY_DRILL_PAGERDUTY_KEY": key}

    def named(given: dict[str, str], chosen: str | None = None) -> str | None:
        pager = drill_pager(clock, Settings.from_environment(given), chosen)
        return None if pager is None else pager.name

    assert ("PagerDuty", None, None) == (named(one), named(one, "console"), named({}))
    assert ("PagerDuty", "Slack") == (named(both, "pagerduty"), named(both, "slack"))
    with pytest.raises(UsageError, match="choose one"):
        named(both)
    with pytest.raises(UsageError, match="GAMEDAY_DRILL_WEBHOOK_URL"):
        named(one, "webhook")
    with pytest.raises(UsageError, match="pagerduty, slack, webhook, console"):
        named(one, "pigeon")


def test_a_run_by_a_pager_that_is_not_set_up_is_refused_before_anything(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert 2 == run(["run", "slow-db", "--pager", "slack"])
    assert "GAMEDAY_DRILL_SLACK_URL" in capsys.readouterr().err


def test_pagerdutys_secrets_are_several_while_one_is_exchanged() -> None:
    name = "GAMEDAY_PAGERDUTY_WEBHOOK_SECRET"

    given = Settings.from_environment({name: " a ,b,,"})

    assert ("a", "b") == ServeSettings.of(given).pagerduty_secrets
    assert () == ServeSettings.of(Settings.from_environment({})).pagerduty_secrets


def test_what_a_run_explains_is_read_from_its_facts(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    from datetime import UTC, datetime, timedelta

    from gameday.drivers.database import Database
    from gameday.model.plan_record import BranchRecord, FaultRecord, PlanRecord
    from scoring.slo import Severity
    from scoring.timeline import Fact, Kind

    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    runs = Database(f"sqlite:///{tmp_path / 'runs.db'}")
    request.addfinalizer(runs.close)

    def add(kind: Kind, **data: object) -> None:
        runs.append("r", Fact(f"{kind}", kind, noon, noon, "conductor", "", data))

    scenario = "spec: {expect: {collateral: [search-latency]}}"
    runs.open_run("r", scenario="s", target="t", started_at=noon, documents={"scenario": scenario})
    add(
        Kind.PLAN_MADE,
        **PlanRecord(
            service="storefront",
            slo="checkout-latency",
            faults=(FaultRecord("slow-downstream", 5, 60, {}, "take the toxic out", ""),),
            branches=(
                BranchRecord("1h", "5m", 14.4, Severity.PAGE, 18, 40, 0.02),
                BranchRecord("3d", "6h", 1, Severity.TICKET, 100, 4000, 0.1),
            ),
        ).to_json(),
    )
    assert () == drills_of(runs, now=noon)

    add(Kind.FAULT_INJECTED)
    (drill,) = drills_of(runs, now=noon)
    assert ("storefront", "checkout-latency") == (drill.service, drill.slo)
    assert {"search-latency"} == drill.collateral
    # 60 s of fault, 40 s × 1.25 until it has cleared, 5 s of delivery.
    assert timedelta(seconds=115) == drill.until - drill.since

    add(Kind.RUN_ENDED)
    assert () == drills_of(runs, now=noon)
