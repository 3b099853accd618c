"""Timelines to judge: a good run, fact by fact, and what may be changed about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from scoring.expectation import Culprit, Expectation
from scoring.rubric import Rubric
from scoring.timeline import Fact, Kind, Timeline

T0 = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
"""When the fault is injected; every fact's time is counted in seconds from here."""

ALERT = {"alert": "CheckoutLatencyBudgetBurn", "slo": "checkout-latency", "service": "storefront"}
PAGE = {**ALERT, "severity": "page", "long": "1h", "short": "5m"}

SLOW_DB = Expectation(
    slo="checkout-latency",
    service="storefront",
    culprit=Culprit("inventory", "db"),
    mitigations=("failover-db",),
    regions=("eu-west",),
    first_checks=("read-red",),
)

REHEARSED = replace(SLOW_DB, slo="checkout")
"""The same story in a rehearsal, whose SLO has another name."""


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def fact(kind: str, seconds: float, fact_id: str = "", /, **data: Any) -> Fact:
    when = at(seconds)
    subject = str(data.get("undo", data.get("slo", "")))
    return Fact(fact_id or f"{kind}@{seconds:g}", kind, when, when, "test", subject, data)


def finding(step: str, seconds: float, **detail: Any) -> Fact:
    return fact(Kind.FINDING, seconds, step=step, summary=f"{step} found", detail=detail)


def measured(what: str, seconds: float = 45, **data: Any) -> Fact:
    return fact(Kind.MEASUREMENT, seconds, f"measured-{what}@{seconds:g}", what=what, **data)


def burning(since: int, until: int, burn_rate: float) -> list[Fact]:
    """Return what Prometheus says every second of the two windows, at 60 times the pace."""
    return [
        measured("burn_rate", second, values={"1h": 20.0, "5m": burn_rate})
        for second in range(since, until)
    ]


def good_run() -> Timeline:
    """Return slow-db as it should go: page after 18 s, mitigated 9 s later, cleared by that."""
    links = {"red": "r", "traces": "t", "profile": "p", "runbook": "b"}
    page = {"service": "storefront", "slo": "checkout-latency", "burn_rate": 49.0, "window": "1h"}
    mitigation = {"name": "failover-db", "parameters": {}, "by": "on-call"}
    return Timeline.of(
        [
            fact(Kind.RUN_STARTED, -12, responder="bot", scenario="slow-db", time_scale=60),
            *(fact(Kind.PIPELINE_BEAT, second) for second in range(-10, 41, 4)),
            fact(Kind.PLAN_MADE, -11, predicted_seconds=18.3, expects_alert=True),
            fact(Kind.STEADY_STATE_CHECKED, -1, met=True),
            fact(Kind.UNDO_STORED, -0.5, undo="u1"),
            fact(Kind.FAULT_INJECTED, 0, undo="u1", fault="slow-downstream"),
            fact(Kind.ALERT_FIRED, 18, **PAGE),
            fact(Kind.PAGE_RECEIVED, 18.5, starts_at=at(18).isoformat(), **PAGE),
            fact(Kind.PAGE_DELIVERED, 18.6, to="on-call", page={**page, "links": links}),
            fact(Kind.ACKNOWLEDGED, 19, by="on-call"),
            fact(Kind.LINK_OPENED, 19.2, link="red"),
            finding("red", 20, moved=["duration"], shape="plateau", region=None),
            fact(Kind.LINK_OPENED, 20.5, link="traces"),
            finding("trace", 22, service="inventory", downstream="db", region=None),
            finding("profile", 23, off_cpu=True, waiting_in="SELECT stock"),
            finding("blame", 24, explained=False, commit=None),
            finding("mitigate", 25, mitigation="failover-db"),
            fact(Kind.RUNBOOK_STEP, 26, step="read-red", done=True, note=""),
            fact(Kind.MITIGATION_STARTED, 27, **mitigation),
            fact(Kind.MITIGATION_APPLIED, 27.5, ok=True, detail="", **mitigation),
            *burning(0, 27, 50.0),
            *burning(28, 40, 0.5),
            fact(Kind.FAULT_READ, 28, "read-1", undo="u1", present=True),
            fact(Kind.ALERT_RESOLVED, 33, **PAGE),
            fact(Kind.FAULT_READ, 34, "read-2", undo="u1", present=True),
            fact(Kind.FAULT_RECOVERED, 36, undo="u1", by="conductor"),
            fact(Kind.RECOVERY_PROVEN, 36.5, undo="u1"),
            measured(
                "detection",
                40,
                predicted_seconds=17.5,
                upper_seconds=18.1,
                resets_predicted_seconds=5.0,
                windows_full=True,
                windows_clean=True,
                history_ratio=1.0,
                budget_spent_ratio=0.02,
            ),
        ]
    )


def without(timeline: Timeline, *kinds: str) -> Timeline:
    return Timeline.of(f for f in timeline if f.kind not in kinds)


def only(timeline: Timeline, keep: Callable[[Fact], bool]) -> Timeline:
    return Timeline.of(f for f in timeline if keep(f))


def plus(timeline: Timeline, *facts: Fact) -> Timeline:
    return Timeline.of([*timeline, *facts])


def changed(timeline: Timeline, fact_id: str, /, **data: Any) -> Timeline:
    """Return the timeline with keys of one fact's data replaced."""
    return Timeline.of(
        Fact(f.id, f.kind, f.happened_at, f.recorded_at, f.source, f.subject, {**f.data, **data})
        if f.id == fact_id
        else f
        for f in timeline
    )


def default_rubric() -> Rubric:
    path = Path(__file__).parents[2] / "scoring/rubrics/default.yaml"
    return Rubric.from_mapping(yaml.safe_load(path.read_text(encoding="utf-8")))
