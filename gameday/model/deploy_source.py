"""Where it is told what went live, when: the sources a system's document may name."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from gameday.model.access import Access, Url, one_of, wrong
from gameday.model.noun import Noun, PositiveDuration, Text

__all__ = [
    "ArgoApplication",
    "DeploySource",
    "DeploysPrinted",
    "GithubDeployments",
    "GrafanaMarkers",
    "WorkloadsOf",
]

WITHIN = timedelta(seconds=5)
"""How long a command may take to print the deploys: somebody waits for them in an incident."""


def _repository(value: str) -> str:
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", value):
        raise wrong(f"is no repository: '{value[:60]}'", "write OWNER/NAME")
    return value


class DeploysPrinted(Noun):
    """A program that prints the deploys as JSON, run without a shell where gameday runs."""

    run: Annotated[tuple[Text, ...], Field(min_length=1)]
    """The program and its arguments; ``{since}`` and ``{until}`` stand for instants, RFC 3339."""
    within: PositiveDuration = WITHIN


class GithubDeployments(Access):
    """The deployments of a repository on GitHub, or on a GitHub Enterprise Server by its URL."""

    url: Url = "https://api.github.com"
    """Of its REST API; of an Enterprise Server ``https://HOST/api/v3``."""
    repository: Annotated[str, AfterValidator(_repository)]
    """``OWNER/NAME``."""
    service: Text | None = None
    """What is deployed out of it; by default what the repository is called."""
    environment: Text | None = None
    """Where it has to be deployed to; by default anywhere."""


class ArgoApplication(Access):
    """An application of Argo CD, whose history says what was synced when."""

    url: Url
    application: Text
    service: Text | None = None
    """What it deploys; by default what it is called."""


class GrafanaMarkers(Access):
    """Annotations of a Grafana that bear the tag ``deploy``."""

    url: Url


class WorkloadsOf(Noun):
    """The Deployments, StatefulSets and DaemonSets of some namespaces."""

    context: Text | None = None
    """Of the kubeconfig; by default the cluster that the document names."""
    namespaces: tuple[Text, ...] = ()
    """By default those of the document's cluster."""
    labels: str = ""
    """Selector of those that count; by default all of the namespace."""
    services: dict[Text, Text] = Field(default_factory=dict)
    """What the cluster calls a service (its label ``app.kubernetes.io/name``, else the workload's
    name), by the name that the metrics and the SLO give it."""


class DeploySource(Noun):
    """One place that tells it."""

    command: DeploysPrinted | None = None
    kubernetes: WorkloadsOf | None = None
    github: GithubDeployments | None = None
    argocd: ArgoApplication | None = None
    grafana: GrafanaMarkers | None = None
    webhook: Literal[True] | None = None
    """What pipelines told `gameday serve`, where it shares the store with the drill."""

    @model_validator(mode="after")
    def _is_one_place(self) -> DeploySource:
        kinds = ("command", "kubernetes", "github", "argocd", "grafana", "webhook")
        one_of(self, dict(zip(kinds, kinds, strict=True)), "write command: {run: [PROGRAM, …]}")
        return self
