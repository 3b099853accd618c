"""Owners of pods: what makes them, whom that belongs to, and how many it wants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from gameday.drivers.kubernetes.cluster import Cluster
from gameday.drivers.kubernetes.pods import controller
from gameday.errors import PermanentDriverError

__all__ = ["PodOwner", "owners_of", "stopped_by"]

SCALED = ("Deployment", "ReplicaSet", "ReplicationController", "StatefulSet")


@dataclass(frozen=True, slots=True)
class PodOwner:
    """What makes pods.

    Attributes:
        kind: as pods name their controller: ReplicaSet, StatefulSet …
        name: of it.
        of: (kind, name) of what controls it; the same where nothing does.
        wants: how many pods it wants.
    """

    kind: str
    name: str
    of: tuple[str, str]
    wants: int


def owners_of(cluster: Cluster, namespace: str) -> Iterator[PodOwner]:
    """Yield the ReplicaSets and StatefulSets of a namespace, as far as they may be read.

    Raises:
        TemporaryDriverError: the API server does not answer.
    """
    for resource, kind in (("replicasets", "ReplicaSet"), ("statefulsets", "StatefulSet")):
        with suppress(PermanentDriverError):
            for found in cluster.list(resource, namespace):
                name = str(found["metadata"]["name"])
                yield PodOwner(kind, name, controller(found) or (kind, name), _wanted(found))


def _wanted(found: Mapping[str, Any]) -> int:
    wanted = (found.get("spec") or {}).get("replicas")
    return 1 if wanted is None else int(wanted)


def stopped_by(kind: str, namespace: str, name: str) -> str:
    """Return the command with which its people stop an owner of pods; empty: none is known."""
    if kind in SCALED:
        return f"kubectl -n {namespace} scale {kind.lower()}/{name} --replicas=0"
    return ""
