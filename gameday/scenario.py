"""The scenario of a game day: the story a file under ``scenarios/`` tells, as frozen values.

`gameday.spec` reads files into these; nothing here does I/O. Field names are those of the YAML
(``errorRatio`` in the file, ``error_ratio`` here). Durations are `timedelta`, ratios are 0–1.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Noun(BaseModel):
    """A frozen value read from a file: camelCase in the file, unknown fields refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )


class TargetKind(StrEnum):
    """Where a scenario plays."""

    SANDBOX = "sandbox"
    KUBERNETES = "kubernetes"
    NONE = "none"  # the experiment brings its own target


class ResponderKind(StrEnum):
    """Who answers the page."""

    BOT = "bot"
    HUMAN = "human"
    NONE = "none"


THEORY: Literal["theory"] = "theory"

Within = timedelta | Literal["theory"]
Ratio = Annotated[float, Field(ge=0, le=1)]


class Metadata(Noun):
    """Name, title and severity of a scenario."""

    name: str
    title: str = ""
    severity: str = "SEV-3"


class SteadyState(Noun):
    """What must hold before a fault is injected."""

    for_: timedelta = Field(default=timedelta(seconds=10), alias="for")
    burn_rate_below: float = 1.0
    """Upper limit of the burn rate over each page branch's long window."""
    within: timedelta = timedelta(seconds=60)
    """How long to wait for it to hold before the run is refused."""


class Fault(Noun):
    """One fault: which experiment, with which parameters, when, and for how long at most."""

    experiment: str
    """A file name under ``experiments/`` without its ending, or a path to any Chaos Toolkit file."""
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")
    at: timedelta = timedelta(0)
    duration: timedelta
    """Upper limit: the fault is recovered by then, whatever happens."""


class BlastRadius(Noun):
    """The most this run may touch."""

    regions: int | None = None
    pods: Ratio | int | None = None
    namespaces: tuple[str, ...] = ()


class AbortRule(Noun):
    """One condition that stops the run."""

    error_budget_spent_above: Ratio | None = None
    """Of the whole period's budget, spent by this run."""
    burn_rate_above: float | None = None


class ExpectedAlert(Noun):
    """Which alert must fire, and how fast."""

    severity: Literal["page", "ticket"] = "page"
    within: Within = THEORY


class Culprit(Noun):
    """The cause a responder should find. Opened only for scoring."""

    service: str
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
    alert: ExpectedAlert | None = ExpectedAlert()
    """None (written ``none`` in the file): silence is expected."""
    collateral: tuple[str, ...] = ()
    culprit: Culprit | None = None
    mitigation: tuple[str, ...] = ()
    recovered: Recovered = Recovered()


class ScenarioSpec(Noun):
    """The body of a scenario file."""

    target: TargetKind = TargetKind.SANDBOX
    regions: tuple[str, ...] = ()
    slo: str
    steady_state: SteadyState = SteadyState()
    faults: tuple[Fault, ...] = Field(min_length=1)
    blast_radius: BlastRadius = BlastRadius()
    abort: tuple[AbortRule, ...] = ()
    expect: Expect = Expect()
    responder: ResponderKind = ResponderKind.BOT
    runbook: str | None = None
    rubric: str = "default"


class Scenario(Noun):
    """A game day, declared."""

    api_version: Literal["gameday/v1"] = "gameday/v1"
    kind: Literal["Scenario"] = "Scenario"
    metadata: Metadata
    spec: ScenarioSpec
    path: Path | None = Field(default=None, exclude=True)
    """The file it was read from; set by `gameday.spec`, never written in the file."""
