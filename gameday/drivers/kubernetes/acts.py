"""What a system's document lets a responder do to an object of a cluster, and how it is taken back.

Each is what a person would type: ``kubectl rollout undo``, ``scale``, ``set env``, ``cordon``,
``patch``. Each changes one `Aspect` of one object. How that aspect was when the run began is in the
undo; that this run changed it, and what to, is noted on the object itself, with the change:

    gameday.dev/acts: {"run": "r1", "aspects": {"replicas": "9f86d081"}}

So only what a run changed is put back, and only where nobody has changed it since. A template is
never copied into an undo, for it may hold secrets: the ReplicaSet that keeps it is named.
"""

from __future__ import annotations

import asyncio
import copy
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gameday.drivers.kubernetes import rollouts
from gameday.drivers.kubernetes.access import connect
from gameday.drivers.kubernetes.cluster import Cluster, Object
from gameday.drivers.kubernetes.identity import ClusterIdentity, check_identity
from gameday.errors import PermanentDriverError, TemporaryDriverError
from gameday.model.cluster_act import ROLLED_OUT, ClusterAct
from gameday.ports import MITIGATIONS, Undo

__all__ = ["ClusterActs", "UndoneActs"]

NOTE = "gameday.dev/acts"
"""Annotation of what a responder changed: the run, and a digest of each aspect it changed."""

LIVE_WITHIN = timedelta(seconds=50)
"""How long an act may take to be live; whoever asked waits ten seconds more (`DONE_WITHIN`)."""

BACK_WITHIN = timedelta(seconds=25)
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
"""What an object may be called (RFC 1123); a parameter leads to no other path."""


@dataclass(frozen=True, slots=True)
class Aspect:
    """The part of an object that an act changes.

    Attributes:
        name: ``replicas``, ``template``, ``env:A,B``, ``unschedulable`` or ``patch:DIGEST``.
        of: returns it as JSON, out of the object.
        put: returns the merge patch of the object that makes it what `of` returned.
    """

    name: str
    of: Callable[[Object], Any]
    put: Callable[[Object, Any], Object]


_TEMPLATE = Aspect(
    "template",
    lambda found: found["spec"]["template"],
    lambda found, value: {"spec": {"template": _difference(found["spec"]["template"], value)}},
)


def aspect_of(act: ClusterAct) -> Aspect:
    """Return the part of its object that an act changes."""
    if act.scale is not None:
        return Aspect(
            "replicas",
            lambda found: found["spec"].get("replicas", 1),
            lambda _, value: {"spec": {"replicas": value}},
        )
    if act.set_env is not None:
        names, only = tuple(act.set_env.variables), act.set_env.container
        return Aspect(
            f"env:{','.join(names)}",
            lambda found: _variables(found, names, only),
            _with_variables,
        )
    if act.is_of_node:
        return Aspect(
            "unschedulable",
            lambda found: bool(found["spec"].get("unschedulable")),
            lambda _, value: {"spec": {"unschedulable": value or None}},
        )
    if act.patch is not None:
        merge = act.patch.merge
        return Aspect(
            f"patch:{_digest(merge)}",
            lambda found: _reversed(merge, found),
            lambda _, value: value,
        )
    return _TEMPLATE


class ClusterActs:
    """Does what a document lets a responder do to objects of a cluster.

    Made right before a run: how things are then is what they are taken back to.
    """

    def __init__(
        self,
        cluster: Cluster,
        acts: Sequence[ClusterAct],
        *,
        namespaces: Sequence[str],
        identity: ClusterIdentity,
        kubeconfig: str | None = None,
        live_within: timedelta = LIVE_WITHIN,
    ) -> None:
        """Note how everything is now that these acts may change; blocks.

        Raises:
            DriverError: the API server does not answer, or says no.
        """
        self._cluster = cluster
        self._namespaces = tuple(namespaces)
        self._identity = identity
        self._kubeconfig = kubeconfig
        self._live_within = live_within
        self._before: dict[tuple[str, str, str], Object] = {}
        self._sets: dict[str, Sequence[Object]] = {}
        for resource, namespace in sorted({(a.resource, self._namespace(a)) for a in acts}):
            for found in cluster.list(resource, namespace):
                self._before[resource, namespace, found["metadata"]["name"]] = found
        for namespace in {self._namespace(a) for a in acts if a.rollout_undo is not None}:
            self._sets[namespace] = cluster.list("replicasets", namespace)

    def undo(self, run: str, name: str, act: ClusterAct) -> Undo:
        """Return what takes an act back; needs nothing but the API server.

        Raises:
            PermanentDriverError: there was no such object when the run began.
        """
        namespace, aspect = self._namespace(act), aspect_of(act)
        before = self._before.get((act.resource, namespace, _name(act)))
        if before is None:
            raise PermanentDriverError(
                f"there is no {act.aim}{f' in {namespace!r}' if namespace else ''} of"
                f" {self._cluster.context!r}, or it came after the run began"
            )
        value = aspect.of(before)
        if act.rollout_undo is not None:
            live = rollouts.owned(self._sets[namespace], before)
            value = live[-1]["metadata"]["name"] if live else ""
        told = _digest([act.resource, namespace, act.name, aspect.name])
        return Undo(
            id=f"gd-{run}-{name}-{told}",
            kind=MITIGATIONS,
            run=run,
            description=f"{act}{f' in {namespace}' if namespace else ''}",
            command=f"gameday recover {run}",
            data={
                "context": self._cluster.context,
                "kubeconfig": self._kubeconfig,
                "identity": self._identity.to_json(),
                "namespace": namespace,
                "act": act.model_dump(mode="json", by_alias=True),
                "uid": before["metadata"]["uid"],
                "before": value,
            },
        )

    def do(self, run: str, act: ClusterAct) -> str:
        """Do it, in the name of a run, and return what was done; blocks until it is live.

        Raises:
            PermanentDriverError: there is no such object, no revision before, or another run's
                change stands there.
            TemporaryDriverError: it is asked for, and not live in time.
        """
        namespace, aspect, name = self._namespace(act), aspect_of(act), _name(act)
        done: list[str] = []

        def make(found: Object) -> Object:
            note = _note_of(found)
            if note and note["run"] != run:
                raise PermanentDriverError(
                    f"{act.aim} is changed by the run {note['run']}"
                    f" already: `gameday recover {note['run']}` takes that back"
                )
            patch, said = self._patch(act, found, namespace)
            done[:] = [said]
            aspects = {**(note["aspects"] if note else {}), aspect.name: ""}
            return _with_note(
                patch, {"run": run, "uid": found["metadata"]["uid"], "aspects": aspects}
            )

        changed = self._cluster.change(act.resource, name, namespace, make)
        if changed is None:
            raise PermanentDriverError(f"{act.aim} is gone")
        # What the server made of it, with its defaults, is what is compared later.
        self._cluster.change(act.resource, name, namespace, lambda found: _digested(found, aspect))
        if act.resource in ROLLED_OUT:
            until_live(self._cluster, act, namespace, within=self._live_within)
        return done[0]

    def _patch(self, act: ClusterAct, found: Object, namespace: str) -> tuple[Object, str]:
        """Return (the merge patch that does it, what was done, for people)."""
        if act.scale is not None:
            said = str(act.scale.replicas)
            if not said.isdigit() or int(said) > 1000:
                raise PermanentDriverError(f"replicas {said[:20]!r} is not a number up to 1000")
            return {"spec": {"replicas": int(said)}}, str(act)
        if act.set_env is not None:
            wanted = act.set_env
            containers = [
                c["name"]
                for c in found["spec"]["template"]["spec"]["containers"]
                if wanted.container in (None, c["name"])
            ]
            if not containers:
                raise PermanentDriverError(f"{wanted.of} has no container {wanted.container!r}")
            entries = {n: {"name": n, "value": v} for n, v in wanted.variables.items()}
            return _with_variables(found, dict.fromkeys(containers, entries)), str(act)
        if act.is_of_node:
            return {"spec": {"unschedulable": True if act.cordon else None}}, str(act)
        if act.patch is not None:
            return copy.deepcopy(act.patch.merge), str(act)
        return self._rolled_back(found, namespace)

    def _rolled_back(self, found: Object, namespace: str) -> tuple[Object, str]:
        history = rollouts.owned(self._cluster.list("replicasets", namespace), found)
        name = found["metadata"]["name"]
        if len(history) < 2:
            raise PermanentDriverError(f"deployment/{name} has no revision to go back to")
        before = history[-2]
        patch = _TEMPLATE.put(found, _template(before))
        return patch, f"deployment/{name} rolled back to revision {rollouts.revision(before)}"

    def _namespace(self, act: ClusterAct) -> str:
        if act.is_of_node:
            return ""
        return act.namespace or self._namespaces[0]


class UndoneActs:
    """Takes acts back, from their undos alone; fulfils `gameday.ports.Undoer`."""

    async def is_present(self, undo: Undo) -> bool:
        """Return whether what the run's responder did to the object still stands."""
        return await asyncio.to_thread(self._is_present, undo)

    async def recover(self, undo: Undo) -> None:
        """Put it back as it was before the run; what somebody has changed since, stays."""
        await asyncio.to_thread(self._recover, undo)

    def _is_present(self, undo: Undo) -> bool:
        act = ClusterAct.model_validate(undo.data["act"])
        with _opened(undo) as cluster:
            found = cluster.get(act.resource, act.name, undo.data["namespace"])
            if found is None or aspect_of(act).name not in _aspects_of(found, undo):
                check_identity(cluster, undo.data["identity"])
                return False
            return True

    def _recover(self, undo: Undo) -> None:
        act = ClusterAct.model_validate(undo.data["act"])
        aspect, namespace = aspect_of(act), str(undo.data["namespace"])
        with _opened(undo) as cluster:

            def make(found: Object) -> Object | None:
                aspects = dict(_aspects_of(found, undo))
                if aspect.name not in aspects:
                    return None
                noted = aspects.pop(aspect.name)
                patch: Object = {}
                if noted in ("", _digest(aspect.of(found))):
                    patch = aspect.put(found, _value(cluster, act, undo))
                    if "template" in aspects and aspect.name.startswith("env:"):
                        aspects["template"] = ""  # it was this run that changed it once more
                note = {"run": undo.run, "uid": undo.data["uid"], "aspects": aspects}
                return _with_note(patch, note if aspects else None)

            changed = cluster.change(act.resource, act.name, namespace, make)
            if changed is not None and act.resource in ROLLED_OUT:
                until_live(cluster, act, namespace, within=BACK_WITHIN)


def until_live(cluster: Cluster, act: ClusterAct, namespace: str, *, within: timedelta) -> None:
    """Return when every pod of the workload that was changed runs what it says now, and is ready.

    Raises:
        TemporaryDriverError: that is not so in time.
    """
    deadline = time.monotonic() + within.total_seconds()
    while (found := cluster.get(act.resource, act.name, namespace)) is not None:
        if _is_live(found):
            return
        if time.monotonic() > deadline:
            raise TemporaryDriverError(
                f"{act.aim} is not rolled out after {within.total_seconds():.0f} s;"
                f" `kubectl -n {namespace} rollout status {act.aim}` shows more"
            )
        time.sleep(rollouts.LOOK_EVERY.total_seconds())


def _is_live(workload: Mapping[str, Any]) -> bool:
    status, spec = workload.get("status") or {}, workload["spec"]
    if status.get("observedGeneration", 0) < workload["metadata"].get("generation", 0):
        return False
    if "desiredNumberScheduled" in status:  # a DaemonSet
        wanted = status["desiredNumberScheduled"]
        # What is none is left out.
        told = ("updatedNumberScheduled", "numberAvailable")
        return all(status.get(field, 0) == wanted for field in told)
    wanted = spec.get("replicas", 1)
    # StatefulSets told how many are available only from 1.22 on.
    ready = status.get("availableReplicas", status.get("readyReplicas", 0))
    counts = (status.get("updatedReplicas", 0), ready, status.get("replicas", 0))
    return all(count == wanted for count in counts)


@contextmanager
def _opened(undo: Undo) -> Iterator[Cluster]:
    """Yield the cluster an undo is for, and no other that answers at its address."""
    where = str(undo.data["context"])
    with connect(where, kubeconfig=undo.data["kubeconfig"], is_fenced=False) as cluster:
        check_identity(cluster, undo.data["identity"])
        yield cluster


def _value(cluster: Cluster, act: ClusterAct, undo: Undo) -> Any:
    """Return what the changed aspect was before the run."""
    before = undo.data["before"]
    if act.rollout_undo is None:
        return before
    kept = cluster.get("replicasets", before, undo.data["namespace"]) if before else None
    if kept is None:
        raise PermanentDriverError(
            f"what ran in {act.rollout_undo} before the run is not kept any more (the ReplicaSet"
            f" {before!r}): deploy it again, then `kubectl -n {undo.data['namespace']} annotate"
            f" {act.rollout_undo} {NOTE}-`"
        )
    return _template(kept)


def _template(replica_set: Mapping[str, Any]) -> Object:
    """Return the template that a ReplicaSet keeps, without the label that is its own."""
    template: Object = copy.deepcopy(replica_set["spec"]["template"])
    (template.get("metadata", {}).get("labels") or {}).pop("pod-template-hash", None)
    return template


def _name(act: ClusterAct) -> str:
    if not NAME.fullmatch(act.name):
        raise PermanentDriverError(f"{act.name[:60]!r} is no name of an object of a cluster")
    return act.name


# --- what is noted on an object -----------------------------------------------------------------


def _noted(found: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what a responder of gameday noted on an object, or on the one it is a copy of."""
    said = (found["metadata"].get("annotations") or {}).get(NOTE)
    try:
        note = json.loads(said) if said else None
    except ValueError:
        return None
    return note if isinstance(note, dict) and {"run", "uid", "aspects"} <= note.keys() else None


def _note_of(found: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what a responder of gameday noted on an object; None: nothing, or not on this one."""
    note = _noted(found)
    return note if note is not None and note["uid"] == found["metadata"]["uid"] else None


def _aspects_of(found: Mapping[str, Any], undo: Undo) -> Mapping[str, str]:
    """Return the aspects of an object that the run of an undo changed.

    Raises:
        PermanentDriverError: it is another object, made anew from a copy of the changed one.
    """
    note = _noted(found)
    if note is None or note["run"] != undo.run:
        return {}
    if found["metadata"]["uid"] != undo.data["uid"]:
        what = ClusterAct.model_validate(undo.data["act"]).aim
        where = undo.data["namespace"]
        raise PermanentDriverError(
            f"{what} bears the name of the run {undo.run} and is another object than the one that"
            " it changed, made anew from a copy: put it right by hand, then `kubectl"
            f"{f' -n {where}' if where else ''} annotate {what} {NOTE}-`"
        )
    aspects: Mapping[str, str] = note["aspects"]
    return aspects


def _with_note(patch: Object, note: Mapping[str, Any] | None) -> Object:
    said = None if note is None else json.dumps(note, sort_keys=True)
    return {**patch, "metadata": {"annotations": {NOTE: said}}}


def _digested(found: Object, aspect: Aspect) -> Object | None:
    note = _note_of(found)
    if note is None or aspect.name not in note["aspects"]:
        return None
    aspects = {**note["aspects"], aspect.name: _digest(aspect.of(found))}
    return _with_note({}, {**note, "aspects": aspects})


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:8]


# --- merge patches (RFC 7396) -------------------------------------------------------------------


def _variables(
    found: Mapping[str, Any], names: Sequence[str], only: str | None
) -> dict[str, dict[str, Any]]:
    """Return the entries of these variables, by container; None where it has none."""
    return {
        container["name"]: {
            name: next((e for e in container.get("env") or () if e["name"] == name), None)
            for name in names
        }
        for container in found["spec"]["template"]["spec"]["containers"]
        if only in (None, container["name"])
    }


def _with_variables(found: Object, wanted: Mapping[str, Mapping[str, Any]]) -> Object:
    """Return the merge patch that gives containers these entries; None takes one away."""
    containers = copy.deepcopy(found["spec"]["template"]["spec"]["containers"])
    for container in containers:
        entries = wanted.get(container["name"])
        if entries is None:
            continue
        there = container.get("env") or ()
        # In its place, for a variable may be made of those before it.
        kept = [entries.get(e["name"], e) for e in there]
        names = {e["name"] for e in there}
        new = [entry for name, entry in entries.items() if name not in names]
        container["env"] = [entry for entry in (*kept, *new) if entry is not None]
        if not container["env"]:
            del container["env"]
    return {"spec": {"template": {"spec": {"containers": containers}}}}


def _reversed(merge: Mapping[str, Any], found: Any) -> Object:
    """Return the patch that makes the fields of another one what they are in an object."""
    there = found if isinstance(found, dict) else {}
    return {
        key: _reversed(value, there[key])
        if isinstance(value, dict) and isinstance(there.get(key), dict)
        else there.get(key)
        for key, value in merge.items()
    }


def _difference(old: Any, new: Any) -> Any:
    """Return the patch that makes an old value the new one."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    changed = {k: _difference(old.get(k), v) for k, v in new.items() if old.get(k) != v}
    return {**dict.fromkeys(old.keys() - new.keys()), **changed}
