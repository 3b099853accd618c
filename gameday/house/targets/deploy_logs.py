"""What went live in a declared system, out of every source its document names."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from gameday.drivers.annotations import GrafanaDeploys
from gameday.drivers.argocd import ArgoDeploys
from gameday.drivers.deploy_command import PrintedDeploys
from gameday.drivers.github import GithubDeploys
from gameday.house.targets.declared_cluster import connected
from gameday.http.credentials import credentials_of
from gameday.model.deploy_source import DeploySource, WorkloadsOf
from gameday.model.service_names import ServiceNames
from gameday.model.signals import Deploy
from gameday.model.system import ClusterAt, SystemSpec
from gameday.ports import DeployLog

__all__ = ["are_heard", "deploy_log_of"]


class _Together:
    """Several sources as one timeline; fulfils `gameday.ports.DeployLog`.

    Where one does not answer none is believed: of half a timeline nobody can say that nothing went
    live.
    """

    def __init__(self, logs: Sequence[DeployLog]) -> None:
        self._logs = logs

    async def deploys(self, *, since: datetime, until: datetime) -> Sequence[Deploy]:
        asked = [asyncio.ensure_future(log.deploys(since=since, until=until)) for log in self._logs]
        try:
            found = await asyncio.gather(*asked)
        finally:
            # Where one failed, the others' commands would go on, and nobody would hear them.
            for one in asked:
                one.cancel()
            await asyncio.wait(asked)
        each = {deploy for deploys in found for deploy in deploys}
        return sorted(each, key=lambda d: (d.deployed_at, d.service, d.region or ""))


def deploy_log_of(spec: SystemSpec) -> DeployLog | None:
    """Return the deploy timeline of a system; None where its document names no source.

    Raises:
        PermanentDriverError: a secret is not where the document says.
    """
    labels = {
        one.service: one.revision.label for one in spec.code if one.revision.label is not None
    }
    logs: list[DeployLog] = []
    for source in spec.deploys:
        if source.kubernetes is not None:
            logs += _workloads(source.kubernetes, spec.kubernetes, labels)
        elif source.webhook is None:  # which is heard, and not asked
            logs.append(_log(source))
    if not logs:
        return None
    return logs[0] if len(logs) == 1 else _Together(logs)


def _workloads(
    told: WorkloadsOf, at: ClusterAt | None, labels: Mapping[str, str]
) -> Iterator[DeployLog]:
    from gameday.drivers.kubernetes import connect
    from gameday.drivers.kubernetes.deploys import (
        ControllerRevisionDeploys,
        ReplicaSetDeploys,
        labelled,
    )

    if told.context is None and at is not None:
        cluster = connected(at)
    else:
        cluster = connect(told.context, is_fenced=False)  # which is only read
    names, version = ServiceNames(told.services), labelled(labels)
    for namespace in told.namespaces or (at.namespaces if at is not None else ()):
        for kind in (ReplicaSetDeploys, ControllerRevisionDeploys):
            yield kind(cluster, namespace, labels=told.labels, version=version, names=names)


def are_heard(spec: SystemSpec) -> bool:
    """Return whether deploys that pipelines tell of belong to a system's timeline."""
    return any(source.webhook is not None for source in spec.deploys)


def _log(source: DeploySource) -> DeployLog:
    if source.command is not None:
        return PrintedDeploys(source.command.run, within=source.command.within)
    if source.github is not None:
        return GithubDeploys(
            source.github.url,
            source.github.repository,
            service=source.github.service or source.github.repository.partition("/")[2],
            environment=source.github.environment,
            credentials=credentials_of(source.github),
        )
    if source.argocd is not None:
        return ArgoDeploys(
            source.argocd.url,
            source.argocd.application,
            service=source.argocd.service or source.argocd.application,
            credentials=credentials_of(source.argocd),
        )
    if source.grafana is not None:
        return GrafanaDeploys(source.grafana.url, credentials=credentials_of(source.grafana))
    raise AssertionError(source)  # other places are refused when the document is read
