"""What went live in a declared system, out of every source its document names."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from gameday.drivers.annotations import GrafanaDeploys
from gameday.drivers.argocd import ArgoDeploys
from gameday.drivers.deploy_command import PrintedDeploys
from gameday.drivers.github import GithubDeploys
from gameday.http.credentials import credentials_of
from gameday.model.deploy_source import DeploySource
from gameday.model.signals import Deploy
from gameday.model.system import SystemSpec
from gameday.ports import DeployLog

__all__ = ["deploy_log_of"]


class _Together:
    """Several sources as one timeline; fulfils `gameday.ports.DeployLog`.

    Where one does not answer none is believed: of half a timeline nobody can say that nothing went
    live.
    """

    def __init__(self, logs: Sequence[DeployLog]) -> None:
        self._logs = logs

    async def deploys(self, *, since: datetime, until: datetime) -> Sequence[Deploy]:
        found = await asyncio.gather(*(log.deploys(since=since, until=until) for log in self._logs))
        each = {deploy for deploys in found for deploy in deploys}
        return sorted(each, key=lambda d: (d.deployed_at, d.service, d.region or ""))


def deploy_log_of(spec: SystemSpec) -> DeployLog | None:
    """Return the deploy timeline of a system; None where its document names no source.

    Raises:
        PermanentDriverError: a secret is not where the document says.
    """
    logs = [_opened(source) for source in spec.deploys]
    if not logs:
        return None
    return logs[0] if len(logs) == 1 else _Together(logs)


def _opened(source: DeploySource) -> DeployLog:
    if source.command is not None:
        return PrintedDeploys(source.command.run, within=source.command.within)
    if source.github is not None:
        return GithubDeploys(
            source.github.url,
            source.github.repository,
            service=source.github.service,
            environment=source.github.environment,
            credentials=credentials_of(source.github),
        )
    if source.argocd is not None:
        return ArgoDeploys(
            source.argocd.url,
            source.argocd.application,
            service=source.argocd.service,
            credentials=credentials_of(source.argocd),
        )
    if source.grafana is not None:
        return GrafanaDeploys(source.grafana.url, credentials=credentials_of(source.grafana))
    raise AssertionError(source)  # other places are refused when the document is read
