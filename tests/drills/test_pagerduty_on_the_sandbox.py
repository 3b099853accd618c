"""A drill on the real sandbox through PagerDuty, beside `gameday serve` on the same store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from test_drills import SLOW_DB, Shell, any_shell, shell, wait_for

from gameday.testing.pagerduty import ROUTING_KEY, SECRET, FakePagerDuty, fake_pagerduty

__all__ = ["any_shell", "shell"]

pytestmark = [pytest.mark.sandbox, pytest.mark.row]

REAL = "https://pager.invalid/real"


@pytest.fixture
def pagerduty() -> Iterator[FakePagerDuty]:
    with fake_pagerduty() as fake:
        yield fake


@contextmanager
def serving(shell: Shell) -> Iterator[str]:
    """`gameday serve` on the run's store; yields its address."""
    process = shell.start("serve", "--port", "0")
    try:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "serving on" in line)
        yield line.split()[-1]
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_a_drill_through_pagerduty_is_answered_there_and_judged_by_its_time(
    shell: Shell, pagerduty: FakePagerDuty
) -> None:
    made = shell.gameday("token", "create", "--role", "responder", "--name", "ann", "--json")
    own = {"authorization": f"Bearer {json.loads(made.stdout)['token']}"}
    shell.environment |= {
        "GAMEDAY_DRILL_PAGERDUTY_KEY": ROUTING_KEY,
        "GAMEDAY_DRILL_PAGERDUTY_URL": pagerduty.url,
        "GAMEDAY_PAGERDUTY_WEBHOOK_SECRET": SECRET,
        # Of the real rota: whatever it is called for, the service would say that it cannot.
        "GAMEDAY_WEBHOOK_URL": REAL,
    }
    with serving(shell) as url:
        pagerduty.webhooks.append(f"{url}/hooks/pagerduty")
        arguments = ("--responder", "human", "--pager", "pagerduty", "--json")
        run = shell.start("run", str(SLOW_DB), *arguments)
        try:
            wait_for(lambda: pagerduty.events or run.poll() is not None, "the page", 120)
            [incident] = pagerduty.incidents
            acked_at = pagerduty.acknowledge(incident)
            with httpx.Client(base_url=url, headers=own, timeout=90) as http:
                listed = http.get("/api/incidents").json()["incidents"]
                failover = {"name": "failover-db", "parameters": {"region": "eu-west"}}
                mitigated = http.post(f"/api/incidents/{incident}/mitigation", json=failover)
                output, talk = run.communicate(timeout=120)
                shown = http.get(f"/api/incidents/{incident}").json()
        finally:
            if run.poll() is None:
                run.terminate()
                run.communicate(timeout=60)
    result = json.loads(output)

    [event] = [e for e in pagerduty.events if e["event_action"] == "trigger"]
    assert event["payload"]["summary"].startswith("[DRILL] ")
    assert ["RED", "Traces", "Profile", "Runbook"] == [link["text"] for link in event["links"]]
    # Whatever else was played on this sandbox has incidents too.
    assert [incident] == [r["id"] for r in listed if r["drill"] == result["run"]]
    assert (200, True) == (mitigated.status_code, mitigated.json()["data"]["ok"])
    assert acked_at == instant(result["phases"]["acked"]["at"]), talk
    assert {"met"} == {result["phases"][p]["verdict"] for p in ("acked", "mitigated", "recovered")}
    assert "resolved" == pagerduty.incidents[incident].status
    assert not [f for f in shown["timeline"] if f["data"].get("to") == "rota"]
    told = shell.gameday("incident", "postmortem", "last", "https://wiki.example/1", "--json")
    assert 0 == told.returncode, told.stderr
    judged = json.loads(shell.gameday("show", "last", "--json", expect=0).stdout)
    assert "met" == judged["phases"]["postmortem"]["verdict"]


def instant(said: Any) -> datetime:
    return datetime.fromisoformat(str(said)).astimezone(UTC)
