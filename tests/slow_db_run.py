"""One slow-db run, written by hand: the facts, the result, and the texts it was planned from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gameday.model.result import RunResult, Task, TaskKind
from gameday.model.scenario import Scenario
from gameday.model.slo import Slo
from gameday.testing.results import run_result
from scoring.alerting import Detection
from scoring.finding import ExpectedFinding
from scoring.funnel import PhaseResult, StepFinding, StepResult
from scoring.scorecard import Score, ScoreLine
from scoring.slo import Objective, workbook_windows
from scoring.timeline import Fact, Kind, Timeline
from scoring.verdict import RunVerdict, Verdict

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


def phase(
    second: float | None, target: float | None, verdict: Verdict = Verdict.MET
) -> PhaseResult:
    at = None if second is None else START + timedelta(seconds=29 + second)
    return PhaseResult(at, second, target, verdict)


@pytest.fixture
def result() -> RunResult:
    return run_result(
        RunVerdict.PASSED,
        time_scale=60,
        phases={
            "paged": phase(0, 0),
            "acked": phase(1, 30),
            "trace": phase(7, 90),
            "mitigated": phase(16, 180),
            "recovered": phase(25, 31.25),
            "postmortem": phase(None, None, Verdict.PENDING),
        },
        detection=Detection(
            injected_at=START + timedelta(seconds=10.5),
            fired_at=START + timedelta(seconds=28.5),
            paged_at=START + timedelta(seconds=29),
            seconds=18.0,
            planned_seconds=18.3,
            predicted_seconds=17.3,
            ratio=1.0405,
            windows_full=True,
            windows_clean=True,
            budget_spent_ratio=0.031,
            history_ratio=0.002,
            verdict=Verdict.MET,
        ),
        funnel=(
            StepResult(
                "trace",
                None,
                StepFinding("inventory waits for db", {}, START + timedelta(seconds=36)),
                ExpectedFinding(service="inventory", downstream="db"),
                Verdict.MET,
            ),
            StepResult("blame", None, None, ExpectedFinding(), Verdict.UNKNOWN),
        ),
        score=Score(
            "default",
            9,
            10,
            90.0,
            (
                line("detected", "The alert fired in time", Verdict.MET, 5, "f0003", "f0004"),
                line(
                    "blame",
                    "The change was looked up",
                    Verdict.MISSED,
                    4,
                    "f0010",
                    reason="names commit 'abc', not None",
                ),
                line(
                    "postmortem",
                    "A postmortem exists",
                    Verdict.UNKNOWN,
                    0,
                    reason="nobody could say",
                ),
            ),
        ),
        tasks=(
            Task(
                TaskKind.EXERCISED,
                "Record at failover-db when it was last exercised",
                "runbooks/checkout-latency.md",
                ("f0012",),
                "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b <script>\n",
            ),
        ),
    )


def line(
    criterion: str, title: str, verdict: Verdict, points: float, *evidence: str, reason: str = ""
) -> ScoreLine:
    most = 5 if verdict.counts else 0
    return ScoreLine(criterion, title, verdict, points, most, False, reason, evidence)
