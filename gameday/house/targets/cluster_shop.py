"""The shop in a cluster: put there, looked after, and taken away."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

from gameday.drivers.kubernetes import Cluster, connect, pods, rollouts
from gameday.drivers.kubernetes.manifests import apply, read_manifests
from gameday.drivers.kubernetes.mitigations import mitigated_by, unmitigated
from gameday.errors import DriverError, TemporaryDriverError
from gameday.house.targets.cluster import DOCUMENT, RULES, manifests, regions_of, shop_text
from gameday.house.targets.cluster_faults import Place, service_path
from gameday.house.targets.cluster_tenancy import move_in, move_out
from gameday.house.targets.cluster_visits import until_served
from gameday.rules.slo_rules import prometheus_rules, watchdog_rules
from gameday.shop import SELECTOR, SERVICE
from gameday.spec import Catalogue

READY_WITHIN = timedelta(minutes=5)
"""Twenty pods on a small machine; an image that is not there shows sooner, in their status."""

WARM_UP = timedelta(seconds=10)
"""A process that has served some dozens of requests answers as fast as it ever will."""

RULES_WITHIN = timedelta(seconds=150)
"""A kubelet looks at ConfigMaps every minute at the latest."""

VISITORS = "visitors"
MEMORIES = ("prometheus", "alertmanager", "telemetry")
"""Whose pods hold what was measured; new ones remember nothing."""

TOUCHED = "gameday.dev/rules"
"""Annotation of Prometheus' pod: a change of it has the kubelet look at once."""

SERVING = "waiting until visitors of every region are served well"

Progress = Callable[[str], None]


def open_shop(
    place: Place, *, time_scale: float, image: str | None = None, on_progress: Progress
) -> None:
    """Return when the shop is there, serves well, and is under the rules of every SLO.

    Args:
        image: instead of the one the manifests name.

    Raises:
        DriverError: the API server does not answer or says no; or the shop does not get ready, or
            turns visitors away.
    """
    with connect(place.context, kubeconfig=place.kubeconfig) as cluster:
        cluster.fences.check_namespaces([place.namespace])
        texts = _rules(time_scale)
        documents = read_manifests(manifests(), namespace=place.namespace)
        on_progress(f"applying {len(documents)} manifests in {place.namespace} of {place.target}")
        about = shop_text(
            place.namespace,
            time_scale=time_scale,
            regions=regions_of(d for d in documents if d["kind"] == "Deployment"),
        )
        rules = _rules_map(place.namespace, texts, about)
        move_in(cluster, place.namespace, [*documents, rules])
        apply(cluster, rules)
        others = [d for d in documents if d["kind"] != "Namespace"]
        visitors = cluster.get("deployments", VISITORS, place.namespace)
        is_cold = visitors is None or not rollouts.available(visitors)
        # Visitors who come before the shop is open would be turned away, and remembered.
        shop = [d for d in others if d["metadata"]["name"] != VISITORS]
        for document in shop:
            apply(cluster, _with_image(document, image))
        on_progress("waiting for the pods")
        names = [d["metadata"]["name"] for d in shop if d["kind"] == "Deployment"]
        rollouts.until_through(cluster, place.namespace, names, within=READY_WITHIN)
        for document in others:
            if document["metadata"]["name"] == VISITORS:
                apply(cluster, _with_image(document, image))
        rollouts.until_through(cluster, place.namespace, [VISITORS], within=READY_WITHIN)
        if is_cold:
            on_progress("letting it warm up, and forgetting how slow the first visits were")
            time.sleep(WARM_UP.total_seconds())
            _forget(cluster, place.namespace)
        on_progress("waiting for Prometheus to have the rules in force")
        _until_in_force(cluster, place.namespace, texts)
        on_progress(SERVING)
        _until_served(cluster, place.namespace)


def close_shop(place: Place) -> str:
    """Take the shop away, its namespace too if gameday made it; say what is gone."""
    with connect(place.context, kubeconfig=place.kubeconfig) as cluster:
        cluster.fences.check_namespaces([place.namespace])
        documents = read_manifests(manifests(), namespace=place.namespace)
        return move_out(cluster, place.namespace, [*documents, _rules_map(place.namespace, {}, "")])


def reset_shop(place: Place, *, history: bool, on_progress: Progress) -> None:
    """Take back toxics and mitigations; with ``history`` also forget all telemetry.

    Returns when visitors are served well.

    Raises:
        DriverError: the API server does not answer or says no; or visitors are turned away.
    """
    with connect(place.context, kubeconfig=place.kubeconfig) as cluster:
        cluster.fences.check_namespaces([place.namespace])
        service = service_path(place.namespace, "proxy")
        answer = cluster.exchange("POST", f"{service}/reset", body=b"")
        if answer.status not in (200, 204):
            raise TemporaryDriverError(
                f"the proxy in {place.namespace!r} of {place.target} answers {answer.status} to a"
                f" reset: {answer.body.decode(errors='replace').strip()[:200]}"
            )
        for document in read_manifests(manifests(), namespace=place.namespace):
            name = document["metadata"]["name"]
            if document["kind"] == "Deployment":
                found = cluster.get("deployments", name, place.namespace)
                if found and mitigated_by(found):
                    apply(cluster, document)
                    cluster.patch("deployments", name, place.namespace, unmitigated())
        if history:
            on_progress("starting those anew that remember what was measured")
            _forget(cluster, place.namespace)
        on_progress("waiting for the pods")
        there = cluster.list("deployments", place.namespace, labels=SELECTOR)
        names = [d["metadata"]["name"] for d in there]
        rollouts.until_through(cluster, place.namespace, names, within=READY_WITHIN)
        on_progress(SERVING)
        _until_served(cluster, place.namespace)


def _until_served(cluster: Cluster, namespace: str) -> None:
    slos = Catalogue.around().every_slo()
    deployments = cluster.list("deployments", namespace, labels=SELECTOR)
    until_served(cluster, namespace, slos, regions_of(deployments))


def _forget(cluster: Cluster, namespace: str) -> None:
    """Start those that remember anew, while nobody visits: starting slows whoever is served."""
    visitors = cluster.get("deployments", VISITORS, namespace)
    wanted = int((visitors or {"spec": {}})["spec"].get("replicas", 1))
    if visitors is not None:
        cluster.patch("deployments", VISITORS, namespace, {"spec": {"replicas": 0}})
    old = [pod for name in MEMORIES for pod in _pods(cluster, namespace, name)]
    for pod in old:
        cluster.delete("pods", pod["metadata"]["name"], namespace)
    _until_replaced(cluster, namespace, {str(pod["metadata"]["uid"]) for pod in old})
    rollouts.until_through(cluster, namespace, MEMORIES, within=READY_WITHIN)
    if visitors is not None:
        cluster.patch("deployments", VISITORS, namespace, {"spec": {"replicas": wanted}})


def _pods(cluster: Cluster, namespace: str, name: str) -> Sequence[dict[str, Any]]:
    return cluster.list("pods", namespace, labels=f"{SERVICE}={name}")


def _until_replaced(cluster: Cluster, namespace: str, old: Collection[str]) -> None:
    """Return when each of `MEMORIES` has a ready pod that is none of the old ones."""
    deadline = time.monotonic() + READY_WITHIN.total_seconds()
    while True:
        lagging = [
            name
            for name in MEMORIES
            if not any(
                pods.is_ready(pod) and str(pod["metadata"]["uid"]) not in old
                for pod in _pods(cluster, namespace, name)
            )
        ]
        if not lagging:
            return
        if time.monotonic() > deadline:
            raise TemporaryDriverError(
                f"not started anew in {namespace} after {READY_WITHIN.total_seconds():.0f} s:"
                f" {', '.join(lagging)}; `kubectl -n {namespace} get pods` shows more"
            )
        time.sleep(rollouts.LOOK_EVERY.total_seconds())


def shop_status(place: Place) -> dict[str, Any] | None:
    """Return each Deployment with how far it is; None where there is no shop."""
    with connect(place.context, kubeconfig=place.kubeconfig) as cluster:
        found = cluster.list("deployments", place.namespace, labels=SELECTOR)
    if not found:
        return None
    components = [
        {
            "name": d["metadata"]["name"],
            "state": "healthy" if rollouts.is_through(d) else "starting",
            "ready": rollouts.available(d),
            "replicas": d["spec"].get("replicas", 1),
        }
        for d in found
    ]
    return {
        "target": place.target,
        "namespace": place.namespace,
        "ready": all(c["state"] == "healthy" and c["replicas"] for c in components),
        "components": components,
    }


def _rules(time_scale: float) -> dict[str, str]:
    texts = {
        f"slo-{s.id}.yml": prometheus_rules(s, time_scale=time_scale)
        for s in Catalogue.around().every_slo()
    }
    return {**texts, "watchdog.yml": watchdog_rules()}


def _rules_map(namespace: str, texts: Mapping[str, str], about: str) -> dict[str, Any]:
    """Return the ConfigMap of the rules, and of the document that is true with them."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": RULES,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/part-of": "shop", SERVICE: "prometheus"},
        },
        "data": {**texts, "in-force.yml": _witness(_digest(texts)), DOCUMENT: about},
    }


def _with_image(document: Mapping[str, Any], image: str | None) -> dict[str, Any]:
    changed: dict[str, Any] = json.loads(json.dumps(document))
    if image and changed["kind"] == "Deployment":
        for container in changed["spec"]["template"]["spec"]["containers"]:
            container["image"] = image
    return changed


def _until_in_force(cluster: Cluster, namespace: str, texts: Mapping[str, str]) -> None:
    """Return when Prometheus has loaded exactly these rules.

    Raises:
        TemporaryDriverError: it has not, in time.
    """
    service = service_path(namespace, "prometheus")
    digest = _digest(texts)
    for pod in _pods(cluster, namespace, "prometheus"):
        touched = {"metadata": {"annotations": {TOUCHED: digest}}}
        cluster.patch("pods", pod["metadata"]["name"], namespace, touched)
    deadline = time.monotonic() + RULES_WITHIN.total_seconds()
    while time.monotonic() < deadline:
        with contextlib.suppress(DriverError, ValueError, KeyError, TypeError):
            cluster.exchange("POST", f"{service}/-/reload", body=b"")
            said = json.loads(cluster.exchange("GET", f"{service}/api/v1/rules").body)
            rules = [rule for group in said["data"]["groups"] for rule in group["rules"]]
            if any((rule.get("labels") or {}).get("digest") == digest for rule in rules):
                return
        time.sleep(1)
    raise TemporaryDriverError(
        f"Prometheus in {namespace!r} has not loaded the rules of the ConfigMap {RULES!r} after"
        f" {RULES_WITHIN.total_seconds():.0f} s; `kubectl -n {namespace} logs deploy/prometheus"
        " -c prometheus` may say why"
    )


def _digest(texts: Mapping[str, str]) -> str:
    return hashlib.sha256("".join(texts[name] for name in sorted(texts)).encode()).hexdigest()[:16]


def _witness(digest: str) -> str:
    """Return a rule file that does nothing but tell, where Prometheus lists its rules, which."""
    return (
        "groups:\n"
        "  - name: gameday-rules\n"
        "    rules:\n"
        "      - record: gameday:rules:info\n"
        "        expr: vector(1)\n"
        f"        labels: {{digest: '{digest}'}}\n"
    )
