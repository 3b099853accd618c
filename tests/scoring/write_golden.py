"""Write a golden timeline: what today's code records of a run, and how today's judges see it.

    python tests/scoring/write_golden.py slow-db-v3

The run is a rehearsal in which nothing goes wrong: the real conductor, the real incident and the
real judges in a simulated world. A golden is written once, when the shape of a fact has changed,
and never again: the tests hold later code against it.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import yaml
from drill_facts import REHEARSED

from gameday.house.run.stories import rubric_text
from gameday.testing.drawing import draw
from gameday.testing.oncall import Character
from gameday.testing.rehearsal import rehearse
from scoring.rubric import Rubric
from scoring.scorecard import judge
from scoring.timeline import Fact, Timeline

SCENARIO = {
    "metadata": {"name": "slow-db"},
    "spec": {
        "slo": REHEARSED.slo,
        "steadyState": {"for": "2s", "burnRateBelow": 1, "within": "6s"},
        "faults": [{"experiment": "slow-downstream", "with": {"ratio": 0.7}, "duration": "60s"}],
        "expect": {
            "errorRatio": 0.7,
            "culprit": {"service": "catalog", "downstream": "db"},
            "mitigation": list(REHEARSED.mitigations),
        },
        "responder": "bot",
    },
}


def main(name: str) -> None:
    """Play, judge, write."""
    drawn = replace(
        draw(0),
        scenario=json.dumps(SCENARIO),
        character=Character.PROMPT,
        failures=(),
        moments=(),
        theirs=None,
        hand_after=None,
        pager_is_out=False,
    )
    report = rehearse(0, drawn=drawn)
    assert "passed" == report.verdict, report.timeline
    facts = [json.loads(line) for line in report.timeline.splitlines() if line.startswith("{")]
    rubric = yaml.safe_load(rubric_text("default"))
    timeline = Timeline.of(Fact.from_json(fact) for fact in facts)
    card = judge(timeline, REHEARSED, Rubric.from_mapping(rubric)).to_json()
    golden = Path(__file__).parent / "golden" / f"{name}.json"
    text = json.dumps({"rubric": rubric, "facts": facts, "card": card}, indent=1)
    golden.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
