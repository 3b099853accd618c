"""How the page was answered, as times and counts: what the points of the response rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from scoring.effect import Effect, MitigationEffect
from scoring.expectation import Expectation
from scoring.finding import FINDING_STEPS, mistake
from scoring.run_facts import RunFacts, seconds_between
from scoring.timeline import Kind, Timeline


@dataclass(frozen=True, slots=True)
class StepReading:
    """How one step of the diagnosis was read.

    Attributes:
        step: one of `FINDING_STEPS`.
        right_seconds: from the page to its first right finding; None: there was none.
        wrong_turns: how many findings of it were wrong.
        hints: how often the machine's reading was asked for.
    """

    step: str
    right_seconds: float | None
    wrong_turns: int
    hints: int


@dataclass(frozen=True, slots=True)
class Response:
    """What whoever was on call did, counted from the page.

    Attributes:
        acked_seconds: until it was acknowledged; None: it was not.
        evidence_seconds: until the first view of evidence was opened; None: none was.
        right_seconds: until the first finding that was right; None: none was.
        wrong_turns: findings that were wrong, over all steps.
        hints: readings of the machine that were asked for, over all steps.
        harmful: mitigations that made it worse.
        steps: the same by step, in the order of the funnel.
    """

    acked_seconds: float | None
    evidence_seconds: float | None
    right_seconds: float | None
    wrong_turns: int
    hints: int
    harmful: int
    steps: tuple[StepReading, ...]


def measure_response(incident: RunFacts, effects: Sequence[MitigationEffect]) -> Response | None:
    """Return how the page was answered; None where there was none, or nobody was to answer it."""
    page = incident.page
    if page is None or not incident.has_responder or incident.expectation.alert is None:
        return None
    paged_at = page.happened_at

    def after(instant: datetime | None) -> float | None:
        return None if instant is None else seconds_between(paged_at, instant)

    timeline = incident.timeline
    acked = timeline.first(Kind.ACKNOWLEDGED)
    opened = [
        f for f in timeline.of_kind(Kind.LINK_OPENED) if f.data.get("attributed") is not False
    ]
    steps = tuple(
        StepReading(
            step,
            after(right_at(step, timeline, incident.expectation)),
            sum(bool(wrong) for wrong in _mistakes(step, timeline, incident.expectation)),
            sum(f.data.get("step") == step for f in timeline.of_kind(Kind.HINT_ASKED)),
        )
        for step in FINDING_STEPS
    )
    read = [s.right_seconds for s in steps if s.right_seconds is not None and s.step != "mitigate"]
    return Response(
        acked_seconds=after(acked.happened_at if acked else None),
        evidence_seconds=after(opened[0].happened_at if opened else None),
        right_seconds=min(read, default=None),
        wrong_turns=sum(s.wrong_turns for s in steps),
        hints=sum(s.hints for s in steps),
        harmful=sum(e.effect is Effect.MAKES_WORSE for e in effects),
        steps=steps,
    )


def right_at(step: str, timeline: Timeline, expectation: Expectation) -> datetime | None:
    """Return when a step was first read right; None: never, or nothing is declared to compare."""
    return next(
        (
            f.happened_at
            for f in timeline.of_kind(Kind.FINDING)
            if f.data.get("step") == step
            and mistake(step, f.data.get("detail") or {}, expectation) == ""
        ),
        None,
    )


def _mistakes(step: str, timeline: Timeline, expectation: Expectation) -> list[str | None]:
    return [
        mistake(step, f.data.get("detail") or {}, expectation)
        for f in timeline.of_kind(Kind.FINDING)
        if f.data.get("step") == step
    ]
