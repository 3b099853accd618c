"""The scenario of a game day: the story a file under ``scenarios/`` tells, as frozen values.

`gameday.spec` reads files into these; nothing here does I/O. Field names are those of the YAML
(``errorRatio`` in the file, ``error_ratio`` here). Durations are `timedelta`, ratios are 0–1.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    model_validator,
)
from pydantic_core import PydanticCustomError

from gameday.model.effects import Limits
from gameday.model.noun import Name, Noun, PositiveDuration, Text
from gameday.model.severity import IncidentSeverity
from gameday.quantity import Duration, Ratio, ShareOrCount, Within


class TargetKind(StrEnum):
    """Where a scenario plays."""

    SANDBOX = "sandbox"
    KUBERNETES = "kubernetes"
    SYSTEM = "system"  # one of somebody's own, which a document describes
    NONE = "none"  # the experiment brings its own target


class ResponderKind(StrEnum):
    """Who answers the page."""

    BOT = "bot"
    HUMAN = "human"
    NONE = "none"


THEORY: Literal["theory"] = "theory"


def _silence(value: Any) -> Any:
    return None if value == "none" else value


class Metadata(Noun):
    """Name, title and severity of a scenario."""

    name: Name
    title: str = ""
    severity: IncidentSeverity = IncidentSeverity.SEV_3


class SteadyState(Noun):
    """What must hold before a fault is injected."""

    for_: Duration = Field(default=timedelta(seconds=10), alias="for")
    burn_rate_below: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Upper limit of the burn rate over each page branch's long window."""
    within: Duration = timedelta(seconds=60)
    """How long to wait for it to hold before the run is refused."""


class Fault(Noun):
    """One fault: which experiment, with which parameters, when, and for how long at most."""

    experiment: Text
    """A file under ``experiments/`` without its ending, or a path to any Chaos Toolkit file."""
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")
    at: Duration = timedelta(0)
    duration: PositiveDuration
    """Upper limit: the fault is recovered by then, whatever happens."""


class BlastRadius(Noun):
    """The most this run may touch."""

    regions: Annotated[int, Field(ge=0)] | None = None
    pods: ShareOrCount | None = None
    """A share of the pods as float, or a count as int."""
    namespaces: tuple[str, ...] = ()


class AbortRule(Noun):
    """One condition that stops the run."""

    error_budget_spent_above: Ratio | None = None
    """Of the whole period's budget, spent by this run."""
    burn_rate_above: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    query: Text | None = None
    """A PromQL expression; the run stops where a value of it passes ``above`` or ``below``."""
    above: Annotated[float, Field(allow_inf_nan=False)] | None = None
    below: Annotated[float, Field(allow_inf_nan=False)] | None = None
    probe: Text | None = None
    """An experiment whose steady-state hypothesis must hold while the fault is in place."""
    pods_above: Annotated[int, Field(ge=0)] | None = None
    """On a cluster: pods of one owner that are of no use to it, or made without need."""
    restarts_above: Annotated[int, Field(ge=0)] | None = None
    """On a cluster: restarts of one owner's containers, beside three for each of its pods."""
    evictions_above: Annotated[int, Field(ge=0)] | None = None
    """On a cluster: pods that the cluster itself takes away."""
    waiting_above: Annotated[int, Field(ge=0)] | None = None
    """On a cluster: pods that find no place, beside as many as were deleted."""

    @property
    def of_effects(self) -> dict[str, int]:
        """Return which of `Limits` on what a drill sets off it states; empty: none."""
        stated = {
            "pods": self.pods_above,
            "restarts": self.restarts_above,
            "evictions": self.evictions_above,
            "waiting": self.waiting_above,
        }
        return {name: limit for name, limit in stated.items() if limit is not None}

    @model_validator(mode="after")
    def _states_one_condition(self) -> AbortRule:
        stated = [
            value
            for value in (
                self.error_budget_spent_above,
                self.burn_rate_above,
                self.query,
                self.probe,
                *self.of_effects.values(),
            )
            if value is not None
        ]
        if len(stated) != 1:
            raise PydanticCustomError(
                "abort_rule",
                "states several conditions" if stated else "states no condition",
                {
                    "hint": "one entry each: errorBudgetSpentAbove: 30%, burnRateAbove: 50, "
                    "query with above or below, probe, or podsAbove: 20"
                },
            )
        limits = self.above is not None or self.below is not None
        if limits != (self.query is not None):
            raise PydanticCustomError(
                "abort_rule",
                "has a query without a limit" if self.query else "has a limit without a query",
                {"hint": "write query: 'sum(rate(errors[1m]))' with above: 5 or below: 5"},
            )
        return self


class ExpectedAlert(Noun):
    """Which alert must fire, and how fast."""

    severity: Literal["page", "ticket"] = "page"
    within: Within = THEORY


class Culprit(Noun):
    """The cause a responder should find. Opened only for scoring."""

    service: Text
    downstream: str | None = None
    region: str | None = None
    function: str | None = None
    commit: str | None = None


class Recovered(Noun):
    """How fast the alert must clear, counted from the page."""

    within: Within = THEORY


class Expect(Noun):
    """What a good run looks like."""

    error_ratio: Ratio | None = None
    """What the fault should do to the SLI; None: the blast radius fails entirely."""
    alert: Annotated[ExpectedAlert | None, BeforeValidator(_silence)] = ExpectedAlert()
    """None (written ``none`` in the file): silence is expected."""
    collateral: tuple[str, ...] = ()
    culprit: Culprit | None = None
    mitigation: tuple[str, ...] = ()
    recovered: Recovered = Recovered()


class Targets(Noun):
    """By when, counted from the page, each phase of the response is due; None: as the loop has it.

    They are not compressed with the alert windows: people are as slow on a fast target.
    """

    acked: PositiveDuration | None = None
    red: PositiveDuration | None = None
    trace: PositiveDuration | None = None
    profile: PositiveDuration | None = None
    blame: PositiveDuration | None = None
    mitigated: PositiveDuration | None = None
    """When the mitigation is started; when the alert must have cleared says ``recovered``."""
    postmortem: PositiveDuration | None = None

    @property
    def stated(self) -> dict[str, timedelta]:
        """Return those the scenario sets, by the name of their phase."""
        said = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: due for name, due in said.items() if due is not None}


def kind_of(system: object) -> TargetKind:
    """Return which kind of target a system's name means: one of the shops, or a document's."""
    shops = (TargetKind.SANDBOX, TargetKind.KUBERNETES)
    return next((kind for kind in shops if kind == system), TargetKind.SYSTEM)


class ScenarioSpec(Noun):
    """The body of a scenario file."""

    system: Name | None = None
    """The system it is played on: a document under ``systems/``, or one of the two shops."""
    target: TargetKind = TargetKind.SANDBOX
    """Short form of ``system`` for the two shops; filled in where a system is named."""
    regions: tuple[str, ...] = ()
    slo: Text
    steady_state: SteadyState = SteadyState()
    faults: tuple[Fault, ...] = Field(min_length=1)
    blast_radius: BlastRadius = BlastRadius()
    abort: tuple[AbortRule, ...] = ()
    expect: Expect = Expect()
    targets: Targets = Targets()
    responder: ResponderKind = ResponderKind.BOT
    runbook: str | None = None
    rubric: str = "default"

    @model_validator(mode="before")
    @classmethod
    def _plays_in_one_place(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.get("system") is None:
            if isinstance(data, dict) and data.get("target") == TargetKind.SYSTEM:
                raise PydanticCustomError(
                    "place", "does not say which system", {"hint": "write system: NAME"}
                )
            return data
        if data.get("target") is not None:
            raise PydanticCustomError(
                "place",
                "names a system and a target",
                {"hint": "keep system; target is the short form for sandbox and kubernetes"},
            )
        return {**data, "target": kind_of(data["system"])}

    @property
    def place(self) -> str:
        """Return the name of the system it is played on, in whichever form it is said."""
        return self.system or str(self.target)

    @property
    def limits(self) -> Limits:
        """Return how much it may set off: what its abort rules state, else what always holds."""
        stated = {name: limit for rule in self.abort for name, limit in rule.of_effects.items()}
        return replace(Limits(), **stated)


class Scenario(Noun):
    """A game day, declared."""

    api_version: Literal["gameday/v1"] = "gameday/v1"
    kind: Literal["Scenario"] = "Scenario"
    metadata: Metadata
    spec: ScenarioSpec
    path: Path | None = Field(default=None, exclude=True)
    """The file it was read from; set by `gameday.spec`, never written in the file."""
