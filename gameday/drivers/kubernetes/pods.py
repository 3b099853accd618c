"""Pods: which are alive, whose they are, what holds them where they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from gameday.drivers.kubernetes.cluster import Cluster, Object
from gameday.errors import UsageError

MIRROR = "kubernetes.io/config.mirror"

OWNERS = ("deployment", "replicaset", "statefulset", "daemonset", "job", "replicationcontroller")


def full_name(pod: Mapping[str, Any]) -> str:
    """Return ``namespace/name``."""
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def is_alive(pod: Mapping[str, Any]) -> bool:
    """Return whether a pod runs or is about to: neither finished nor being deleted."""
    return not is_finished(pod) and not is_going(pod)


def is_finished(pod: Mapping[str, Any]) -> bool:
    """Return whether all of a pod's containers have ended for good."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def is_going(pod: Mapping[str, Any]) -> bool:
    """Return whether a pod is being deleted already."""
    return bool(pod["metadata"].get("deletionTimestamp"))


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Return whether a pod takes requests."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return is_alive(pod) and any(
        c.get("type") == "Ready" and c.get("status") == "True" for c in conditions
    )


def is_mirror(pod: Mapping[str, Any]) -> bool:
    """Return whether a pod only mirrors one that a kubelet runs from a file."""
    return MIRROR in (pod["metadata"].get("annotations") or {})


def tolerates_cordons(pod: Mapping[str, Any]) -> bool:
    """Return whether a pod may be put onto a cordoned node."""
    return any(
        t.get("key") in (None, "", "node.kubernetes.io/unschedulable")
        and (t.get("key") or t.get("operator") == "Exists")
        and t.get("effect") in (None, "", "NoSchedule")
        for t in (pod.get("spec") or {}).get("tolerations") or ()
    )


def controller(thing: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return (kind, name) of what controls an object, None where nothing does."""
    for owner in thing["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return str(owner["kind"]), str(owner["name"])
    return None


def empty_dirs(pod: Mapping[str, Any]) -> Sequence[str]:
    """Return the volumes whose content ends with the pod; may be empty."""
    volumes = (pod.get("spec") or {}).get("volumes") or ()
    return [str(v["name"]) for v in volumes if "emptyDir" in v]


def select(
    cluster: Cluster, namespace: str, *, selector: str = "", name: str = "", owner: str = ""
) -> Sequence[Object]:
    """Return the living pods of a namespace that fit everything that is given, by name.

    Args:
        selector: of labels, as kubectl takes it.
        name: of the pod, or a shell pattern.
        owner: ``deployment/checkout``, ``statefulset/db`` …

    Raises:
        UsageError: nothing is given, or the owner is not written like that.
    """
    if not (selector or name or owner):
        raise UsageError(
            "say which pods are meant: give a selector, a name or an owner; all pods of a namespace"
            " are meant by name: '*'"
        )
    found = [p for p in cluster.list("pods", namespace, labels=selector) if is_alive(p)]
    if name:
        found = [p for p in found if fnmatchcase(p["metadata"]["name"], name)]
    if owner:
        kind, slash, owner_name = owner.lower().partition("/")
        if not slash or kind not in OWNERS or not owner_name:
            raise UsageError(
                f"{owner!r} is no owner: write KIND/NAME, for one deployment/web (kinds:"
                f" {', '.join(OWNERS)})"
            )
        found = _owned(cluster, namespace, found, kind, owner_name)
    return sorted(found, key=lambda p: str(p["metadata"]["name"]))


def _owned(
    cluster: Cluster, namespace: str, pods: Sequence[Object], kind: str, name: str
) -> list[Object]:
    if kind != "deployment":
        return [p for p in pods if _is(controller(p), kind, name)]
    # A Deployment controls ReplicaSets, and they the pods.
    sets = {
        str(s["metadata"]["name"])
        for s in cluster.list("replicasets", namespace)
        if _is(controller(s), "deployment", name)
    }
    return [p for p in pods if (c := controller(p)) and c[0] == "ReplicaSet" and c[1] in sets]


def _is(found: tuple[str, str] | None, kind: str, name: str) -> bool:
    return found is not None and (found[0].lower(), found[1]) == (kind, name)
