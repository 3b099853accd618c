"""Evictions: deletions that disruption budgets may forbid for a while."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any

from gameday.drivers.kubernetes.cluster import Cluster, Object
from gameday.drivers.kubernetes.refusals import ClusterRequest, is_ending, reason
from gameday.drivers.kubernetes.transport import Answer
from gameday.errors import PermanentDriverError

TIMEOUT = timedelta(seconds=30)
"""The server itself waits up to 10 s while evictions under one budget get in each other's way."""


class EvictionOutcome(Enum):
    """What became of an eviction."""

    ACCEPTED = "accepted"
    GONE = "gone"
    BLOCKED = "blocked"  # by a disruption budget; later it may be allowed
    IMPOSSIBLE = "impossible"


@dataclass(frozen=True, slots=True)
class Eviction:
    """The answer to an eviction.

    Attributes:
        reason: why not; names the disruption budget where the server does.
    """

    outcome: EvictionOutcome
    reason: str = ""


def evict(cluster: Cluster, pod: Object, *, grace_period_s: int | None = None) -> Eviction:
    """Ask the server to evict a pod, respecting every disruption budget; once.

    Raises:
        DriverError: it may not be asked, or does not answer.
    """
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    uid = str(pod["metadata"].get("uid", ""))
    version = cluster.eviction_version()
    if version is None:
        raise PermanentDriverError(f"the cluster {cluster.context!r} offers no evictions")
    options: Object = {"preconditions": {"uid": uid}} if uid else {}
    if grace_period_s is not None:
        options["gracePeriodSeconds"] = grace_period_s
    body = {
        "apiVersion": version,
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": namespace},
        "deleteOptions": options,
    }
    request = ClusterRequest("create", "pods/eviction", namespace, name)
    path = cluster.resource("pods").path(namespace, name, "eviction")
    answer = cluster.send(
        request, "POST", path, body=body, is_final=_is_about_budgets, timeout=TIMEOUT
    )
    if answer.status < 300:
        return Eviction(EvictionOutcome.ACCEPTED)
    said = reason(answer.body)
    words = _budget_words(said)
    match answer.status:
        case 404:
            return Eviction(EvictionOutcome.GONE)
        case 403 if is_ending(said):
            # No right is missing: the pod goes with its namespace, and nothing is made there.
            return Eviction(EvictionOutcome.BLOCKED, "its namespace is being deleted")
        case 409:
            current = cluster.get("pods", name, namespace)
            if current is None or current["metadata"].get("uid") != uid:
                return Eviction(EvictionOutcome.GONE)
            return Eviction(EvictionOutcome.BLOCKED, words)
        case 429:
            return Eviction(EvictionOutcome.BLOCKED, words)
        case 500:
            return Eviction(EvictionOutcome.IMPOSSIBLE, words)
    raise cluster.refused(answer, request)


def _is_about_budgets(answer: Answer) -> bool:
    """Return whether a no to an eviction comes from disruption budgets, not from a busy server."""
    if answer.status not in (429, 500):
        return False
    said = reason(answer.body)
    causes = (said.get("details") or {}).get("causes") or ()
    if answer.status == 429:
        return any(c.get("reason") == "DisruptionBudget" for c in causes) or (
            "disruption budget" in str(said.get("message"))
        )
    return "PodDisruptionBudget" in str(said.get("message"))


def _budget_words(status: Mapping[str, Any]) -> str:
    """Return why an eviction was refused; the cause names the budget where the server does."""
    causes = (status.get("details") or {}).get("causes") or ()
    told = [str(c["message"]) for c in causes if c.get("message")]
    return "; ".join(told) or str(status.get("message") or "no reason given")
