"""A workload on a real cluster that makes pods without end once its pods have to move."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from gameday.drivers.kubernetes import Cluster

REGION = "topology.kubernetes.io/region"
NAME = "fickle"
AT_MOST = 90
"""Pods beside the shop's that a test lets come, whatever gameday does or fails to do."""

LOOK_EVERY_S = 0.2
SLOWLY_S = 0.4
"""Between two pods that somebody relabels: on this machine others work as well."""

NOTICED_BY, MORE_SLOWLY_S = 15, 1.0
"""From so many on: there must be room for more until the drill has been taken back."""


class Multiplying:
    """A Deployment of two in one region, whose pods prefer that region, and what befalls them.

    Somebody writes over the label it selects them by: the API server itself where it is the
    region's (since Kubernetes 1.35), else a thread of ours that does the same. Each pod that no
    longer matches is let go, and another is made.
    """

    def __init__(self, cluster: Cluster, live: Any, region: str, *, for_good: bool) -> None:
        """Put it there, all well as yet.

        Args:
            for_good: whether every new pod is lost, also those in the region.
        """
        self._cluster = cluster
        self._region = region
        self._for_good = for_good
        self._stop = threading.Event()
        self._kept: set[str] = set()
        key = "who" if for_good else REGION
        self._key = key
        labels = {key: region, "app": NAME}
        term = {"matchExpressions": [{"key": REGION, "operator": "In", "values": [region]}]}
        preferred = [{"weight": 100, "preference": term}]
        cluster.create(
            "resourcequotas",
            {"metadata": {"name": NAME}, "spec": {"hard": {"pods": str(self._there() + AT_MOST)}}},
            "shop",
        )
        template = {
            "metadata": {"labels": labels},
            "spec": {
                "terminationGracePeriodSeconds": 1,
                "affinity": {
                    "nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}
                },
                "containers": [
                    {
                        "name": NAME,
                        "image": live.image,
                        "resources": {"requests": {"cpu": "1m", "memory": "4Mi"}},
                    }
                ],
            },
        }
        spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
        cluster.create("deployments", {"metadata": {"name": NAME}, "spec": spec}, "shop")

    def _there(self) -> int:
        return len(self._cluster.list("pods", "shop"))

    def pods(self) -> Sequence[Mapping[str, Any]]:
        """Return its pods, also those that it has let go."""
        return self._cluster.list("pods", "shop", labels=f"app={NAME}")

    def let_go(self) -> Sequence[Mapping[str, Any]]:
        """Return the pods that it has let go."""
        return [p for p in self.pods() if not p["metadata"].get("ownerReferences")]

    def is_well(self) -> bool:
        """Return whether it has the two pods that it wants, in its region, and no other."""
        places = [p["spec"].get("nodeName") for p in self.pods()]
        nodes = {
            n["metadata"]["name"]
            for n in self._cluster.list("nodes", labels=f"{REGION}={self._region}")
        }
        return len(places) == 2 and all(place in nodes for place in places)

    def begin(self) -> None:
        """Begin to write over the label of every pod that comes from now on."""
        self._kept = {str(p["metadata"]["uid"]) for p in self.pods()}
        threading.Thread(target=self._relabel, daemon=True).start()

    def _relabel(self) -> None:
        lost = 0
        while not self._stop.wait(LOOK_EVERY_S):
            for pod in self.pods():
                meta = pod["metadata"]
                node = pod["spec"].get("nodeName")
                if not node or meta["uid"] in self._kept or meta.get("deletionTimestamp"):
                    continue
                self._kept.add(str(meta["uid"]))
                found = self._cluster.get("nodes", node) or {"metadata": {"labels": {}}}
                there = found["metadata"]["labels"].get(REGION, "")
                value = "somebody-else" if self._for_good else there
                if meta["labels"].get(self._key) != value:
                    patch = {"metadata": {"labels": {self._key: value}}}
                    self._cluster.patch("pods", meta["name"], "shop", patch, manager="somebody")
                    lost += 1
                    self._stop.wait(SLOWLY_S if lost < NOTICED_BY else MORE_SLOWLY_S)

    def end(self, wait: Callable[..., None]) -> None:
        """Take all of it away."""
        self._stop.set()
        self._cluster.delete("deployments", NAME, "shop", propagation="Foreground")
        wait(lambda: self._cluster.get("deployments", NAME, "shop") is None, "the Deployment ends")
        for pod in self.pods():
            self._cluster.delete("pods", pod["metadata"]["name"], "shop", grace_period_s=0)
        self._cluster.delete("resourcequotas", NAME, "shop")
        wait(lambda: not self.pods(), "its pods end")


def made_at(pod: Mapping[str, Any]) -> datetime:
    """Return when a pod was made, to the second, by the API server."""
    text = str(pod["metadata"]["creationTimestamp"])
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)
