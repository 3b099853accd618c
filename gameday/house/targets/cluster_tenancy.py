"""Whose the objects in a shop's namespace are: ours bear our label, all others are left alone."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from gameday.drivers.kubernetes import Cluster
from gameday.drivers.kubernetes.manifests import plural_of
from gameday.drivers.kubernetes.refusals import AlreadyThere
from gameday.errors import PermanentDriverError, TemporaryDriverError
from gameday.shop import MADE, SERVICE

Object = dict[str, Any]

GONE_WITHIN = timedelta(minutes=5)
"""A namespace goes with all its pods, each with its grace period."""

_EARLIER = ("app.kubernetes.io/part-of", "shop")
"""What the shop's objects bore before they had a label of their own; anybody's may bear it, so it
only counts on an object that has the kind and the name of one of ours."""


def move_in(cluster: Cluster, namespace: str, documents: Sequence[Mapping[str, Any]]) -> None:
    """Return when the namespace is there and nothing stands in the way of these objects.

    The namespace is noted as made by us only where there was none. Deployments of an earlier
    version of the shop that choose their pods by other labels are deleted: a selector is for life.

    Raises:
        PermanentDriverError: an object of somebody else has one of the names.
    """
    if cluster.get("namespaces", namespace) is None:
        try:
            labels = {"app.kubernetes.io/part-of": "shop", MADE: "yes"}
            cluster.create("namespaces", {"metadata": {"name": namespace, "labels": labels}})
        except AlreadyThere:
            pass  # somebody was faster; it is theirs
    standing = _standing(cluster, namespace, documents)
    foreign = [f"{d['kind']} {d['metadata']['name']}" for d, o in standing if not _is_ours(o)]
    if foreign:
        raise PermanentDriverError(
            f"the namespace {namespace!r} of {cluster.context!r} holds objects that are not the"
            f" shop's and bear its names: {', '.join(foreign)}; choose another one with --namespace"
        )
    for document, found in standing:
        if document["kind"] == "Deployment" and _chosen(found) != _chosen(document):
            name = str(found["metadata"]["name"])
            # In the foreground: with its pods, which nobody would choose any more.
            cluster.delete("deployments", name, namespace, propagation="Foreground")
            _until_gone(cluster, "deployments", name, namespace)


def move_out(cluster: Cluster, namespace: str, documents: Sequence[Mapping[str, Any]]) -> str:
    """Delete the namespace if we made it, else what is ours in it; say what is gone.

    Raises:
        TemporaryDriverError: it does not go away.
    """
    found = cluster.get("namespaces", namespace)
    if found is None:
        return f"there was no {namespace}"
    if MADE in (found["metadata"].get("labels") or {}):
        cluster.delete("namespaces", namespace)
        _until_gone(cluster, "namespaces", namespace)
        return f"the namespace {namespace} is gone"
    ours = [
        (plural_of(d), str(d["metadata"]["name"]))
        for d, o in _standing(cluster, namespace, documents)
        if _is_ours(o)
    ]
    for plural, name in reversed(ours):
        cluster.delete(plural, name, namespace, propagation="Foreground")
    for plural, name in ours:
        _until_gone(cluster, plural, name, namespace)
    if not ours:
        return f"there is no shop in {namespace}"
    return (
        f"the shop is gone from {namespace}; the namespace stays, gameday did not make it"
        f" (`kubectl delete namespace {namespace}` if it is meant)"
    )


def _standing(
    cluster: Cluster, namespace: str, documents: Sequence[Mapping[str, Any]]
) -> list[tuple[Mapping[str, Any], Object]]:
    """Return each document that has an object of its kind and name, with that object."""
    kinds = {plural_of(d) for d in documents if d["kind"] != "Namespace"}
    there = {
        (plural, str(o["metadata"]["name"])): o
        for plural in sorted(kinds)
        for o in cluster.list(plural, namespace)
    }
    keyed = [(d, (plural_of(d), str(d["metadata"]["name"]))) for d in documents]
    return [(d, there[key]) for d, key in keyed if key in there]


def _is_ours(found: Mapping[str, Any]) -> bool:
    labels = found["metadata"].get("labels") or {}
    return SERVICE in labels or _EARLIER in labels.items()


def _chosen(deployment: Mapping[str, Any]) -> Mapping[str, str]:
    chosen: Mapping[str, str] = deployment["spec"]["selector"].get("matchLabels") or {}
    return chosen


def _until_gone(cluster: Cluster, resource: str, name: str, namespace: str = "") -> None:
    deadline = time.monotonic() + GONE_WITHIN.total_seconds()
    while cluster.get(resource, name, namespace) is not None:
        if time.monotonic() > deadline:
            raise TemporaryDriverError(
                f"{resource} {name!r} of {cluster.context!r} does not go away; `kubectl get"
                f" {resource} {name} -o yaml` shows which finalizer holds it"
            )
        time.sleep(0.5)
