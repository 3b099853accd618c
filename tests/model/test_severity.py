"""One scale of severities, from the scenario's file to the incident's postmortem."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gameday.incidents.severity import severity_of
from gameday.model.scenario import Scenario
from gameday.model.severity import IncidentSeverity

EVERY = list(IncidentSeverity)


@pytest.mark.parametrize("severity", EVERY)
def test_what_a_scenario_may_say_an_alert_may_say(severity: IncidentSeverity) -> None:
    spec = {"slo": "s", "faults": [{"experiment": "slow", "duration": "1m"}]}
    metadata = {"name": "s", "severity": str(severity)}

    written = Scenario.model_validate({"metadata": metadata, "spec": spec}).metadata.severity

    assert (severity, severity) == (written, severity_of({"sev": str(severity)}))
    assert severity == severity_of({"severity": str(severity).lower().replace("-", "")})


def test_the_worst_is_the_smallest() -> None:
    assert EVERY == sorted(EVERY)


def test_who_wakes_somebody_owes_a_postmortem() -> None:
    assert [True, True, False, False, False] == [s.wakes for s in EVERY]
    assert [timedelta(hours=24), timedelta(hours=48), None, None, None] == [
        s.postmortem_within for s in EVERY
    ]


def test_a_name_that_is_no_severity_is_none_and_no_guess() -> None:
    assert [None, None, IncidentSeverity.SEV_2] == [
        IncidentSeverity.named(said) for said in ("SEV-9", None, "SEV-2")
    ]
