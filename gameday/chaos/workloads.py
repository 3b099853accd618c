"""Workloads that are scaled to nothing, or get a bad version; and come back.

Both are one patch, which writes the fault's mark and what was there before as well. Recovery takes
back the changed field alone, and only where it still holds what the fault wrote.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from chaoslib.exceptions import ActivityFailed

from gameday.chaos.clusters import MARK, Touched, opened, opened_for_fault, touched
from gameday.drivers.kubernetes import Cluster, marks, pods
from gameday.drivers.kubernetes.cluster import Object
from gameday.errors import PermanentDriverError, UsageError

__all__ = [
    "change_is_live",
    "change_touches",
    "change_workload",
    "recover_change",
    "recover_scale",
    "scale_to_zero",
    "scale_touches",
    "workload_is_scaled_down",
    "workload_is_untouched",
]

SCALE = "scale-to-zero"
CHANGE = "bad-deploy"
BEFORE = "gameday.dev/before"
"""Annotation that holds what a bad version replaced: no label could."""

KINDS = {"deployment": "deployments", "statefulset": "statefulsets"}


def scale_to_zero(
    namespace: str,
    workload: str,
    at_most: str | float = "100%",
    mark: str = MARK,
    context: str | None = None,
    kubeconfig: str | None = None,
) -> dict[str, Any]:
    """Let a workload ask for no pods; return how many it asked for before.

    Args:
        workload: ``deployment/inventory`` or ``statefulset/db``.
    """
    with opened_for_fault(context, kubeconfig, mark, namespace) as cluster:
        resource, name = _place(workload)
        _touched(cluster, namespace, workload).check(at_most)

        def make(found: Object) -> Object | None:
            marks.check_free(found, mark, f"{workload!r} in {namespace!r}")
            if is_in_place(found, mark):
                return None  # this very request, sent again because its answer was lost
            before = _replicas(found)
            if before == 0:
                raise PermanentDriverError(
                    f"{workload!r} in {namespace!r} asks for no pods already; nothing was changed"
                )
            labels = marks.labels(mark, SCALE, **{"replicas-before": str(before)})
            return {"metadata": {"labels": labels}, "spec": {"replicas": 0}}

        after = cluster.change(resource, name, namespace, make, manager=mark)
        return {"workload": workload, "replicas_before": _before(_there(after, workload))}


def recover_scale(
    namespace: str,
    workload: str,
    mark: str = MARK,
    context: str | None = None,
    kubeconfig: str | None = None,
) -> bool:
    """Let it ask for as many pods as before, if it still asks for none; return whether it did."""
    with opened(context, kubeconfig, is_fenced=False) as cluster:
        return restore(cluster, *_place(workload), namespace, mark)


def workload_is_scaled_down(
    namespace: str,
    workload: str,
    mark: str = MARK,
    context: str | None = None,
    kubeconfig: str | None = None,
) -> bool:
    """Return whether this fault's zero is still what the workload asks for."""
    return _is_in_place(namespace, workload, mark, context, kubeconfig)


def scale_touches(
    namespace: str,
    workload: str,
    context: str | None = None,
    kubeconfig: str | None = None,
    **_: Any,
) -> Touched:
    """Return the blast radius that `scale_to_zero` would have now."""
    with opened_for_fault(context, kubeconfig, MARK, namespace) as cluster:
        return _touched(cluster, namespace, workload)


def change_workload(
    namespace: str,
    workload: str,
    image: str = "",
    env: str = "",
    container: str = "",
    at_most: str | float = "100%",
    mark: str = MARK,
    context: str | None = None,
    kubeconfig: str | None = None,
) -> dict[str, Any]:
    """Put a bad version of a workload live: another image, or another value of one variable.

    Args:
        image: with its tag; or ``:TAG``, which keeps the name.
        env: ``NAME=value`` instead.
        container: which one; may be left out where there is only one.
    """
    if bool(image) == bool(env):
        raise ActivityFailed("give either an image or env: one change is one fault")
    with opened_for_fault(context, kubeconfig, mark, namespace) as cluster:
        resource, name = _place(workload)
        _touched(cluster, namespace, workload).check(at_most)
        done: dict[str, Any] = {}

        def make(found: Object) -> Object | None:
            marks.check_free(found, mark, f"{workload!r} in {namespace!r}")
            if is_in_place(found, mark):
                return None  # this very request, sent again because its answer was lost
            target = _container(found, container, workload)
            change = _image_change(target, image) if image else _env_change(target, env)
            if change["before"] == change["after"]:
                raise PermanentDriverError(
                    f"{workload!r} has {image or env!r} already: that would be no change"
                )
            done.update(change)
            return {
                "metadata": {
                    "labels": marks.labels(mark, CHANGE, ours=_digest(change["after"])),
                    "annotations": {
                        BEFORE: json.dumps({k: v for k, v in change.items() if k != "after"})
                    },
                },
                **_with(found, change, change["after"]),
            }

        _there(cluster.change(resource, name, namespace, make, manager=mark), workload)
        return {"workload": workload, **done}


def recover_change(
    namespace: str,
    workload: str,
    mark: str = MARK,
    context: str | None = None,
    kubeconfig: str | None = None,
) -> bool:
    """Put back what was live before, if the bad version still is; return whether it was."""
    with opened(context, kubeconfig, is_fenced=False) as cluster:
        return restore(cluster, *_place(workload), namespace, mark)


def change_is_live(
    namespace: str,
    workload: str,
    mark: str = MARK,
    context: str | None = None,
    kubeconfig: str | None = None,
) -> bool:
    """Return whether this fault's version is still what the workload asks for."""
    return _is_in_place(namespace, workload, mark, context, kubeconfig)


def change_touches(
    namespace: str,
    workload: str,
    context: str | None = None,
    kubeconfig: str | None = None,
    **_: Any,
) -> Touched:
    """Return the blast radius that `change_workload` would have now: all of the workload's pods."""
    return scale_touches(namespace, workload, context, kubeconfig)


def workload_is_untouched(
    namespace: str,
    workload: str,
    ignore: str = "",
    context: str | None = None,
    kubeconfig: str | None = None,
) -> bool:
    """Return whether the workload asks for pods and bears no fault's mark.

    Args:
        ignore: a mark that does not count, nor what its fault did.
    """
    with opened(context, kubeconfig) as cluster:
        cluster.fences.check_namespaces([namespace])
        resource, name = _place(workload)
        found = _there(cluster.get(resource, name, namespace), workload)
        if ignore and marks.mark_of(found) == ignore:
            return True
        return not marks.mark_of(found) and _replicas(found) > 0


# --- taking back ---------------------------------------------------------------------------------


def restore(cluster: Cluster, resource: str, name: str, namespace: str, mark: str) -> bool:
    """Take back what a fault of this mark changed on a workload, and the mark itself.

    Returns:
        Whether it was still in place. May be repeated.
    """
    marks.checked(mark)
    was_ours = False

    def make(found: Object) -> Object | None:
        nonlocal was_ours
        if marks.mark_of(found) != mark:
            return None
        was_ours = is_in_place(found, mark)
        patch: Object = {"metadata": {"labels": marks.unlabelled(found)}}
        annotations = found["metadata"].get("annotations") or {}
        if BEFORE in annotations:
            patch["metadata"]["annotations"] = {BEFORE: None}
        if was_ours and marks.label_of(found, "fault") == SCALE:
            patch["spec"] = {"replicas": _before(found)}
        elif was_ours:
            change = json.loads(annotations[BEFORE])
            patch.update(_with(found, change, change["before"]))
        return patch

    cluster.change(resource, name, namespace, make)
    return was_ours


def is_in_place(found: Object, mark: str) -> bool:
    """Return whether a workload still holds what the fault of this mark wrote."""
    if marks.mark_of(found) != mark:
        return False
    if marks.label_of(found, "fault") == SCALE:
        return _replicas(found) == 0
    written = (found["metadata"].get("annotations") or {}).get(BEFORE)
    if written is None:
        return False  # `kubectl rollout undo` takes the annotation along: ours is not live
    change = json.loads(written)
    return _digest(_value(found, change)) == marks.label_of(found, "ours")


def _is_in_place(
    namespace: str, workload: str, mark: str, context: str | None, kubeconfig: str | None
) -> bool:
    with opened(context, kubeconfig, is_fenced=False) as cluster:
        resource, name = _place(workload)
        found = cluster.get(resource, name, namespace)
        return found is not None and is_in_place(found, mark)


# --- how -----------------------------------------------------------------------------------------


def _place(workload: str) -> tuple[str, str]:
    kind, _slash, name = workload.partition("/")
    if kind.lower() not in KINDS or not name:
        raise UsageError(f"{workload!r} is no workload: write deployment/NAME or statefulset/NAME")
    return KINDS[kind.lower()], name


def _there(found: Object | None, workload: str) -> Object:
    if found is None:
        raise PermanentDriverError(f"there is no {workload!r}; nothing was changed")
    return found


def _touched(cluster: Cluster, namespace: str, workload: str) -> Touched:
    resource, name = _place(workload)
    _there(cluster.get(resource, name, namespace), workload)
    return touched(cluster, namespace, pods.select(cluster, namespace, owner=workload))


def _replicas(found: Object) -> int:
    replicas = (found.get("spec") or {}).get("replicas")
    return 1 if replicas is None else int(replicas)


def _before(found: Object) -> int:
    return int(marks.label_of(found, "replicas-before") or 1)


def _container(found: Object, wanted: str, workload: str) -> Mapping[str, Any]:
    containers = found["spec"]["template"]["spec"]["containers"]
    fitting = [c for c in containers if not wanted or c["name"] == wanted]
    if len(fitting) != 1:
        names = ", ".join(str(c["name"]) for c in containers)
        raise UsageError(f"say which container of {workload!r} is meant: {names}")
    container: Mapping[str, Any] = fitting[0]
    return container


def _image_change(container: Mapping[str, Any], image: str) -> dict[str, Any]:
    before = str(container["image"])
    if image.startswith(":"):
        name = before.partition("@")[0]
        path, slash, last = name.rpartition("/")
        image = f"{path}{slash}{last.partition(':')[0]}{image}"
    return {"container": container["name"], "field": "image", "before": before, "after": image}


def _env_change(container: Mapping[str, Any], env: str) -> dict[str, Any]:
    name, equals, value = env.partition("=")
    if not equals or not name:
        raise UsageError(f"{env!r} is no variable: write NAME=value")
    before = next((e for e in container.get("env") or () if e["name"] == name), None)
    after = {"name": name, "value": value}
    return {
        "container": container["name"],
        "field": "env",
        "name": name,
        "before": before,
        "after": after,
    }


def _value(found: Object, change: Mapping[str, Any]) -> Any:
    """Return what the changed field holds now."""
    containers = found["spec"]["template"]["spec"]["containers"]
    container: Mapping[str, Any] = next(
        (c for c in containers if c["name"] == change["container"]), {}
    )
    if change["field"] == "image":
        return container.get("image")
    return next((e for e in container.get("env") or () if e["name"] == change["name"]), None)


def _with(found: Object, change: Mapping[str, Any], value: Any) -> Object:
    """Return the merge patch that gives the changed field a value; None takes a variable out."""
    containers = []
    for container in found["spec"]["template"]["spec"]["containers"]:
        changed = dict(container)
        if changed["name"] == change["container"] and change["field"] == "image":
            changed["image"] = value
        elif changed["name"] == change["container"]:
            # In its place: the order of variables is part of the version.
            names = [e["name"] for e in changed.get("env") or ()]
            entries = list(changed.get("env") or ())
            if change["name"] in names:
                index = names.index(change["name"])
                entries[index : index + 1] = [] if value is None else [value]
            elif value is not None:
                entries.append(value)
            changed["env"] = entries
            if not entries:
                del changed["env"]
        containers.append(changed)
    return {"spec": {"template": {"spec": {"containers": containers}}}}


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
