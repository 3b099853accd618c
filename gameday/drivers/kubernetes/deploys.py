"""What went live when, out of what a cluster keeps of each version of a workload.

A revision of a Deployment leaves a ReplicaSet behind, one of a StatefulSet or DaemonSet a
ControllerRevision.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from gameday.drivers.kubernetes import rollouts
from gameday.drivers.kubernetes.cluster import Cluster, Object
from gameday.model.service_names import SAME_NAMES, ServiceNames
from gameday.model.signals import Deploy
from gameday.shop import REGION, SELECTOR, SERVICE

__all__ = ["ControllerRevisionDeploys", "ReplicaSetDeploys", "labelled", "release"]

SERVICES = (SERVICE, "app.kubernetes.io/name")
REGIONS = (REGION, "topology.kubernetes.io/region")
"""Labels that name a deploy's service and region, first come first: ours, then those under which
anybody's Deployments say so. On ReplicaSets they are what was written; only pods are relabelled."""

AGAIN = "deployment.kubernetes.io/revision-history"
CAUSE = "kubernetes.io/change-cause"
POD_OF = "controller-revision-hash"
"""The label of a pod that says which ControllerRevision it was made from."""

Version = Callable[[str, Object], str]
"""(service, what has a pod template) → which version it runs; empty: not told."""


def release(service: str, workload: Object) -> str:
    """Return the version that its variables or its image's tag say."""
    return rollouts.release(workload)


def labelled(labels: Mapping[str, str]) -> Version:
    """Return what reads the version of these services from a label of their pods.

    Args:
        labels: which label, by service; other services say it by their image's tag.
    """

    def version(service: str, workload: Object) -> str:
        name = labels.get(service)
        if name is None:
            return release(service, workload)
        template = workload["spec"]["template"].get("metadata") or {}
        return str((template.get("labels") or {}).get(name, ""))

    return version


class ReplicaSetDeploys:
    """The deploy timeline of a namespace; fulfils `gameday.ports.DeployLog`.

    A Deployment keeps ten old ReplicaSets by default; what is older is not known any more.
    """

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        *,
        labels: str = SELECTOR,
        full: Callable[[str], str] = lambda version: version,
        version: Version = release,
        names: ServiceNames = SAME_NAMES,
    ) -> None:
        """Remember where.

        Args:
            labels: selector of the Deployments that count; empty: all of the namespace.
            full: returns the revision that a version's name (``main``) stands for.
            version: tells which version a ReplicaSet runs.
            names: what the cluster calls services.
        """
        self._version = version
        self._names = names
        self._cluster = cluster
        self._namespace = namespace
        self._labels = labels
        self._full = full

    async def deploys(self, *, since: datetime, until: datetime) -> Sequence[Deploy]:
        """Return deploys in this span, oldest first."""
        found = await asyncio.to_thread(self._listed)
        return [d for d in found if since <= d.deployed_at <= until]

    def _listed(self) -> Sequence[Deploy]:
        sets = self._cluster.list("replicasets", self._namespace, labels=self._labels)
        deployments = self._cluster.list("deployments", self._namespace, labels=self._labels)
        found = [
            self._deploy(one, deployment, is_live=one is owned[-1])
            for deployment in deployments
            if (owned := rollouts.owned(sets, deployment))
            for one in owned
        ]
        return sorted((d for d in found if d is not None), key=lambda d: d.deployed_at)

    def _deploy(self, replica_set: Object, deployment: Object, *, is_live: bool) -> Deploy | None:
        labels = replica_set["metadata"].get("labels") or {}
        service = self._names.to_ours(_service(labels, deployment))
        version = self._version(service, replica_set)
        if not version:
            return None
        annotations = replica_set["metadata"].get("annotations") or {}
        at = _instant(replica_set["metadata"]["creationTimestamp"])
        if is_live and annotations.get(AGAIN):
            # Made live again by a rollback: it is older than this deploy.
            at = _progressed_at(deployment) or at
        return Deploy(
            service=service,
            revision=self._full(version),
            deployed_at=at,
            region=_region(labels),
            summary=str(
                annotations.get(CAUSE)
                or f"{deployment['metadata']['name']}, revision {rollouts.revision(replica_set)}"
            ),
        )


class ControllerRevisionDeploys:
    """The deploys of StatefulSets and DaemonSets; fulfils `gameday.ports.DeployLog`.

    A rollback makes an old ControllerRevision live again and keeps its age. It is dated by the
    oldest pod that was made from it since something else was live.
    """

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        *,
        labels: str = "",
        version: Version = release,
        names: ServiceNames = SAME_NAMES,
    ) -> None:
        """Remember where.

        Args:
            labels: selector of the workloads that count; empty: all of the namespace.
            version: tells which version a workload's template runs.
            names: what the cluster calls services.
        """
        self._cluster = cluster
        self._namespace = namespace
        self._labels = labels
        self._version = version
        self._names = names

    async def deploys(self, *, since: datetime, until: datetime) -> Sequence[Deploy]:
        """Return deploys in this span, oldest first."""
        found = await asyncio.to_thread(self._listed)
        return [d for d in found if since <= d.deployed_at <= until]

    def _listed(self) -> Sequence[Deploy]:
        workloads = [
            workload
            for kind in ("statefulsets", "daemonsets")
            for workload in self._cluster.list(kind, self._namespace, labels=self._labels)
        ]
        if not workloads:
            return []
        revisions = self._cluster.list("controllerrevisions", self._namespace)
        pods = self._cluster.list("pods", self._namespace, labels=POD_OF)
        found = [
            deploy
            for workload in workloads
            for deploy in self._of(workload, _owned(revisions, workload), pods)
        ]
        return sorted(found, key=lambda deploy: deploy.deployed_at)

    def _of(
        self, workload: Object, owned: Sequence[Object], pods: Sequence[Object]
    ) -> Iterator[Deploy]:
        made = [_instant(one["metadata"]["creationTimestamp"]) for one in owned]
        for position, one in enumerate(owned):
            template = {"spec": (one.get("data") or {}).get("spec") or {}}
            if not template["spec"].get("template"):
                continue
            told = (template["spec"]["template"].get("metadata") or {}).get("labels") or {}
            labels = {**(workload["metadata"].get("labels") or {}), **told}
            service = self._names.to_ours(_service(labels, workload))
            version = self._version(service, template)
            at: datetime | None = made[position]
            if position == len(owned) - 1 and made[position] < max(made):
                at = _began(one, pods, after=max(made))
            if version and at is not None:
                annotations = one["metadata"].get("annotations") or {}
                yield Deploy(
                    service=service,
                    revision=version,
                    deployed_at=at,
                    region=_region(labels),
                    summary=str(
                        annotations.get(CAUSE)
                        or f"{workload['metadata']['name']}, revision {one.get('revision', 0)}"
                    ),
                )


def _owned(revisions: Sequence[Object], workload: Object) -> Sequence[Object]:
    """Return the ControllerRevisions of a workload; the one that is live comes last."""
    uid = workload["metadata"]["uid"]
    mine = [
        one
        for one in revisions
        if any(o.get("uid") == uid for o in one["metadata"].get("ownerReferences") or ())
    ]
    return sorted(mine, key=lambda one: int(one.get("revision", 0)))


def _began(revision: Object, pods: Sequence[Object], *, after: datetime) -> datetime | None:
    """Return when the first pod of a revision was made after an instant; None: there is none."""
    name = str(revision["metadata"]["name"])
    made = [
        _instant(pod["metadata"]["creationTimestamp"])
        for pod in pods
        # The whole name on a StatefulSet's pods, its end on a DaemonSet's.
        if f"-{name}".endswith(f"-{(pod['metadata'].get('labels') or {}).get(POD_OF)}")
    ]
    return min((at for at in made if at >= after), default=None)


def _service(labels: Mapping[str, Any], workload: Object) -> str:
    return _first(labels, SERVICES) or str(workload["metadata"]["name"])


def _region(labels: Mapping[str, Any]) -> str | None:
    region = _first(labels, REGIONS) or None
    return None if region == "global" else region


def _instant(text: object) -> datetime:
    return datetime.fromisoformat(str(text)).astimezone(UTC)


def _first(labels: Mapping[str, Any], keys: Sequence[str]) -> str:
    return next((str(labels[key]) for key in keys if labels.get(key)), "")


def _progressed_at(deployment: Mapping[str, Any]) -> datetime | None:
    conditions = (deployment.get("status") or {}).get("conditions") or ()
    return next(
        (_instant(c["lastUpdateTime"]) for c in conditions if c["type"] == "Progressing"), None
    )
