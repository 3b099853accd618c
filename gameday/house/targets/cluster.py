"""A shop in a Kubernetes cluster as a system to play on: by its document, and what only it can do.

The document lies beside the rules in force, in the same ConfigMap, so that both change at once and
whoever reaches the cluster finds it. Which context leads there, and where a copy of its code is, is
this machine's to say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from gameday import private
from gameday.drivers.chaostoolkit import ChaosToolkit
from gameday.drivers.kubernetes import Cluster, connect
from gameday.drivers.kubernetes.access import IN_CLUSTER
from gameday.drivers.kubernetes.deploys import ReplicaSetDeploys
from gameday.drivers.kubernetes.identity import identity_of
from gameday.drivers.kubernetes.target import KubernetesTarget
from gameday.errors import Ground, PermanentDriverError, PlanRefused, Refusal
from gameday.house.targets.cluster_code import code_of, versions_of
from gameday.house.targets.cluster_faults import PORTS, ClusterFaults, Place, shop_service
from gameday.house.targets.declared_cluster import SystemDoors
from gameday.house.targets.declared_system import declared_system
from gameday.house.targets.doors import Doors
from gameday.house.targets.open_system import OpenSystem
from gameday.house.targets.ready_pods import pods_back
from gameday.model.programme import Programme
from gameday.model.scenario import Scenario
from gameday.model.slo import Slo
from gameday.model.system import System
from gameday.sandbox import document
from gameday.settings import Settings
from gameday.shop import NAMESPACE, REGION, SELECTOR, SERVICE
from gameday.spec import read_system

RULES = "slo-rules"
"""The ConfigMap that holds the rule files in force."""

DOCUMENT = "system.yaml"
"""In it: what the shop is, as a system's document; rule files end in yml."""


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


class ClusterShop:
    """The shop of one place; nothing in it is changed by opening it."""

    def __init__(self, place: Place, settings: Settings) -> None:
        """Open nothing yet."""
        self._place = place
        self._settings = settings
        self._open: list[SystemDoors | Doors] = []

    async def opened(self, slo: Slo, *, programme: Programme | None) -> OpenSystem:
        """Return it as a system to play on.

        Args:
            slo: whose page is awaited.

        Raises:
            DriverError: the API server does not answer, or there is no shop.
            PlanRefused: its rules are compressed, and the cluster is not said to be disposable.
        """
        system, own = await asyncio.to_thread(self._looked_up, programme)
        return replace(await declared_system(system, slo), **own)

    def close(self) -> None:
        """Close every door to it; blocks for a moment."""
        for doors in self._open:
            doors.close()
        self._open.clear()

    def _looked_up(self, programme: Programme | None) -> tuple[System, dict[str, Any]]:
        """Return what its document says, and what of the system no document can say. Blocks."""
        place = self._place
        cluster = connect(place.context, kubeconfig=place.kubeconfig)
        cluster.fences.check_namespaces([place.namespace])
        identity = identity_of(cluster)
        found = cluster_document(cluster, place, self._settings.state)
        scale = found.spec.time_scale
        check_scale(place, scale, programme=programme, settings=self._settings)
        doors, own_doors = SystemDoors(found), Doors(cluster)
        self._open += [doors, own_doors]
        system = doors.opened()
        toxics, versions = system.spec.toxiproxy, versions_of(cluster, place.namespace)
        own: dict[str, Any] = {
            # Pages wait in its mailbox, and its mitigations are taken back all at once.
            "target": KubernetesTarget(
                cluster,
                place.namespace,
                time_scale=scale,
                mailbox_url=own_doors.url(
                    shop_service(place.namespace, "mailbox"), is_readable=False
                ),
                identity=identity,
                kubeconfig=place.kubeconfig,
            ),
            # Toxics are gone where its proxy is, which holds for no other.
            "faults": ClusterFaults(
                ChaosToolkit(
                    toxiproxy_url=None if toxics is None else toxics.url,
                    context=place.context,
                    kubeconfig=place.kubeconfig,
                ),
                place,
                cluster,
                identity=identity,
                pods_back=pods_back(cluster, [place.namespace], labels=SELECTOR),
            ),
            # Its versions have names, as branches have.
            "deploys": ReplicaSetDeploys(
                cluster, place.namespace, full=lambda version: versions.get(version, version)
            ),
            "notices": tuple(filter(None, [identity.doubt(f"{cluster.server} ({place.target})")])),
        }
        return system, own


def cluster_document(cluster: Cluster, place: Place, state: Path) -> System:
    """Return what the document of a cluster's shop says, as this machine reaches it. Blocks.

    A copy is kept in the state folder, for people and for what names a line of it.

    Raises:
        PermanentDriverError: there is no such shop, or it has no document.
        SpecError: somebody has changed the document, and it is wrong now.
    """
    found = cluster.get("configmaps", RULES, place.namespace)
    up = f"`gameday sandbox up --context {place.context}`"
    if found is None:
        raise PermanentDriverError(
            f"{place.namespace!r} of {place.target} has no SLO rules (the ConfigMap {RULES!r});"
            f" {up} puts the shop and its rules there"
        )
    text = (found.get("data") or {}).get(DOCUMENT)
    if text is None:
        raise PermanentDriverError(
            f"the ConfigMap {RULES!r} in {place.namespace!r} of {place.target} holds no"
            f" {DOCUMENT}, as an older gameday left it; {up} writes it"
        )
    folder = private.folder(state / "clusters" / quote(place.context, safe=""))
    copy = folder / f"{place.namespace}.yaml"
    private.write_text(copy, _as_reached(text, place, code_of(cluster, place.namespace, state)))
    return read_system(copy)


def shop_text(namespace: str, *, time_scale: float, regions: Iterable[str]) -> str:
    """Return the document of a shop, as it lies beside its rules."""
    told = document.document_on_cluster(
        namespace,
        time_scale=time_scale,
        regions=tuple(regions),
        services={name: shop_service(namespace, name) for name in PORTS},
    )
    return document.text_of(told, head=document.HEAD_ON_CLUSTER)


def _as_reached(text: str, place: Place, repository: Path) -> str:
    """Return a document with the context that leads there from here, and the code that is here.

    What is no YAML, or no document, stays as it is: its reader says what is wrong with it.
    """
    try:
        told = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    if not isinstance(told, dict) or not isinstance(told.get("spec"), dict):
        return text
    spec = told["spec"]
    if place.context != IN_CLUSTER and isinstance(spec.get("kubernetes"), dict):
        seen = {name: one for name, one in spec["kubernetes"].items() if name != "inCluster"}
        spec["kubernetes"] = {"context": place.context, **seen}
    spec.setdefault("code", document.code_in(str(repository)))
    head = "".join(f"{line}\n" for line in text.splitlines() if line.startswith("#"))
    return document.text_of(told, head=head)


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


def regions_of(deployments: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the regions that Deployments of the shop belong to, in order."""
    names = {str((d["metadata"].get("labels") or {}).get(REGION, "")) for d in deployments}
    return tuple(sorted(names - {"", "global"}))


def manifests() -> Path:
    """Return the folder of the shop's manifests: what is shipped with gameday."""
    from gameday.spec.catalogue import shipped

    return shipped() / "deploy" / "shop"
