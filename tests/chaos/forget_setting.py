"""A whole fault in one file, made up for the tests: a value of a ConfigMap is gone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gameday.chaos.clusters import MARK, Touched, opened, opened_for_fault, touched
from gameday.chaos.declaration import (
    Activity,
    ActsOn,
    DeclaredFault,
    Hypothesis,
    Marked,
    Objects,
    Right,
)
from gameday.chaos.parameters import LABELS, NAMESPACE, ON_CLUSTER, TEXT, Parameter
from gameday.drivers.kubernetes import Cluster, marks, pods
from gameday.drivers.kubernetes.cluster import Object

BEFORE = "gameday.dev/before"


def forget_setting(
    namespace: str,
    settings: str,
    key: str,
    readers: str,
    at_most: str | float = "100%",
    mark: str = MARK,
    context: str | None = None,
    kubeconfig: str | None = None,
) -> dict[str, Any]:
    """Take a value out of a ConfigMap; return what it was."""
    with opened_for_fault(context, kubeconfig, mark, namespace) as cluster:
        _reach(cluster, namespace, readers).check(at_most)

        def make(found: Object) -> Object | None:
            marks.check_free(found, mark, f"the ConfigMap {settings!r}")
            if marks.mark_of(found) == mark:
                return None
            noted = {"labels": OBJECTS.labels(mark, "configmaps"), "annotations": {}}
            noted["annotations"] = {BEFORE: f"{key}={found['data'][key]}"}
            return {"metadata": noted, "data": {key: None}}

        cluster.change("configmaps", settings, namespace, make, manager=mark)
        return {"settings": settings, "key": key}


def recover_setting(
    namespace: str,
    settings: str,
    mark: str = MARK,
    context: str | None = None,
    kubeconfig: str | None = None,
) -> bool:
    """Put the value back; return whether it was missing. May be repeated."""
    with opened(context, kubeconfig, is_fenced=False) as cluster:
        return _put_back(cluster, settings, namespace, mark)


def setting_is_forgotten(
    namespace: str,
    settings: str,
    mark: str = MARK,
    context: str | None = None,
    kubeconfig: str | None = None,
) -> bool:
    """Return whether the value is still missing because of this fault."""
    with opened(context, kubeconfig, is_fenced=False) as cluster:
        found = cluster.get("configmaps", settings, namespace)
        return found is not None and marks.mark_of(found) == mark


def setting_is_known(
    namespace: str,
    settings: str,
    key: str,
    ignore: str = "",
    context: str | None = None,
    kubeconfig: str | None = None,
) -> bool:
    """Return whether the ConfigMap has the value, or lacks it because of the mark to ignore."""
    with opened(context, kubeconfig) as cluster:
        found = cluster.get("configmaps", settings, namespace) or {}
        return key in (found.get("data") or {}) or marks.mark_of(found) == ignore != ""


def setting_touches(
    namespace: str, readers: str, context: str | None = None, kubeconfig: str | None = None
) -> Touched:
    """Return the blast radius: the pods that read the ConfigMap."""
    with opened_for_fault(context, kubeconfig, MARK, namespace) as cluster:
        return _reach(cluster, namespace, readers)


def _reach(cluster: Cluster, namespace: str, readers: str) -> Touched:
    return touched(cluster, namespace, pods.select(cluster, namespace, selector=readers))


def _put_back(cluster: Cluster, name: str, namespace: str, mark: str) -> bool:
    was_ours = False

    def make(found: Object) -> Object | None:
        nonlocal was_ours
        if marks.mark_of(found) != mark:
            return None
        was_ours = True
        key, _, value = found["metadata"]["annotations"][BEFORE].partition("=")
        meta = {"labels": marks.unlabelled(found), "annotations": {BEFORE: None}}
        return {"metadata": meta, "data": {key: value}}

    cluster.change("configmaps", name, namespace, make)
    return was_ours


def _take_out(cluster: Cluster, mark: str, found: Sequence[Marked]) -> None:
    for _, thing in found:
        _put_back(cluster, thing["metadata"]["name"], thing["metadata"]["namespace"], mark)


OBJECTS = Objects("forget-setting", ("configmaps",), _take_out)

FAULT = DeclaredFault(
    name="forget-setting",
    title="A setting is gone",
    description="A value of a ConfigMap is taken out, and put back as it was.",
    acts_on=ActsOn.CLUSTER,
    parameters=(
        NAMESPACE,
        Parameter("settings", TEXT, "settings", "name of the ConfigMap"),
        Parameter("key", TEXT, "currency", "which of its values"),
        Parameter("readers", LABELS, "app=checkout", "of the pods that read it"),
        *ON_CLUSTER,
    ),
    steady=Hypothesis(
        "The setting is there",
        Activity("the setting is known", setting_is_known, {"ignore": "mark"}),
    ),
    inject=Activity("forget the setting", forget_setting),
    recover=Activity("recover the setting", recover_setting),
    is_present=Activity("the setting is forgotten", setting_is_forgotten),
    touches=setting_touches,
    marks=OBJECTS,
    rights=(Right("configmaps", ("get", "list", "patch")), Right("pods", ("list",))),
    where=("{key} of {settings}", "in {namespace}"),
    undo="puts the value back as it was",
)
