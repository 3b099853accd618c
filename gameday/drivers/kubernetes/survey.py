"""A cluster, looked at for the first time: what runs in it, and which Services answer as what.

Only Services are asked whose name or port says that they may be what is looked for, each by a
question that nothing but the real thing answers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from gameday.drivers.kubernetes.cluster import Cluster, Object
from gameday.drivers.kubernetes.fences import PROTECTED
from gameday.drivers.kubernetes.rights import may
from gameday.drivers.kubernetes.transport import Answer
from gameday.errors import DriverError, PermanentDriverError

__all__ = ["ClusterSurvey", "ServiceKind", "service_path"]

WITHIN = timedelta(seconds=4)
"""How long a Service may take to say what it is."""

AT_ONCE = 8

READS = (("list", "deployments"), ("list", "replicasets"), ("get", "services/proxy"))
"""What every drill on a cluster needs: deploys are read, and tools asked through the API server."""

REGION, ZONE = "topology.kubernetes.io/region", "topology.kubernetes.io/zone"
"""Well-known labels of nodes."""

ROLLS_BACK = (("get", "deployments"), ("patch", "deployments"))


class ServiceKind(StrEnum):
    """What a Service may answer as, by its name in a system's file."""

    PROMETHEUS = "prometheus"
    ALERTMANAGER = "alertmanager"
    JAEGER = "jaeger"
    TEMPO = "tempo"
    PYROSCOPE = "pyroscope"


@dataclass(frozen=True, slots=True)
class _Sign:
    """By what a kind is known.

    Attributes:
        words: one of them is in the names of many such Services.
        port: the one it listens on by default.
        path: what is asked; with a body, by POST.
        answers: whether an answer can only be this kind's.
    """

    words: tuple[str, ...]
    port: int
    path: str
    answers: Callable[[bytes], bool]
    body: bytes | None = None


def _has(*keys: str, of: str = "") -> Callable[[bytes], bool]:
    """Return what tells whether a JSON object has all of these keys, at its top or below one."""

    def answers(body: bytes) -> bool:
        found = _json(body)
        told = found.get(of) if of and isinstance(found, dict) else found
        return isinstance(told, dict) and all(key in told for key in keys)

    return answers


_SIGNS: Mapping[ServiceKind, _Sign] = {
    ServiceKind.PROMETHEUS: _Sign(
        ("prometheus", "thanos", "mimir", "victoria", "vmselect", "vmsingle"),
        9090,
        "/api/v1/query?query=vector(1)",
        _has("resultType", of="data"),
    ),
    ServiceKind.ALERTMANAGER: _Sign(
        ("alertmanager",), 9093, "/api/v2/status", _has("versionInfo", "config")
    ),
    ServiceKind.JAEGER: _Sign(
        ("jaeger",),
        16686,
        "/api/v3/services",
        # One that has no traces yet has no services, and leaves the key out.
        lambda body: _json(body) == {} or _has("services")(body),
    ),
    ServiceKind.TEMPO: _Sign(("tempo",), 3200, "/api/echo", lambda body: body.strip() == b"echo"),
    ServiceKind.PYROSCOPE: _Sign(
        ("pyroscope", "phlare"),
        4040,
        "/querier.v1.QuerierService/ProfileTypes",
        lambda body: isinstance(_json(body), dict),
        body=b'{"start": "0", "end": "0"}',
    ),
}


def service_path(service: str, path: str) -> str:
    """Return where the API server passes on what is asked of ``NAMESPACE/NAME:PORT``."""
    namespace, _, rest = service.partition("/")
    return f"/api/v1/namespaces/{namespace}/services/{rest}/proxy{path}"


class ClusterSurvey:
    """One cluster, asked what there is; nothing is changed. Blocks."""

    def __init__(self, cluster: Cluster) -> None:
        """Remember whom to ask."""
        self._cluster = cluster

    def namespaces(self) -> tuple[str, ...]:
        """Return the namespaces that a drill may be in at all; empty where they are not told."""
        try:
            found = self._cluster.list("namespaces")
        except PermanentDriverError:
            return ()  # who may see one namespace need not see which there are
        names = (str(one["metadata"]["name"]) for one in found)
        return tuple(sorted(name for name in names if name not in PROTECTED))

    def deployments(self, namespaces: Sequence[str]) -> tuple[str, ...]:
        """Return the names of the Deployments in these namespaces, sorted.

        Raises:
            DriverError: the API server does not answer, or does not let them be listed.
        """
        found = (d for n in namespaces for d in self._cluster.list("deployments", n))
        return tuple(sorted({str(one["metadata"]["name"]) for one in found}))

    def places(self) -> tuple[tuple[str, ...], ...]:
        """Return the regions, and the zones, that the nodes are in; empty where it is not told."""
        try:
            labels = [node["metadata"].get("labels") or {} for node in self._cluster.list("nodes")]
        except PermanentDriverError:
            return ()  # who may see a namespace need not see the nodes
        found = (tuple(sorted({str(n[well_known]) for n in labels if n.get(well_known)}))
                 for well_known in (REGION, ZONE))  # fmt: skip
        return tuple(filter(None, found))

    def lacking(self, namespaces: Sequence[str]) -> tuple[str, ...]:
        """Return the rights that whoever asks has not, of those that a first drill needs."""
        return tuple(
            f"{verb} {resource} in {namespace}"
            for namespace in namespaces
            for verb, resource in (*READS, *ROLLS_BACK)
            if not self._may(verb, resource, namespace)
        )

    def answering(self, namespaces: Sequence[str]) -> Mapping[ServiceKind, tuple[str, ...]]:
        """Return which Services answer as what, each as ``NAMESPACE/NAME:PORT``.

        Those of these namespaces come first, then the others, as far as they are told.
        """
        services = self._services(namespaces)
        asked = [
            (kind, service, port)
            for kind, sign in _SIGNS.items()
            for service in services
            for port in _ports(service, sign)
        ]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(lambda one: self._is(one[0], one[1], one[2]), asked))
        found = [one for one, is_it in zip(asked, answers, strict=True) if is_it]
        return {
            kind: tuple(
                dict.fromkeys(
                    f"{_name(service)}:{port}"
                    for service, port in _best([(s, p) for k, s, p in found if k is kind])
                )
            )
            for kind in ServiceKind
        }

    # --- how ----------------------------------------------------------------------------------

    def _may(self, verb: str, resource: str, namespace: str) -> bool:
        plural, _, sub = resource.partition("/")
        return may(self._cluster, verb, plural, namespace, subresource=sub)

    def _services(self, namespaces: Sequence[str]) -> Sequence[Object]:
        try:
            found = self._cluster.list("services")
        except PermanentDriverError:
            found = [s for n in namespaces for s in self._cluster.list("services", n)]

        def nearness(service: Object) -> tuple[int, str]:
            where = str(service["metadata"]["namespace"])
            near = namespaces.index(where) if where in namespaces else len(namespaces)
            return near, _name(service)

        return sorted(found, key=nearness)

    def _is(self, kind: ServiceKind, service: Object, port: int) -> bool:
        sign = _SIGNS[kind]
        target = service_path(f"{_name(service)}:{port}", sign.path)
        try:
            answer: Answer = self._cluster.exchange(
                "GET" if sign.body is None else "POST", target, body=sign.body, timeout=WITHIN
            )
        except DriverError:
            return False
        return answer.status < 300 and sign.answers(answer.body)


def _name(service: Object) -> str:
    return f"{service['metadata']['namespace']}/{service['metadata']['name']}"


def _ports(service: Object, sign: _Sign) -> Iterator[int]:
    """Yield the ports of a Service at which something may be what is looked for."""
    ports = [
        int(port["port"])
        for port in (service.get("spec") or {}).get("ports") or ()
        if port.get("protocol", "TCP") == "TCP"
    ]
    if sign.port in ports:
        yield sign.port
    elif any(word in str(service["metadata"]["name"]) for word in sign.words):
        yield from ports


def _best(found: Sequence[tuple[Object, int]]) -> Iterator[tuple[Object, int]]:
    """Yield one way to each: of a Service its first port, and no headless one beside another.

    An operator makes a headless Service for its pods, beside the one that people ask.
    """
    asked = {_name(s) for s, _ in found}
    steady = {s["metadata"]["namespace"] for s, _ in found if not _is_headless(s)}
    for service, port in found:
        if _name(service) not in asked:
            continue
        asked.discard(_name(service))
        if not _is_headless(service) or service["metadata"]["namespace"] not in steady:
            yield service, port


def _is_headless(service: Object) -> bool:
    return (service.get("spec") or {}).get("clusterIP") == "None"


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
