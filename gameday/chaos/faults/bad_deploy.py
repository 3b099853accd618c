"""A bad version of a workload that goes live, and what was live before comes back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from chaoslib.exceptions import ActivityFailed

from gameday.chaos.clusters import MARK, opened, opened_for_fault
from gameday.chaos.controllers import (
    BEFORE,
    KINDS,
    WORKLOAD,
    Restoring,
    check_free,
    place,
    reach,
    there,
    workload_is_untouched,
    workload_touches,
)
from gameday.chaos.declaration import Activity, ActsOn, DeclaredFault, Hypothesis, Objects, Right
from gameday.chaos.parameters import NAMESPACE, ON_CLUSTER, TEXT, Parameter
from gameday.drivers.kubernetes import marks
from gameday.drivers.kubernetes.cluster import Object
from gameday.errors import PermanentDriverError, UsageError

__all__ = ["FAULT", "change_is_live", "change_workload", "recover_change"]

CHANGE = "bad-deploy"


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
    """Put a bad version of a workload live: another image, or another value of one variable."""
    if bool(image) == bool(env):
        raise ActivityFailed("give either an image or env: one change is one fault")
    with opened_for_fault(context, kubeconfig, mark, namespace) as cluster:
        resource, name = place(workload)
        reach(cluster, namespace, workload).check(at_most)
        done: dict[str, Any] = {}

        def make(found: Object) -> Object | None:
            check_free(found, mark, CHANGE, f"{workload!r} in {namespace!r}")
            if _is_in_place(found, mark):
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
                    "labels": OBJECTS.labels(mark, resource, ours=_digest(change["after"])),
                    "annotations": {
                        BEFORE: json.dumps({k: v for k, v in change.items() if k != "after"})
                    },
                },
                **_with(found, change, change["after"]),
            }

        there(cluster.change(resource, name, namespace, make, manager=mark), workload)
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
        return WAY_BACK.restore(cluster, *place(workload), namespace, mark)


def change_is_live(
    namespace: str,
    workload: str,
    mark: str = MARK,
    context: str | None = None,
    kubeconfig: str | None = None,
) -> bool:
    """Return whether this fault's version is still what the workload asks for."""
    return WAY_BACK.is_there(namespace, workload, mark, context, kubeconfig)


# --- how -----------------------------------------------------------------------------------------


def _is_in_place(found: Object, mark: str) -> bool:
    if marks.mark_of(found) != mark or marks.label_of(found, "fault") != CHANGE:
        return False
    written = (found["metadata"].get("annotations") or {}).get(BEFORE)
    if written is None:
        return False  # `kubectl rollout undo` takes the annotation along: ours is not live
    change = json.loads(written)
    return _digest(_value(found, change)) == marks.label_of(found, "ours")


def _put_back(found: Object) -> Object:
    change = json.loads(found["metadata"]["annotations"][BEFORE])
    return _with(found, change, change["before"])


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


WAY_BACK = Restoring(_is_in_place, _put_back)
OBJECTS = Objects(CHANGE, tuple(KINDS.values()), WAY_BACK.restore_all)

FAULT = DeclaredFault(
    name="bad-deploy",
    module="gameday.chaos.workloads",
    title="A bad version goes live",
    description=(
        "A container of a Deployment or StatefulSet gets another image, or another value of one"
        " variable, and is rolled out as any version is. Recovery puts back what was live, unless"
        " somebody has done so already, with `kubectl rollout undo` or otherwise."
    ),
    tags=("kubernetes", "deploy"),
    contributions={"availability": "high", "performance": "medium"},
    acts_on=ActsOn.CLUSTER,
    parameters=(
        NAMESPACE,
        WORKLOAD,
        Parameter("image", TEXT, ":does-not-exist", "with its tag, or the tag alone"),
        Parameter("env", TEXT, "", "NAME=value, instead of an image"),
        Parameter("container", TEXT, "", "empty: the only one"),
        *ON_CLUSTER,
    ),
    steady=Hypothesis(
        "The service is there",
        Activity("the workload is untouched", workload_is_untouched, {"ignore": "mark"}),
    ),
    inject=Activity("deploy the bad version", change_workload),
    recover=Activity("recover what was live", recover_change),
    is_present=Activity("the bad version is live", change_is_live),
    touches=workload_touches,
    marks=OBJECTS,
    rights=(
        Right("deployments.apps", ("get", "list", "patch")),
        Right("statefulsets.apps", ("get", "list", "patch")),
        Right("replicasets.apps", ("list",)),
        Right("pods", ("list",)),
    ),
    where=("{workload}", "in {namespace}"),
    undo="puts back what was live, if the bad version still is",
    elsewhere={ActsOn.SANDBOX: "deploy-change deploys a change there"},
)
