"""Results of runs, for whoever stores, shows or sends them on."""

from __future__ import annotations

from typing import Any

from gameday.model.result import Recovery, RunResult
from scoring.alerting import Detection
from scoring.scorecard import Score
from scoring.verdict import RunVerdict, Verdict

__all__ = ["run_result"]


def run_result(verdict: RunVerdict = RunVerdict.REFUSED, **fields: Any) -> RunResult:
    """Return a result with hardly anything in it, as a run has that was refused at once.

    Args:
        fields: of `gameday.model.result.RunResult`, instead.
    """
    bare: dict[str, Any] = {
        "run": "20261123-0800-5f3a",
        "scenario": "slow-db",
        "target": "sandbox",
        "phases": {},
        "detection": Detection(verdict=Verdict.NOT_APPLICABLE, reason="no fault was injected"),
        "funnel": (),
        "score": Score.of("default", ()),
        "recovery": Recovery(open=0),
    }
    return RunResult(verdict=verdict, **{**bare, **fields})
