"""One slow-db run, written by hand: the facts, the result, and the texts it was planned from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gameday.model.scenario import Scenario
from gameday.model.slo import Slo
from scoring.slo import Objective, workbook_windows
from scoring.timeline import Fact, Kind, Timeline

START = datetime(2026, 11, 23, 8, 0, 0, tzinfo=UTC)

RUNBOOK = """\
---
alert: CheckoutLatencyBudgetBurn
service: storefront
owner: {name: Checkout on-call, team: checkout, contact: "#checkout-oncall"}
reviewed: 2026-11-03
review_every: 90d
---

# CheckoutLatencyBudgetBurn

## Meaning

Buyers are waiting.

## First checks

1. **read-red**: Open the RED dashboard.
2. **find-hop**: Open slow traces. Which span holds the bulk of the time?
3. **read-profile**: Open the profile. Which function is the widest leaf?
4. **check-changes**: Compare with the deploy timeline.

## Likely causes

- **database-unwell**: inventory waits for its database
  (service: inventory, downstream: db) → failover-db
- **new-code**: a new version (service: any, change: deploy) → rollback-deploy

## Fixes

- **failover-db**: Use the standby:
  `gameday mitigate failover-db region={region?}`. Nothing is lost.
- **rollback-deploy**: `gameday mitigate rollback-deploy service={service}`.
"""


def fact(number: int, kind: str, second: float, source: str = "conductor", **data: Any) -> Fact:
    """Return a fact that happened this many seconds after the start."""
    at = START + timedelta(seconds=second)
    return Fact(f"f{number:04d}", kind, at, at, source, subject=data.pop("subject", ""), data=data)


def finding(number: int, second: float, step: str, summary: str, **detail: Any) -> Fact:
    return fact(
        number, Kind.FINDING, second, "responder", step=step, summary=summary, detail=detail
    )


def slow_db() -> list[Fact]:
    alert = {"severity": "page", "long": "1h", "slo": "checkout-latency"}
    return [
        fact(1, Kind.RUN_STARTED, 0, scenario="slow-db", target="sandbox", time_scale=60),
        fact(2, Kind.UNDO_STORED, 10, undo="u1"),
        fact(3, Kind.FAULT_INJECTED, 10.5, "chaostoolkit", fault="slow-downstream", undo="u1"),
        fact(4, Kind.ALERT_FIRED, 28.5, "prometheus", **alert),
        fact(5, Kind.PAGE_RECEIVED, 29, "alertmanager", **alert),
        fact(6, Kind.ACKNOWLEDGED, 30, "responder", by="on-call"),
        finding(7, 33, "red", "duration stepped up in eu-west", moved=["duration"]),
        finding(
            8,
            36,
            "trace",
            "inventory waits for db",
            service="inventory",
            downstream="db",
            region="eu-west",
            bulk_ratio=0.93,
        ),
        finding(9, 41, "profile", "off-CPU, waiting in db", off_cpu=True, waiting_in="db"),
        finding(10, 43, "blame", "no change explains this", explained=False),
        finding(
            11,
            44,
            "mitigate",
            "failover-db",
            mitigation="failover-db",
            runbook_step="failover-db",
        ),
        fact(
            12,
            Kind.MITIGATION_APPLIED,
            45,
            "target",
            name="failover-db",
            parameters={"region": "eu-west"},
            ok=True,
        ),
        fact(13, Kind.FAULT_READ, 46, "target", undo="u1", present=True),
        fact(14, Kind.ALERT_RESOLVED, 54, "prometheus", **alert),
        fact(15, Kind.FAULT_RECOVERED, 58, undo="u1", by="conductor"),
        fact(16, Kind.RECOVERY_PROVEN, 59, undo="u1"),
        fact(
            17,
            Kind.MEASUREMENT,
            60,
            "prometheus",
            what="detection",
            predicted_seconds=17.3,
            budget_spent_ratio=0.031,
            bad_events=260,
            all_events=640,
            history_ratio=0.002,
        ),
    ]


@pytest.fixture
def timeline() -> Timeline:
    return Timeline.of(slow_db())


@pytest.fixture
def scenario() -> Scenario:
    return Scenario.model_validate(
        {
            "metadata": {
                "name": "slow-db",
                "title": "The inventory database answers slowly",
                "severity": "SEV-2",
            },
            "spec": {
                "slo": "checkout-latency",
                "regions": ["eu-west"],
                "faults": [{"experiment": "slow-downstream", "duration": "5m"}],
                "expect": {
                    "culprit": {"service": "inventory", "downstream": "db"},
                    "mitigation": ["failover-db"],
                },
            },
        }
    )


@pytest.fixture
def slo() -> Slo:
    period = timedelta(days=30)
    return Slo(
        id="checkout-latency",
        service="storefront",
        objective=Objective(0.99, period),
        good_query="good_total",
        total_query="all_total",
        windows=workbook_windows(period),
    )


@pytest.fixture
def runbook_text() -> str:
    return RUNBOOK


@pytest.fixture
def result() -> dict[str, Any]:
    def phase(second: float, target: float, verdict: str = "met") -> dict[str, Any]:
        return {
            "at": (START + timedelta(seconds=29 + second)).isoformat(),
            "seconds_from_page": second,
            "target_seconds": target,
            "verdict": verdict,
            "reason": "",
        }

    return {
        "run": "20261123-0800-5f3a",
        "scenario": "slow-db",
        "target": "sandbox",
        "time_scale": 60,
        "verdict": "passed",
        "phases": {
            "paged": phase(0, 0),
            "acked": phase(1, 30),
            "trace": phase(7, 90),
            "mitigated": phase(16, 180),
            "recovered": phase(25, 31.25),
            "postmortem": {"verdict": "pending", "seconds_from_page": None},
        },
        "detection": {
            "injected_at": (START + timedelta(seconds=10.5)).isoformat(),
            "fired_at": (START + timedelta(seconds=28.5)).isoformat(),
            "paged_at": (START + timedelta(seconds=29)).isoformat(),
            "seconds": 18.0,
            "planned_seconds": 18.3,
            "predicted_seconds": 17.3,
            "ratio": 1.0405,
            "windows_full": True,
            "windows_clean": True,
            "budget_spent_ratio": 0.031,
            "history_ratio": 0.002,
            "verdict": "met",
            "reason": "",
        },
        "funnel": [
            {
                "step": "trace",
                "opened_at": None,
                "finding": {"summary": "inventory waits for db"},
                "expected": {"service": "inventory", "downstream": "db", "region": None},
                "verdict": "met",
            },
            {"step": "blame", "finding": None, "expected": {}, "verdict": "unknown"},
        ],
        "score": {
            "points": 9,
            "max": 10,
            "percent": 90.0,
            "lines": [
                {
                    "criterion": "detected",
                    "title": "The alert fired in time",
                    "verdict": "met",
                    "points": 5,
                    "max": 5,
                    "reason": "",
                    "evidence": ["f0003", "f0004"],
                },
                {
                    "criterion": "blame",
                    "title": "The change was looked up",
                    "verdict": "missed",
                    "points": 4,
                    "max": 5,
                    "reason": "names commit 'abc', not None",
                    "evidence": ["f0010"],
                },
                {
                    "criterion": "postmortem",
                    "title": "A postmortem exists",
                    "verdict": "unknown",
                    "points": 0,
                    "max": 0,
                    "reason": "nobody could say",
                    "evidence": [],
                },
            ],
        },
        "tasks": [
            {
                "kind": "exercised",
                "title": "Record at failover-db when it was last exercised",
                "runbook": "runbooks/checkout-latency.md",
                "evidence": ["f0012"],
                "patch": "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b <script>\n",
            }
        ],
        "recovery": {"open": 0},
    }
