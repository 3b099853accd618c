"""A shop in a Kubernetes cluster as a system to play on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from gameday.drivers.chaostoolkit import ChaosToolkit
from gameday.drivers.kubernetes import Cluster, connect, rollouts
from gameday.drivers.kubernetes.deploys import ReplicaSetDeploys
from gameday.drivers.kubernetes.effects import ClusterEffects
from gameday.drivers.kubernetes.identity import identity_of
from gameday.drivers.kubernetes.target import KubernetesTarget
from gameday.drivers.prometheus import Prometheus
from gameday.errors import Ground, PermanentDriverError, PlanRefused, Refusal
from gameday.house.targets.cluster_code import code_of, versions_of
from gameday.house.targets.cluster_faults import READABLE, ClusterFaults, Place, shop_service
from gameday.house.targets.doors import Doors
from gameday.house.targets.open_system import OpenSystem
from gameday.house.targets.reach import reach
from gameday.incidents import deeplinks
from gameday.model.programme import Programme
from gameday.model.scenario import Scenario
from gameday.settings import Settings
from gameday.shop import NAMESPACE, REGION, SELECTOR, SERVICE

RULES = "slo-rules"
"""The ConfigMap that holds the rule files in force."""

TIME_SCALE = "gameday.dev/time-scale"
"""Its annotation: how many times faster than production the windows of these rules run."""


def place_of(
    scenario: Scenario | None, *, context: str | None, environment: Mapping[str, str]
) -> Place:
    """Return where a scenario is played: the context that is asked for, its one namespace.

    Raises:
        DriverError: there is no such context, or the settings do not allow it.
    """
    namespaces = scenario.spec.blast_radius.namespaces if scenario is not None else ()
    namespace = namespaces[0] if len(namespaces) == 1 else NAMESPACE
    kubeconfig = environment.get("KUBECONFIG") or None
    with connect(context, kubeconfig=kubeconfig, environment=environment) as cluster:
        return Place(cluster.context, namespace, kubeconfig)


def is_disposable(place: Place, programme: Programme | None, settings: Settings) -> bool:
    """Return whether nobody depends on this cluster: the programme says, or else the settings."""
    if programme is not None and programme.spec.targets:
        terms = programme.terms(place.target)
        return bool(terms and terms.disposable)
    return place.context in settings.kube_disposable


def check_scale(
    place: Place, time_scale: float, *, programme: Programme | None, settings: Settings
) -> None:
    """Return where rules may run this many times faster than production's in a cluster.

    Raises:
        PlanRefused: they may not: somebody may depend on it.
    """
    if time_scale != 1 and not is_disposable(place, programme, settings):
        raise PlanRefused(
            Refusal(
                Ground.TARGET,
                f"rules in {place.namespace!r} of {place.target} that run {time_scale:g} times"
                " faster than production's are for a disposable cluster only",
                f"say so in the programme (`targets: {{{place.target}: {{disposable: true}}}}`), or"
                " put rules of the real speed there:"
                f" `gameday sandbox up --context {place.context} --time-scale 1`",
            )
        )


def cluster_system(place: Place, *, programme: Programme | None, settings: Settings) -> OpenSystem:
    """Return a cluster's shop as a system to play on; nothing in it is changed.

    Raises:
        DriverError: the API server does not answer, or there is no shop.
        PlanRefused: its rules are compressed, and the cluster is not said to be disposable.
    """
    cluster = connect(place.context, kubeconfig=place.kubeconfig)
    cluster.fences.check_namespaces([place.namespace])
    identity = identity_of(cluster)
    time_scale = _time_scale(cluster, place)
    check_scale(place, time_scale, programme=programme, settings=settings)
    doors = Doors(cluster)
    prometheus, telemetry, proxy, mailbox = (
        doors.url(shop_service(place.namespace, name), is_readable=name in READABLE)
        for name in ("prometheus", "telemetry", "proxy", "mailbox")
    )
    versions = versions_of(cluster, place.namespace)
    return OpenSystem(
        target=KubernetesTarget(
            cluster,
            place.namespace,
            time_scale=time_scale,
            mailbox_url=mailbox,
            identity=identity,
            kubeconfig=place.kubeconfig,
        ),
        alerts=Prometheus(prometheus),
        faults=ClusterFaults(
            ChaosToolkit(
                toxiproxy_url=proxy,
                context=place.context,
                kubeconfig=place.kubeconfig,
            ),
            place,
            cluster,
            identity=identity,
            pods_back=pods_back(cluster, [place.namespace], labels=SELECTOR),
        ),
        deploys=ReplicaSetDeploys(
            cluster, place.namespace, full=lambda version: versions.get(version, version)
        ),
        tools=deeplinks.Tools(
            prometheus=prometheus,
            traces=telemetry,
            profiles=telemetry,
            code=code_of(cluster, place.namespace, settings.state / "repositories"),
        ),
        regions=regions_of(cluster, place.namespace),
        group_wait=timedelta(0),
        count=reach,
        effects=ClusterEffects(cluster, place.namespace),
        notices=tuple(filter(None, [identity.doubt(f"{cluster.server} ({place.target})")])),
    )


def cluster_faults(place: Place) -> ClusterFaults:
    """Return what finds and takes out faults in a cluster, whether or not the shop is there.

    Raises:
        DriverError: the API server does not answer.
    """
    cluster = connect(place.context, kubeconfig=place.kubeconfig)
    has_proxy = bool(cluster.list("pods", place.namespace, labels=f"{SERVICE}=proxy"))
    service = shop_service(place.namespace, "proxy")
    proxy = Doors(cluster).url(service, is_readable=False) if has_proxy else None
    inner = ChaosToolkit(toxiproxy_url=proxy, context=place.context, kubeconfig=place.kubeconfig)
    return ClusterFaults(inner, place, cluster, identity=identity_of(cluster))


def _time_scale(cluster: Cluster, place: Place) -> float:
    found = cluster.get("configmaps", RULES, place.namespace)
    if found is None:
        raise PermanentDriverError(
            f"{place.namespace!r} of {place.target} has no SLO rules (the ConfigMap {RULES!r});"
            f" `gameday sandbox up --context {place.context}` puts the shop and its rules there"
        )
    text = (found["metadata"].get("annotations") or {}).get(TIME_SCALE, "1")
    try:
        return float(text)
    except ValueError as error:
        raise PermanentDriverError(
            f"the annotation {TIME_SCALE} of the ConfigMap {RULES!r} is no number: {text!r}"
        ) from error


def pods_back(
    cluster: Cluster, namespaces: Sequence[str], *, labels: str = ""
) -> Callable[[timedelta], bool]:
    """Return what waits until as many pods of each Deployment are ready as are now.

    Args:
        labels: selector of the Deployments that count; empty: all of them.
    """

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


def regions_of(cluster: Cluster, namespace: str) -> tuple[str, ...]:
    """Return the regions the shop's Deployments belong to, in order."""
    found = cluster.list("deployments", namespace, labels=SELECTOR)
    names = {str((d["metadata"].get("labels") or {}).get(REGION, "")) for d in found}
    return tuple(sorted(names - {"", "global"}))


def manifests() -> Path:
    """Return the folder of the shop's manifests: what is shipped with gameday."""
    from gameday.spec.catalogue import shipped

    return shipped() / "deploy" / "shop"
