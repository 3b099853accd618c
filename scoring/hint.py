"""Whether a step was read with the machine's help: a hint asked for before it was read right.

Asking after the right finding costs nothing, as it taught nothing that was scored. A wrong finding
handed in first does not make the hint cheaper: the answer that counts was given after it.
"""

from __future__ import annotations

from scoring.expectation import Expectation
from scoring.finding import mistake
from scoring.timeline import Fact, Kind, Timeline

__all__ = ["hint_before"]


def hint_before(step: str, timeline: Timeline, expectation: Expectation) -> Fact | None:
    """Return the hint of a step that was asked for before its first right finding; None: none was.

    Args:
        step: one of `scoring.finding.FINDING_STEPS`.
    """
    for fact in timeline.of_kind(Kind.HINT_ASKED, Kind.FINDING):
        if fact.data.get("step") != step:
            continue
        if fact.kind == Kind.HINT_ASKED:
            return fact
        if mistake(step, fact.data.get("detail") or {}, expectation) == "":
            return None
    return None
