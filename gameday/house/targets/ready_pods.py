"""Whether the pods of a cluster are back that a fault took away."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # The client library takes a moment to load, and most systems need none.
    from gameday.drivers.kubernetes import Cluster

__all__ = ["pods_back"]


def pods_back(
    cluster: Cluster, namespaces: Sequence[str], *, labels: str = ""
) -> Callable[[timedelta], bool]:
    """Return what waits until as many pods of each Deployment are ready as are now.

    Args:
        labels: selector of the Deployments that count; empty: all of them.
    """

    from gameday.drivers.kubernetes import rollouts

    def ready() -> dict[tuple[str, str], int]:
        return {
            (namespace, d["metadata"]["name"]): rollouts.available(d)
            for namespace in namespaces
            for d in cluster.list("deployments", namespace, labels=labels)
        }

    before = ready()

    def are_back(within: timedelta) -> bool:
        ends = time.monotonic() + within.total_seconds()
        while True:
            now = ready()
            if all(now.get(name, 0) >= number for name, number in before.items()):
                return True
            if time.monotonic() >= ends:
                return False
            time.sleep(rollouts.LOOK_EVERY.total_seconds())

    return are_back
