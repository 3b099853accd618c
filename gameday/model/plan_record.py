"""What a run was to do and what was to be seen when, as its timeline keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gameday.errors import Refusal
from gameday.model.json_form import JsonForm
from scoring.form import fields_to_json
from scoring.slo import Severity
from scoring.timeline import Fact, Kind


@dataclass(frozen=True, slots=True)
class FaultRecord:
    """One fault of a plan.

    Attributes:
        experiment: name of the experiment that puts it in.
        at_seconds: when, counted from the beginning of the drill.
        duration_seconds: the longest it may stay.
        configuration: the experiment's own parameters, with every name chosen.
        undo: how it is taken back, in one line.
        undo_command: what a person can type to do the same.
        recovers: what its recovery does, as the end of a sentence; may be empty.
        uncounted: what of its reach nobody counts, and why, in sentences.
    """

    experiment: str
    at_seconds: float
    duration_seconds: float
    configuration: Mapping[str, Any]
    undo: str
    undo_command: str
    recovers: str = ""
    uncounted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReachRecord:
    """How far a fault would reach, counted on the target when the plan was made.

    Attributes:
        pods: full names of the pods it would touch.
        of: how many living pods the namespaces held.
    """

    pods: tuple[str, ...]
    of: int


@dataclass(frozen=True, slots=True)
class BranchRecord:
    """One branch of the SLO's alert, and what theory says of it; seconds are real time.

    Attributes:
        long: its long window, nominal: `1h`.
        short: its short window, nominal.
        burn_rate: its threshold, in budgets per period.
        severity: whether it pages.
        detects_after_s: from the fault to its firing; None: it never fires.
        resets_after_s: from the end of the fault to its end; None: it never comes.
        budget_spent_ratio: share of the period's budget spent by its firing.
        resets_at_latest_s: its end for the unluckiest phase of the evaluation grid; None: it never
            comes, or is not known.
    """

    long: str
    short: str
    burn_rate: float
    severity: Severity
    detects_after_s: float | None
    resets_after_s: float | None
    budget_spent_ratio: float | None
    resets_at_latest_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRecord:
    """The plan of a run: the object that ``gameday plan --json`` prints; seconds are real time.

    Attributes:
        scenario: name of the scenario.
        target: the system it will be played on.
        time_scale: how many times faster its alert windows run; 1 in production.
        slo: id of the SLO whose alert is awaited.
        service: whose promise it is.
        responder: who is to answer the page.
        error_ratio: what the faults should do to the SLI, 0–1.
        faults: in the order of the scenario.
        reaches: how far each of them would reach; None where nothing is counted.
        expects_alert: whether the alert must fire, or keep silent.
        predicted_seconds: from the fault to the alert; None: there is none.
        due_seconds: after how long the alert is late, by the same rule as it is judged; None:
            silence is expected, or it is not known.
        unpredicted: why it is not known when the alert must fire, where it is not; empty: it is.
        scrape_seconds: the target's scrape interval; None: not known.
        evaluation_seconds: the evaluation interval of its rules; None: not known.
        group_wait_seconds: how long its Alertmanager holds a page back; None: not known.
        branches: of the SLO's alert.
        absent: the steps of the funnel that the target has no instrument for.
        notices: what should be known before it is played, and forbids nothing.
        refusals: every reason why it may not be played now, with what to do about it.
    """

    scenario: str = ""
    target: str = ""
    time_scale: float = 1.0
    slo: str = ""
    service: str = ""
    responder: str = ""
    error_ratio: float = 1.0
    faults: tuple[FaultRecord, ...] = ()
    reaches: tuple[ReachRecord | None, ...] = ()
    expects_alert: bool = True
    predicted_seconds: float | None = None
    due_seconds: float | None = None
    unpredicted: str = ""
    scrape_seconds: float | None = None
    evaluation_seconds: float | None = None
    group_wait_seconds: float | None = None
    branches: tuple[BranchRecord, ...] = ()
    absent: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the object that is printed, and that the fact ``plan.made`` holds."""
        return fields_to_json(self)

    @classmethod
    def from_json(cls, raw: object) -> PlanRecord:
        """Return the plan that was recorded like this, by this gameday or an older one.

        Raises:
            StoreError: none was; says where and what is wrong.
        """
        return PLAN.read(raw)


def recorded(facts: Iterable[Fact]) -> PlanRecord | None:
    """Return the plan that these facts of a run hold; None where they hold none.

    Raises:
        StoreError: theirs cannot be read.
    """
    made = next((f for f in facts if f.kind == Kind.PLAN_MADE), None)
    return None if made is None else PlanRecord.from_json(made.data)


PLAN = JsonForm(PlanRecord, "plan")
"""How a plan is read, and its schema."""
