"""A simulated API server, as far as our driver and actions speak to one.

It keeps objects with versions and uids, discovers, lists by labels, merges patches, answers watches
from its own past, and forbids evictions that a budget does not allow. What it does
not do: run anything. Pods are ready when they are put there, and gone once they are deleted.
"""

from __future__ import annotations

import copy
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from gameday.drivers.kubernetes import Cluster, Fences, selectors
from gameday.drivers.kubernetes.transport import Answer, Transport
from gameday.testing.gate import Trouble, Troubled, status

Object = dict[str, Any]

KINDS = {
    "v1": {
        "nodes": "Node",
        "pods": "Pod",
        "namespaces": "Namespace",
        "configmaps": "ConfigMap",
        "services": "Service",
    },
    "apps/v1": {
        "deployments": "Deployment",
        "replicasets": "ReplicaSet",
        "statefulsets": "StatefulSet",
        "daemonsets": "DaemonSet",
        "controllerrevisions": "ControllerRevision",
    },
    "batch/v1": {"jobs": "Job"},
    "networking.k8s.io/v1": {"networkpolicies": "NetworkPolicy"},
    "policy/v1": {"poddisruptionbudgets": "PodDisruptionBudget"},
    "authorization.k8s.io/v1": {"selfsubjectaccessreviews": "SelfSubjectAccessReview"},
}
WHOLE = ("nodes", "namespaces", "selfsubjectaccessreviews")
"""Resources without a namespace."""

_PATH = re.compile(
    r"/(?:api|apis)/(?P<version>v1|[\w.-]+/\w+)"
    r"(?:/namespaces/(?P<namespace>[\w.-]+)(?=/[a-z]))?"
    r"/(?P<resource>[a-z]+)(?:/(?P<name>[\w.-]+))?(?:/(?P<sub>[a-z]+))?$"
)
_PROXIED = re.compile(
    r"/api/v1/namespaces/(?P<namespace>[^/]+)/services/(?P<service>[^/]+)/proxy(?P<rest>/.*)"
)


@dataclass
class SimulatedApi:
    """The server; fulfils the driver's `Transport`.

    Attributes:
        uid: of its kube-system: its identity; empty: it has none.
        namespace: what is meant where none is said.
        forbids: (verb, resource) that it says are not granted, where it is asked; nothing more.
        behind: what answers behind a Service, ``NAMESPACE/NAME:PORT``, by method and target; it
            answers in whatever thread asks.
        leads_to: address of a real server behind a Service, likewise; what is sent goes on to it.
    """

    kinds: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: KINDS)
    server: str = "https://simulated:6443"
    troubles: list[Trouble] = field(default_factory=list)
    on_evicted: Callable[[Object], None] | None = None
    uid: str = "uid-of-sim"
    authority: str = ""
    namespace: str = "books"
    forbids: set[tuple[str, str]] = field(default_factory=set)
    behind: dict[str, Callable[[str, str], Answer]] = field(default_factory=dict)
    leads_to: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._versions = count(1)
        self._objects: dict[tuple[str, str, str], Object] = {}
        self._past: list[tuple[int, str, str, Object]] = []
        self._moved = threading.Condition()
        self._first_kept = 0
        if self.uid:
            self.put("namespaces", "kube-system", metadata={"uid": self.uid})

    def cluster(
        self,
        *,
        namespaces: tuple[str, ...] = (),
        context: str = "sim",
        transport: Transport | None = None,
    ) -> Cluster:
        """Return the driver on this server, in whose time every pause is over at once.

        Args:
            namespaces: that may be touched; empty: the one that is meant where none is said.
        """
        now = count()
        return Cluster(
            transport or Troubled(self, self.troubles),
            context=context,
            fences=Fences((context,), namespaces or (self.namespace,)),
            sleep=lambda seconds: None,
            monotonic=lambda: next(now) * 0.5,
        )

    # --- what tests do ------------------------------------------------------------------------

    def put(self, resource: str, name: str, namespace: str = "", **parts: Any) -> Object:
        """Put an object there, as its owner would."""
        meta = {"name": name, **({"namespace": namespace} if namespace else {})}
        meta.update(parts.pop("metadata", {}))
        with self._moved:
            return copy.deepcopy(self._keep("ADDED", resource, {"metadata": meta, **parts}))

    def node(self, name: str, **labels: str) -> Object:
        """Put a ready node there."""
        return self.put(
            "nodes",
            name,
            metadata={"labels": {k.replace("_", "/", 1): v for k, v in labels.items()}},
            spec={},
            status={"conditions": [{"type": "Ready", "status": "True"}]},
        )

    def pod(
        self,
        name: str,
        node: str = "",
        namespace: str = "",
        *,
        app: str = "books",
        owner: tuple[str, str] | None = ("ReplicaSet", "books-1"),
        **spec: Any,
    ) -> Object:
        """Put a ready pod there."""
        meta: Object = {"labels": {"app": app}}
        if owner:
            meta["ownerReferences"] = [{"kind": owner[0], "name": owner[1], "controller": True}]
        return self.put(
            "pods",
            name,
            namespace or self.namespace,
            metadata=meta,
            spec={"nodeName": node, "containers": [{"name": "c", "image": "books:1"}], **spec},
            status={
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        )

    def edit(self, resource: str, name: str, namespace: str, patch: Object, by: str) -> None:
        """Change an object as somebody else would."""
        with self._moved:
            self._patch((resource, namespace, name), patch, by)

    def remove(self, resource: str, name: str, namespace: str = "") -> None:
        """Delete an object as somebody else would."""
        with self._moved:
            self._forget((resource, namespace, name))

    def find(self, resource: str, name: str, namespace: str = "") -> Object | None:
        """Return an object as it is now."""
        with self._moved:
            return copy.deepcopy(self._objects.get((resource, namespace, name)))

    def names(self, resource: str) -> list[str]:
        """Return the names of all objects of a resource."""
        with self._moved:
            return sorted(name for kept, _, name in self._objects if kept == resource)

    def forget_the_past(self) -> None:
        """Let every watch from before now come too late."""
        with self._moved:
            self._first_kept = next(self._versions)

    # --- the transport ------------------------------------------------------------------------

    def ask(
        self, method: str, target: str, *, body: bytes | None, content_type: str, timeout_s: float
    ) -> Answer:
        """See `Transport`."""
        parsed = urlsplit(target)
        proxied = _PROXIED.match(target)
        if proxied is not None:
            name = f"{proxied['namespace']}/{proxied['service']}"
            if name in self.leads_to:
                return _passed_on(method, self.leads_to[name] + proxied["rest"], body, content_type)
            service = self.behind.get(name)
            if service is None:
                return status(404, "there is no such service")
            return service(method, proxied["rest"])
        query = dict(parse_qsl(parsed.query))
        with self._moved:
            return self._answer(method, parsed.path, query, json.loads(body) if body else {})

    def stream(
        self, target: str, *, timeout_s: float, accept: str
    ) -> tuple[Answer, Iterator[bytes]]:
        """See `Transport`; a watch ends when nothing more has happened for a moment."""
        parsed = urlsplit(target)
        query = dict(parse_qsl(parsed.query))
        found = _PATH.match(parsed.path)
        assert found, target
        since = int(query["resourceVersion"])
        if since < self._first_kept:
            return status(410, "too old resource version", reason="Expired"), iter(())
        return Answer(200, {}, b""), self._happenings(found, since, timeout_s)

    def close(self) -> None:
        """See `Transport`."""

    # --- how ----------------------------------------------------------------------------------

    def _happenings(self, found: re.Match[str], since: int, timeout_s: float) -> Iterator[bytes]:
        while True:
            with self._moved:
                new = [e for e in self._past if e[0] > since]
                if not new and not self._moved.wait(min(0.05, timeout_s)):
                    return
                new = [e for e in self._past if e[0] > since]
            for version, event, resource, thing in new:
                since = version
                namespace = thing["metadata"].get("namespace", "")
                if resource == found["resource"] and found["namespace"] in (None, namespace):
                    yield json.dumps({"type": event, "object": thing}).encode() + b"\n"

    def _answer(self, method: str, path: str, query: Mapping[str, str], sent: Object) -> Answer:
        told = self._discovered(path)
        if told is not None:
            return told
        found = _PATH.match(path)
        if found is None or found["resource"] not in self.kinds.get(found["version"], {}):
            return status(404, "the server could not find the requested resource")
        resource, namespace = found["resource"], found["namespace"] or ""
        if found["sub"] == "eviction":
            return self._evict((resource, namespace, found["name"]), sent)
        if resource == "selfsubjectaccessreviews":
            asked = sent["spec"]["resourceAttributes"]
            is_allowed = (asked["verb"], asked["resource"]) not in self.forbids
            return _ok({**sent, "status": {"allowed": is_allowed}}, 201)
        if method == "POST":
            key = (resource, namespace, str(sent["metadata"]["name"]))
            if key in self._objects:
                return status(409, f"{key[2]!r} already exists", reason="AlreadyExists")
            if namespace:
                sent["metadata"]["namespace"] = namespace
            return _ok(self._keep("ADDED", resource, sent), 201)
        if not found["name"]:
            return self._listed(resource, namespace, query.get("labelSelector", ""))
        key = (resource, namespace, found["name"])
        if key not in self._objects:
            return status(404, f'{resource} "{found["name"]}" not found', reason="NotFound")
        current = self._objects[key]
        if method == "GET":
            return _ok(current)
        meta = sent.get("metadata", {})
        if method == "PATCH":
            asked = meta.pop("resourceVersion", None)
            if asked not in (None, current["metadata"]["resourceVersion"]):
                return status(409, "the object has been modified", reason="Conflict")
            return _ok(self._patch(key, sent, query.get("fieldManager", "")))
        wanted = (sent.get("preconditions") or {}).get("uid")
        if wanted not in (None, current["metadata"]["uid"]):
            return status(409, "the UID in the precondition does not match", reason="Conflict")
        return _ok(self._forget(key))

    def _discovered(self, path: str) -> Answer | None:
        if path == "/version":
            return _ok({"gitVersion": "v1.31.0"})
        if path == "/apis":
            groups: dict[str, list[str]] = {}
            for version in self.kinds:
                if "/" in version:
                    groups.setdefault(version.partition("/")[0], []).append(version)
            return _ok(
                {
                    "groups": [
                        {
                            "name": name,
                            "versions": [{"groupVersion": v} for v in versions],
                            "preferredVersion": {"groupVersion": versions[0]},
                        }
                        for name, versions in groups.items()
                    ]
                }
            )
        version = path.removeprefix("/api/").removeprefix("/apis/")
        if version not in self.kinds:
            return None
        resources: list[Object] = [
            {"name": plural, "kind": kind, "namespaced": plural not in WHOLE}
            for plural, kind in self.kinds[version].items()
        ]
        policy = next((v for v in self.kinds if v.startswith("policy/")), "")
        if version == "v1" and policy:
            group, _, number = policy.partition("/")
            eviction = {"name": "pods/eviction", "kind": "Eviction", "namespaced": True}
            resources.append({**eviction, "group": group, "version": number})
        return _ok({"resources": resources})

    def _listed(self, resource: str, namespace: str, labels: str) -> Answer:
        wanted = selectors.parsed(labels)
        items = [
            thing
            for (kept, where, _), thing in sorted(self._objects.items())
            if kept == resource
            and namespace in ("", where)
            and selectors.matches(wanted, thing["metadata"].get("labels") or {})
        ]
        return _ok({"items": items, "metadata": {"resourceVersion": str(next(self._versions))}})

    def _evict(self, key: tuple[str, str, str], sent: Object) -> Answer:
        pod = self._objects.get(key)
        if pod is None:
            return status(404, "pod not found", reason="NotFound")
        if sent["apiVersion"] not in self.kinds:
            return status(400, f"no kind Eviction in {sent['apiVersion']}")
        wanted = (sent.get("deleteOptions", {}).get("preconditions") or {}).get("uid")
        if wanted not in (None, pod["metadata"]["uid"]):
            return status(409, "the UID in the precondition does not match", reason="Conflict")
        guards = [b for b in self._budgets(key[1]) if self._guards(b, pod)]
        if len(guards) > 1:
            return status(500, "This pod has more than one PodDisruptionBudget")
        for guard in guards:
            if self._allowed(guard) < 1:
                cause = f"The disruption budget {guard['metadata']['name']} needs more pods"
                return status(
                    429,
                    "Cannot evict pod as it would violate the pod's disruption budget.",
                    causes=[{"reason": "DisruptionBudget", "message": cause}],
                )
        self._forget(key)
        if self.on_evicted:
            self.on_evicted(pod)
        return _ok({"kind": "Status"}, 201)

    def _budgets(self, namespace: str) -> list[Object]:
        return [
            thing
            for (kept, where, _), thing in self._objects.items()
            if kept == "poddisruptionbudgets" and where == namespace
        ]

    def _guards(self, budget: Object, pod: Object) -> bool:
        labels = pod["metadata"].get("labels") or {}
        return selectors.matches(budget["spec"]["selector"], labels)

    def _allowed(self, budget: Object) -> int:
        namespace = budget["metadata"]["namespace"]
        guarded = [
            thing
            for (kept, where, _), thing in self._objects.items()
            if kept == "pods" and where == namespace and self._guards(budget, thing)
        ]
        return len(guarded) - int(budget["spec"]["minAvailable"])

    def _keep(self, event: str, resource: str, thing: Object) -> Object:
        version = next(self._versions)
        meta = thing["metadata"]
        meta.setdefault("uid", f"uid-{version}")
        meta["resourceVersion"] = str(version)
        key = (resource, meta.get("namespace", ""), meta["name"])
        self._objects[key] = thing
        self._past.append((version, event, resource, copy.deepcopy(thing)))
        self._moved.notify_all()
        return thing

    def _patch(self, key: tuple[str, str, str], patch: Object, manager: str) -> Object:
        before = self._objects[key]
        after: Object = merged(before, patch)
        was, now = (bool((t.get("spec") or {}).get("unschedulable")) for t in (before, after))
        if was != now:
            owned: Object = {"f:spec": {"f:unschedulable": {}}}
            after["metadata"]["managedFields"] = (
                [{"manager": manager, "fieldsV1": owned}] if now else []
            )
        return self._keep("MODIFIED", key[0], after)

    def _forget(self, key: tuple[str, str, str]) -> Object:
        thing = self._objects.pop(key)
        version = next(self._versions)
        thing["metadata"]["resourceVersion"] = str(version)
        self._past.append((version, "DELETED", key[0], copy.deepcopy(thing)))
        self._moved.notify_all()
        return thing


def merged(thing: Any, patch: Any) -> Any:
    """Return a JSON merge patch applied (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    after = dict(thing) if isinstance(thing, dict) else {}
    for key, value in patch.items():
        if value is None:
            after.pop(key, None)
        else:
            after[key] = merged(after.get(key), value)
    return after


def _passed_on(method: str, url: str, body: bytes | None, content_type: str) -> Answer:
    """Return what a server answers, or what API servers say where it does not."""
    import httpx

    sent = {"content-type": content_type, "user-agent": "simulated"}
    try:
        with httpx.Client(trust_env=False, timeout=10) as client:
            answer = client.request(method, url, content=body, headers=sent)
    except httpx.TransportError as error:
        return status(503, f"error trying to reach service: {error}", reason="ServiceUnavailable")
    return Answer(answer.status_code, dict(answer.headers), answer.content)


def _ok(thing: Object, code: int = 200) -> Answer:
    return Answer(code, {}, json.dumps(thing).encode())
