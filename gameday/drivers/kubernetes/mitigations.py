"""What a responder does to a shop in a cluster, and how a run takes it back.

Each is what a person would type: `kubectl set env`, `kubectl rollout undo`, `kubectl scale`,
`kubectl uncordon`. What is changed bears the run's name in an annotation, written with the change,
so that only that is put back, whoever else worked there meanwhile.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from gameday.drivers.kubernetes import draining, rollouts
from gameday.drivers.kubernetes.access import connect
from gameday.drivers.kubernetes.cluster import Cluster, Object
from gameday.drivers.kubernetes.identity import check_identity
from gameday.errors import PermanentDriverError
from gameday.ports import Undo
from gameday.shop import REGION, SELECTOR, SERVICE

__all__ = ["ClusterMitigations", "ShopMitigations", "mitigated_by", "state_of", "unmitigated"]

BY = "gameday.dev/mitigated-by"
"""Annotation of what a run's responder changed; its value is the run."""

EFFECT_WITHIN = timedelta(seconds=60)
"""How long a mitigation may take to be live: new pods have to start."""

BACK_WITHIN = timedelta(seconds=25)
VARIABLES = ("SHOP_DATABASE", "SHOP_DRAINED", "SHOP_REVISION")


def state_of(cluster: Cluster, namespace: str) -> dict[str, Any]:
    """Return what mitigations can change, as it is now: by Deployment, JSON-shaped."""
    return {
        d["metadata"]["name"]: {
            "uid": d["metadata"]["uid"],
            "replicas": d["spec"].get("replicas", 1),
            "image": d["spec"]["template"]["spec"]["containers"][0].get("image", ""),
            "variables": {k: v for k, v in rollouts.variables(d).items() if k in VARIABLES},
        }
        for d in cluster.list("deployments", namespace, labels=SELECTOR)
    }


class ShopMitigations:
    """Everything a responder can start; blocks until it is live."""

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        *,
        run: str,
        effect_within: timedelta = EFFECT_WITHIN,
    ) -> None:
        """Remember where, and in whose name."""
        self._cluster = cluster
        self._namespace = namespace
        self._run = run
        self._effect_within = effect_within

    def apply(self, name: str, parameters: Mapping[str, str]) -> str:
        """Do it and return what was done.

        Args:
            parameters: ``region`` for all; ``service`` for rollback-deploy and scale, ``replicas``
                for scale.

        Raises:
            PermanentDriverError: there is no such mitigation, or nothing it applies to.
            TemporaryDriverError: it is asked for, and not live in time.
        """
        region = parameters.get("region", "")
        service = parameters.get("service", "")
        match name:
            case "failover-db":
                touched = self._set("inventory", region, {"SHOP_DATABASE": "standby"})
                done = f"inventory uses the standby database ({_listed(touched)})"
            case "drain-region":
                touched = self._drain(region)
                done = f"the edge sends no visitors to {region}"
            case "rollback-deploy":
                touched, done = self._roll_back(service, region)
            case "scale":
                touched, done = self._scale(service, region, parameters.get("replicas", ""))
            case "uncordon":
                return self._uncordon(region)
            case _:
                raise PermanentDriverError(
                    f"no mitigation {name!r}: choose failover-db, drain-region, rollback-deploy,"
                    " scale or uncordon"
                )
        rollouts.until_through(self._cluster, self._namespace, touched, within=self._effect_within)
        return done

    def _found(self, service: str, region: str) -> Sequence[Object]:
        if not service:
            raise PermanentDriverError("service is missing: say which one")
        wanted = f"{SERVICE}={service}" + (f",{REGION}={region}" if region else "")
        found = self._cluster.list("deployments", self._namespace, labels=wanted)
        if not found:
            where = f" in {region}" if region else ""
            raise PermanentDriverError(
                f"there is no Deployment of {service!r}{where} in {self._namespace!r}"
            )
        return found

    def _change(self, deployment: Object, make: Callable[[Object], Object]) -> str:
        name = str(deployment["metadata"]["name"])

        def patch(found: Object) -> Object:
            made = make(found)
            return {**made, "metadata": {"annotations": {BY: self._run}}}

        if self._cluster.change("deployments", name, self._namespace, patch) is None:
            raise PermanentDriverError(f"the Deployment {name!r} is gone")
        return name

    def _set(self, service: str, region: str, values: Mapping[str, str]) -> list[str]:
        make = functools.partial(rollouts.with_variables, values=values)
        return [self._change(d, make) for d in self._found(service, region)]

    def _drain(self, region: str) -> list[str]:
        if not region:
            raise PermanentDriverError("drain-region needs a region")
        edge = self._found("edge", "")[0]
        known = [r for r in rollouts.variables(edge).get("SHOP_REGIONS", "").split(",") if r]
        if region not in known:
            raise PermanentDriverError(f"no region {region!r}: choose one of {', '.join(known)}")

        def make(found: Object) -> Object:
            drained = set(
                filter(None, rollouts.variables(found).get("SHOP_DRAINED", "").split(","))
            )
            if drained | {region} == set(known):
                raise PermanentDriverError("at least one region must take visitors")
            value = ",".join(sorted(drained | {region}))
            return rollouts.with_variables(found, {"SHOP_DRAINED": value})

        return [self._change(edge, make)]

    def _roll_back(self, service: str, region: str) -> tuple[list[str], str]:
        sets = self._cluster.list("replicasets", self._namespace, labels=SELECTOR)
        touched, said = [], []
        for deployment in self._found(service, region):
            before = rollouts.version_before(rollouts.owned(sets, deployment), deployment)
            if before is None:
                continue
            number = rollouts.revision(before)
            patch = rollouts.to_template_of(before)
            touched.append(self._change(deployment, functools.partial(_just, patch)))
            said.append(f"{touched[-1]} to revision {number}")
        if not touched:
            raise PermanentDriverError(f"{service} has no earlier version to go back to")
        return touched, f"{service} rolled back: {', '.join(said)}"

    def _scale(self, service: str, region: str, replicas: str) -> tuple[list[str], str]:
        if not replicas.isdigit() or not 1 <= int(replicas) <= 50:
            raise PermanentDriverError(f"replicas {replicas!r} is not a number from 1 to 50")
        touched = [
            self._change(d, lambda _: {"spec": {"replicas": int(replicas)}})
            for d in self._found(service, region)
        ]
        return touched, f"{_listed(touched)} scaled to {replicas}"

    def _uncordon(self, region: str) -> str:
        if not region:
            raise PermanentDriverError("uncordon needs a region")
        nodes = draining.nodes_in(self._cluster, region=region)
        cordoned = [n["metadata"]["name"] for n in nodes if n["spec"].get("unschedulable")]
        if not cordoned:
            raise PermanentDriverError(f"no node of {region!r} is cordoned")
        for name in cordoned:
            self._cluster.patch("nodes", name, "", {"spec": {"unschedulable": None}})
        return f"uncordoned: {', '.join(cordoned)}"


def _just(patch: Object, _found: Object) -> Object:
    return patch


class ClusterMitigations:
    """Takes a run's mitigations back, from the undo alone; fulfils `gameday.ports.Undoer`."""

    async def is_present(self, undo: Undo) -> bool:
        """Return whether anything the run's responder changed is still changed."""
        return await asyncio.to_thread(self._is_present, undo)

    async def recover(self, undo: Undo) -> None:
        """Put it back as it was before the run; without effect where it is."""
        await asyncio.to_thread(self._recover, undo)

    def _is_present(self, undo: Undo) -> bool:
        with _opened(undo) as cluster:
            changed = _changed(cluster, undo)
            _check_no_copy(changed, undo)
            if not changed:
                check_identity(cluster, undo.data.get("identity"))
            return bool(changed)

    def _recover(self, undo: Undo) -> None:
        namespace = str(undo.data["namespace"])
        with _opened(undo) as cluster:
            changed = _changed(cluster, undo)
            ours = [d for d in changed if not _is_copy(d, undo)]
            for found in ours:
                before = undo.data["before"].get(found["metadata"]["name"], {})
                make = functools.partial(_back, before=before, run=undo.run)
                cluster.change("deployments", found["metadata"]["name"], namespace, make)
            names = [d["metadata"]["name"] for d in ours]
            rollouts.until_through(cluster, namespace, names, within=BACK_WITHIN)
            _check_no_copy(changed, undo)


@contextmanager
def _opened(undo: Undo) -> Iterator[Cluster]:
    """Yield the cluster an undo is for, and no other that answers at its address."""
    where = str(undo.data["context"])
    with connect(where, kubeconfig=undo.data.get("kubeconfig"), is_fenced=False) as cluster:
        check_identity(cluster, undo.data.get("identity"))
        yield cluster


def _changed(cluster: Cluster, undo: Undo) -> list[Object]:
    found = cluster.list("deployments", str(undo.data["namespace"]), labels=SELECTOR)
    return [d for d in found if mitigated_by(d) == undo.run]


def _is_copy(deployment: Object, undo: Undo) -> bool:
    """Return whether it is another object than the one of its name before the run."""
    meta = deployment["metadata"]
    before = undo.data["before"].get(meta["name"]) or {}
    return bool(before.get("uid", meta["uid"]) != meta["uid"])


def _check_no_copy(changed: Sequence[Object], undo: Undo) -> None:
    """Return where every Deployment that bears the run's name is the one that was changed.

    Raises:
        PermanentDriverError: one is not: what its namesake was is not what it should be.
    """
    copies = [str(d["metadata"]["name"]) for d in changed if _is_copy(d, undo)]
    if copies:
        where, name = undo.data["namespace"], copies[0]
        raise PermanentDriverError(
            f"in {where!r} bear the name of the run {undo.run} and are other objects than those it"
            f" changed, made anew from a copy: {_listed(copies)}; put them right by hand, then"
            f" `kubectl -n {where} annotate deployment/{name} {BY}-`"
        )


def unmitigated() -> Object:
    """Return the merge patch that takes a run's name off a Deployment."""
    return {"metadata": {"annotations": {BY: None}}}


def mitigated_by(deployment: Mapping[str, Any]) -> str:
    """Return the run whose responder changed a Deployment; empty where none did."""
    return str((deployment["metadata"].get("annotations") or {}).get(BY, ""))


def _back(found: Object, before: Mapping[str, Any], run: str) -> Object | None:
    """Return the patch that restores what a run changed, and takes its name off."""
    if mitigated_by(found) != run:
        return None
    patch: Object = unmitigated()
    if before:
        spec = rollouts.with_variables(found, before["variables"])["spec"]
        if before["image"]:
            spec["template"]["spec"]["containers"][0]["image"] = before["image"]
        patch["spec"] = {**spec, "replicas": before["replicas"]}
    return patch


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
