"""Whatever people typed, a draft that quotes them accuses nobody itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from slow_db_run import slow_db

from gameday.learning.accusation import accusations_in
from gameday.learning.incident_postmortem import draft_of_incident, draft_of_near_miss
from gameday.learning.postmortem import draft
from gameday.model.postmortem import Impact, IncidentStory
from gameday.model.result import RunResult
from gameday.model.scenario import Scenario
from gameday.model.severity import IncidentSeverity
from gameday.model.slo import Slo
from scoring.timeline import Fact, Kind, Timeline

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
PAIRS = Path(__file__).parent / "labelled" / "pairs.yaml"
BLAMEFUL = [p["blameful"] for p in yaml.safe_load(PAIRS.read_text(encoding="utf-8"))["pairs"]]
TYPED = (
    *BLAMEFUL,
    "\n\n".join(BLAMEFUL[:3]),
    f"“{BLAMEFUL[0]}” he said; ” {BLAMEFUL[1]}",
    f"`{BLAMEFUL[0]} | {BLAMEFUL[1]}",
)


@pytest.mark.parametrize("typed", TYPED, ids=range(len(TYPED)))
def test_a_draft_of_an_incident_accuses_nobody(typed: str) -> None:
    kinds = (Kind.FINDING, Kind.NOTED, Kind.RESOLVED, Kind.PAGE_FAILED)
    facts = [
        Fact.noted(
            f"f{number}",
            kind,
            NOON + timedelta(minutes=number),
            source="responder",
            data={"step": "trace", "summary": typed, "text": typed, "error": typed},
        )
        for number, kind in enumerate(kinds)
    ]
    story = IncidentStory(
        id="i1",
        summary="Checkouts take too long",
        service="web",
        slo="checkout-latency",
        severity=IncidentSeverity.SEV_2,
        alert="Burn",
        drill=None,
        starts_at=NOON,
        paged_at=NOON,
        cleared_at=None,
        resolved_at=NOON,
        due_at=NOON,
        phases=(),
        timeline=Timeline.of(facts),
        deploys=(),
        impact=Impact("the counters are gone"),
    )

    assert [] == list(accusations_in(draft_of_incident(story)))


@pytest.mark.parametrize("typed", TYPED, ids=range(len(TYPED)))
def test_a_draft_of_a_near_miss_accuses_nobody(typed: str) -> None:
    text = draft_of_near_miss(
        "n1",
        "The disk was nearly full",
        service="web",
        severity=IncidentSeverity.SEV_3,
        noted_at=NOON,
        told=typed,
    )

    assert [] == list(accusations_in(text))


@pytest.mark.parametrize("typed", TYPED, ids=range(len(TYPED)))
def test_a_draft_of_a_run_accuses_nobody(
    typed: str, result: RunResult, scenario: Scenario, slo: Slo
) -> None:
    timeline = Timeline.of(
        replace(f, data={**f.data, "summary": typed}) if f.kind == Kind.FINDING else f
        for f in slow_db()
    )

    assert [] == list(accusations_in(draft(result, timeline, scenario, slo)))
