"""A book of the pods of a cluster: what happened to each since it was opened, added up by owner.

Instants are seconds of whatever clock the caller has, by when something was heard: a pod's own
creation time is another machine's word.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from gameday.drivers.kubernetes.changes import WatchEvent, WatchEventType
from gameday.drivers.kubernetes.cluster import Object
from gameday.drivers.kubernetes.owners import PodOwner, stopped_by
from gameday.drivers.kubernetes.pods import controller
from gameday.model.effects import MADE_WITHIN, OwnerEffects

__all__ = ["PodBook"]

STARTS_WITHIN = timedelta(seconds=30)
"""A pod that has a place and does not start for longer than this waits as well; most start in a few
seconds, one that has to fetch its image in some more."""

BY_THE_CLUSTER = ("DeletionByTaintManager", "PreemptionByScheduler", "TerminationByKubelet")
"""Reasons of the condition DisruptionTarget that are no eviction anybody asked for (since 1.25)."""

Key = tuple[str, str, str]
"""Namespace, kind, name."""


@dataclass(frozen=True, slots=True)
class _State:
    """How a pod is, as far as it matters here."""

    is_controlled: bool
    restarts: int
    phase: str
    is_evicted: bool
    finds_no_place: bool
    is_leaving: bool  # being deleted, or gone

    @property
    def lives(self) -> bool:
        return not self.is_leaving and self.phase not in ("Succeeded", "Failed")


@dataclass(slots=True)
class _Pod:
    """What is known of one pod.

    Attributes:
        owner: what made it; None: nothing that is known.
        made_for: name of what made it, as controllers write it into the pod.
        made_at: None: it was there when the book was opened.
        before: how it was when it was first seen.
    """

    name: str
    namespace: str
    owner: tuple[str, str] | None
    made_for: str
    made_at: float | None
    before: _State
    now: _State
    restarted_at: float | None = None

    @property
    def is_useless(self) -> bool:
        """Whether it was made since, and is there, and its owner has nothing of it."""
        of_a_job = self.owner is not None and self.owner[0] == "Job"
        is_failed = self.now.phase == "Failed" and not (self.now.is_leaving or of_a_job)
        return self.made_at is not None and (
            is_failed or (self.now.lives and not self.now.is_controlled)
        )

    def is_waiting(self, now: float) -> bool:
        if self.made_at is None or not self.now.lives or self.now.phase not in ("", "Pending"):
            return False
        return self.now.finds_no_place or now - self.made_at > STARTS_WITHIN.total_seconds()


class PodBook:
    """What happened to pods since the first listing that was heard."""

    def __init__(self) -> None:
        """Open it; nothing is known yet."""
        self._pods: dict[str, _Pod] = {}
        self._touched: dict[str, _Pod] = {}
        self._owners: dict[Key, PodOwner] = {}
        self._makers: dict[tuple[str, str], str] = {}
        self._moving: set[str] = set()
        self._is_open = False

    def hear(self, change: WatchEvent, now: float) -> None:
        """Note what a watch or a list tells."""
        for pod in change.objects:
            self._note(pod, now, is_gone=change.kind is WatchEventType.DELETED)
        if change.kind is WatchEventType.LISTED:
            there = {str(pod["metadata"]["uid"]) for pod in change.objects}
            for uid, known in self._pods.items():
                if uid not in there and not known.now.is_leaving:
                    self._become(uid, replace(known.now, is_leaving=True), now)
            self._is_open = True

    def know(self, namespace: str, owners: Iterable[PodOwner]) -> None:
        """Take over what the owners of a namespace want now."""
        for owner in owners:
            self._owners[(namespace, owner.kind, owner.name)] = owner
            self._makers[(namespace, owner.name)] = owner.kind

    def moving(self) -> set[str]:
        """Return the namespaces in which pods were made since this was last asked."""
        moving, self._moving = self._moving, set()
        return moving

    def effects(self, now: float) -> Sequence[OwnerEffects]:
        """Return what each owner has done since, of those that have done anything."""
        did: dict[Key, list[_Pod]] = {}
        for pod in self._touched.values():
            key = self._key(pod)
            if key is not None:
                did.setdefault(key, []).append(pod)
        before = self._before(did) if did else {}
        return [self._added_up(key, pods, before.get(key, 0), now) for key, pods in did.items()]

    # --- one pod ------------------------------------------------------------------------------

    def _note(self, pod: Object, now: float, *, is_gone: bool) -> None:
        metadata, status = pod["metadata"], pod.get("status") or {}
        uid = str(metadata["uid"])
        state = _State(
            is_controlled=controller(pod) is not None,
            restarts=_restarts(status),
            phase=str(status.get("phase", "")),
            is_evicted=_is_evicted(status),
            finds_no_place=_finds_no_place(status),
            is_leaving=is_gone or bool(metadata.get("deletionTimestamp")),
        )
        if uid in self._pods:
            self._become(uid, state, now)
            return
        known = self._pods[uid] = _Pod(
            name=str(metadata["name"]),
            namespace=str(metadata.get("namespace", "")),
            owner=controller(pod),
            made_for=str(metadata.get("generateName", "")).removesuffix("-"),
            made_at=now if self._is_open else None,
            before=replace(state, restarts=0, is_evicted=False) if self._is_open else state,
            now=state,
        )
        if known.owner is not None:
            self._makers.setdefault((known.namespace, known.owner[1]), known.owner[0])
        if self._is_open:
            self._touched[uid] = known
            self._moving.add(known.namespace)

    def _become(self, uid: str, state: _State, now: float) -> None:
        known = self._pods[uid]
        if state == known.now:
            return  # listed anew, or changed in what does not matter here
        if state.restarts > known.now.restarts and known.restarted_at is None:
            known.restarted_at = now
        known.now = state
        self._touched[uid] = known

    # --- owners -------------------------------------------------------------------------------

    def _key(self, pod: _Pod) -> Key | None:
        """Return whose pod it is, at the top; None where nothing is known to have made it."""
        made_by = pod.owner
        if made_by is None:
            # Let go of before it was first seen. Its maker wrote its own name into it.
            kind = self._makers.get((pod.namespace, pod.made_for))
            if kind is None:
                return None
            made_by = (kind, pod.made_for)
        owner = self._owners.get((pod.namespace, *made_by))
        return (pod.namespace, *(owner.of if owner else made_by))

    def _before(self, keys: Iterable[Key]) -> Mapping[Key, int]:
        wanted = dict.fromkeys(keys, 0)
        for pod in self._pods.values():
            if pod.made_at is not None or not pod.before.lives:
                continue
            key = self._key(pod)
            if key in wanted:
                wanted[key] += 1
        return wanted

    def _wants(self, key: Key) -> int | None:
        namespace, kind, name = key
        wants = [
            owner.wants
            for (where, _, _), owner in self._owners.items()
            if where == namespace and owner.of == (kind, name)
        ]
        return sum(wants) if wants else None

    def _added_up(self, key: Key, pods: Sequence[_Pod], before: int, now: float) -> OwnerEffects:
        namespace, kind, name = key
        made = [
            p.made_at
            for p in pods
            if p.made_at is not None
            and p.now.phase != "Succeeded"
            and now - p.made_at <= MADE_WITHIN.total_seconds()
        ]
        useless = [p for p in pods if p.is_useless]
        useless_at = [p.made_at for p in useless if p.made_at is not None]
        restarted = [p.restarted_at for p in pods if p.restarted_at is not None]
        return OwnerEffects(
            owner=f"{kind} {namespace}/{name}",
            wants=self._wants(key),
            before=before,
            made=len(made),
            made_s=now - min(made, default=now),
            made_in_all=sum(p.made_at is not None for p in pods),
            useless_pods=tuple(sorted(f"{p.namespace}/{p.name}" for p in useless)),
            useless_s=now - min(useless_at, default=now),
            restarts=sum(p.now.restarts - p.before.restarts for p in pods),
            restarts_s=now - min(restarted, default=now),
            evicted=sum(p.now.is_evicted and not p.before.is_evicted for p in pods),
            waiting=sum(p.is_waiting(now) for p in pods),
            gone=sum(p.now.is_leaving and not p.before.is_leaving for p in pods),
            stopped_by=stopped_by(kind, namespace, name),
        )


def _containers(status: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for field in ("containerStatuses", "initContainerStatuses"):
        yield from status.get(field) or ()


def _restarts(status: Mapping[str, Any]) -> int:
    return sum(int(c.get("restartCount") or 0) for c in _containers(status))


def _conditions(status: Mapping[str, Any], type: str) -> Iterator[Mapping[str, Any]]:
    return (c for c in status.get("conditions") or () if c.get("type") == type)


def _is_evicted(status: Mapping[str, Any]) -> bool:
    """Return whether the cluster itself took a pod away."""
    if status.get("phase") == "Failed" and status.get("reason") == "Evicted":
        return True
    return any(
        c.get("status") == "True" and c.get("reason") in BY_THE_CLUSTER
        for c in _conditions(status, "DisruptionTarget")
    )


def _finds_no_place(status: Mapping[str, Any]) -> bool:
    return any(
        c.get("status") == "False" and c.get("reason") == "Unschedulable"
        for c in _conditions(status, "PodScheduled")
    )
