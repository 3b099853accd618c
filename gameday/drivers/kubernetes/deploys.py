"""What went live when, out of ReplicaSets: each revision of a Deployment leaves one behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from gameday.drivers.kubernetes import rollouts
from gameday.drivers.kubernetes.cluster import Cluster, Object
from gameday.model.shop import REGION, SELECTOR, SERVICE
from gameday.model.signals import Deploy

__all__ = ["ReplicaSetDeploys"]

SERVICES = (SERVICE, "app.kubernetes.io/name")
REGIONS = (REGION, "topology.kubernetes.io/region")
"""Labels that name a deploy's service and region, first come first: ours, then those under which
anybody's Deployments say so. On ReplicaSets they are what was written; only pods are relabelled."""

AGAIN = "deployment.kubernetes.io/revision-history"
CAUSE = "kubernetes.io/change-cause"


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
    ) -> None:
        """Remember where.

        Args:
            labels: selector of the Deployments that count; empty: all of the namespace.
            full: returns the revision that a version's name (``main``) stands for.
        """
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
            _deploy(one, deployment, is_live=one is owned[-1], full=self._full)
            for deployment in deployments
            if (owned := rollouts.owned(sets, deployment))
            for one in owned
        ]
        return sorted((d for d in found if d is not None), key=lambda d: d.deployed_at)


def _deploy(
    replica_set: Object, deployment: Object, *, is_live: bool, full: Callable[[str], str]
) -> Deploy | None:
    metadata = replica_set["metadata"]
    labels = metadata.get("labels") or {}
    version = rollouts.release(replica_set)
    if not version:
        return None
    annotations = metadata.get("annotations") or {}
    at = metadata["creationTimestamp"]
    if is_live and annotations.get(AGAIN):
        # Made live again by a rollback: it is older than this deploy.
        at = _progressed_at(deployment) or at
    region = _first(labels, REGIONS) or None
    return Deploy(
        service=_first(labels, SERVICES) or str(deployment["metadata"]["name"]),
        revision=full(version),
        deployed_at=datetime.fromisoformat(str(at).replace("Z", "+00:00")),
        region=None if region == "global" else region,
        summary=str(
            annotations.get(CAUSE)
            or f"{deployment['metadata']['name']}, revision {rollouts.revision(replica_set)}"
        ),
    )


def _first(labels: Mapping[str, Any], keys: Sequence[str]) -> str:
    return next((str(labels[key]) for key in keys if labels.get(key)), "")


def _progressed_at(deployment: Mapping[str, Any]) -> str | None:
    conditions = (deployment.get("status") or {}).get("conditions") or ()
    return next((str(c["lastUpdateTime"]) for c in conditions if c["type"] == "Progressing"), None)
