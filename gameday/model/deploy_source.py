"""Where it is told what went live, when: the sources a system's document may name."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field, model_validator

from gameday.model.access import one_of
from gameday.model.noun import Noun, PositiveDuration, Text

__all__ = ["DeploySource", "DeploysPrinted"]

WITHIN = timedelta(seconds=5)
"""How long a command may take to print the deploys: somebody waits for them in an incident."""


class DeploysPrinted(Noun):
    """A program that prints the deploys as JSON, run without a shell where gameday runs."""

    run: Annotated[tuple[Text, ...], Field(min_length=1)]
    """The program and its arguments; ``{since}`` and ``{until}`` stand for instants, RFC 3339."""
    within: PositiveDuration = WITHIN


class DeploySource(Noun):
    """One place that tells it."""

    command: DeploysPrinted | None = None
    kubernetes: dict[str, Any] | None = None
    github: dict[str, Any] | None = None
    argocd: dict[str, Any] | None = None
    grafana: dict[str, Any] | None = None
    webhook: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _is_one_place(self) -> DeploySource:
        kinds = ("command", "kubernetes", "github", "argocd", "grafana", "webhook")
        one_of(self, dict(zip(kinds, kinds, strict=True)), "write command: {run: [PROGRAM, …]}")
        return self
