"""What a drill sets off, as a test wants it: told in advance, or made on a simulated API server."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gameday.errors import DriverError
from gameday.model.effects import OwnerEffects
from gameday.testing.kubernetes import Object, SimulatedApi

__all__ = ["LosingOwner", "ToldEffects"]


class ToldEffects:
    """Says what it is told to say; fulfils `gameday.ports.EffectSource`.

    Attributes:
        tell: returns what is seen now, or raises.
        calls: what was asked of it.
    """

    def __init__(self, tell: Callable[[], Sequence[OwnerEffects]] = tuple) -> None:
        self.tell = tell
        self.calls: list[str] = []
        self.begins_with: DriverError | None = None

    async def begin(self) -> None:
        """Note that it begins."""
        self.calls.append("begin")
        if self.begins_with is not None:
            raise self.begins_with

    def seen(self) -> Sequence[OwnerEffects]:
        """Return what it is told to."""
        return self.tell()

    async def end(self) -> None:
        """Note that it ends."""
        self.calls.append("end")


class LosingOwner:
    """A Deployment that makes pods without end: whatever it makes is relabelled when it is bound.

    So does the API server since Kubernetes 1.35 with ``topology.kubernetes.io/region``: a pod that
    was selected by it matches no longer, its ReplicaSet lets it go and makes another.
    """

    def __init__(self, api: SimulatedApi, *, name: str = "orders", replicas: int = 2) -> None:
        """Put the Deployment, its ReplicaSet and its pods there, all well as yet."""
        self.made = 0
        self._api = api
        self._name = f"{name}-7c9f"
        owner = {"kind": "Deployment", "name": name, "controller": True}
        api.put("deployments", name, api.namespace, spec={"replicas": replicas})
        api.put(
            "replicasets",
            self._name,
            api.namespace,
            metadata={"ownerReferences": [owner]},
            spec={"replicas": replicas},
        )
        for number in range(replicas):
            api.pod(f"{self._name}-{number}", owner=("ReplicaSet", self._name))

    def lose(self, times: int = 1, *, is_let_go_first: bool = False) -> None:
        """Make a pod and lose it, so many times.

        Args:
            is_let_go_first: whether a watch sees the pod only when it is nobody's any more.
        """
        for _ in range(times):
            self.made += 1
            name = f"{self._name}-x{self.made}"
            owner = {"kind": "ReplicaSet", "name": self._name, "controller": True}
            meta: Object = {"generateName": f"{self._name}-", "labels": {"app": "books"}}
            owners: Object = {} if is_let_go_first else {"ownerReferences": [owner]}
            running = {"phase": "Running"}
            self._api.put(
                "pods", name, self._api.namespace, metadata={**meta, **owners}, status=running
            )
            gone = {"metadata": {"labels": {"app": "other"}, "ownerReferences": None}}
            self._api.edit("pods", name, self._api.namespace, gone, "replicaset-controller")
