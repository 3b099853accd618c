"""A cluster looked at for the first time: which of its Services answer as what."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from gameday.drivers.kubernetes.survey import ClusterSurvey, ServiceKind, service_path
from gameday.drivers.kubernetes.transport import Answer
from gameday.testing.gate import Trouble, status
from gameday.testing.kubernetes import SimulatedApi

Says = Callable[[str, str], Answer]


def says(path: str, body: Any) -> Says:
    """Return what answers one path and nothing else."""
    told = body if isinstance(body, bytes) else json.dumps(body).encode()

    def answer(method: str, target: str) -> Answer:
        return Answer(200, {}, told) if target == path else status(404, "not here")

    return answer


PROMETHEUS = says("/api/v1/query?query=vector(1)", {"data": {"resultType": "vector"}})
ALERTMANAGER = says("/api/v2/status", {"versionInfo": {}, "config": {}})
JAEGER = says("/api/v3/services", {"services": ["a"]})
EMPTY_JAEGER = says("/api/v3/services", {})
TEMPO = says("/api/echo", b"echo")
PYROSCOPE = says("/querier.v1.QuerierService/ProfileTypes", {})


def service(api: SimulatedApi, name: str, *ports: int, answers: Says | None, **spec: Any) -> None:
    """Put a Service there, behind whose last port something answers."""
    namespace, _, own = name.partition("/")
    told = {"ports": [{"port": port} for port in ports], "clusterIP": "10.0.0.1", **spec}
    api.put("services", own, namespace, spec=told)
    if answers is not None:
        api.behind[f"{name}:{ports[-1]}"] = answers


def answering(api: SimulatedApi, *namespaces: str) -> dict[str, tuple[str, ...]]:
    found = ClusterSurvey(api.cluster()).answering(namespaces or ("books",))
    return {str(kind): services for kind, services in found.items() if services}


@pytest.fixture
def api() -> SimulatedApi:
    return SimulatedApi()


@pytest.mark.parametrize(
    ("kind", "name", "port", "answers"),
    [
        (ServiceKind.PROMETHEUS, "m/prometheus-k8s", 9090, PROMETHEUS),
        (ServiceKind.PROMETHEUS, "m/metrics", 9090, PROMETHEUS),
        (ServiceKind.PROMETHEUS, "m/victoria-single", 8428, PROMETHEUS),
        (ServiceKind.ALERTMANAGER, "m/alertmanager-main", 80, ALERTMANAGER),
        (ServiceKind.JAEGER, "m/jaeger-query", 16686, JAEGER),
        (ServiceKind.JAEGER, "m/jaeger", 16686, EMPTY_JAEGER),
        (ServiceKind.TEMPO, "m/tempo", 3200, TEMPO),
        (ServiceKind.PYROSCOPE, "m/pyroscope", 4040, PYROSCOPE),
    ],
)
def test_a_service_is_what_it_answers_as(
    api: SimulatedApi, kind: ServiceKind, name: str, port: int, answers: Says
) -> None:
    service(api, name, port, answers=answers)

    assert {str(kind): (f"{name}:{port}",)} == answering(api)


def test_what_is_called_so_and_answers_otherwise_is_not_taken(api: SimulatedApi) -> None:
    service(api, "m/prometheus-operator", 8080, answers=says("/metrics", b"# HELP"))
    service(api, "m/alertmanager", 9093, answers=None)
    service(api, "m/prometheus", 9090, answers=says("/api/v1/query?query=vector(1)", b"<html>"))

    assert {} == answering(api)


def test_a_service_that_nothing_speaks_for_is_not_asked(api: SimulatedApi) -> None:
    heard: list[str] = []
    service(api, "books/cart", 8080, answers=lambda method, path: heard.append(path))  # type: ignore[arg-type,func-returns-value]

    answering(api)

    assert [] == heard


def test_those_of_the_systems_namespaces_come_first(api: SimulatedApi) -> None:
    for name in ("a/prometheus", "books/prometheus", "z/prometheus"):
        service(api, name, 9090, answers=PROMETHEUS)

    assert ("books/prometheus:9090", "a/prometheus:9090", "z/prometheus:9090") == answering(api)[
        "prometheus"
    ]


def test_the_headless_service_of_an_operator_is_passed_over_beside_the_other(
    api: SimulatedApi,
) -> None:
    service(api, "m/prometheus-k8s", 8080, 9090, answers=PROMETHEUS)
    service(api, "m/prometheus-operated", 9090, answers=PROMETHEUS, clusterIP="None")
    service(api, "n/alertmanager-operated", 9093, answers=ALERTMANAGER, clusterIP="None")

    assert {
        "prometheus": ("m/prometheus-k8s:9090",),
        "alertmanager": ("n/alertmanager-operated:9093",),
    } == answering(api)


def test_who_may_not_see_all_services_sees_those_of_the_namespaces(api: SimulatedApi) -> None:
    service(api, "books/prometheus", 9090, answers=PROMETHEUS)
    service(api, "m/prometheus", 9090, answers=PROMETHEUS)
    forbidden = status(403, "services is forbidden", reason="Forbidden")
    api.troubles.append(Trouble(r"^GET /api/v1/services", forbidden, times=9))

    assert {"prometheus": ("books/prometheus:9090",)} == answering(api)


def test_namespaces_of_the_cluster_itself_are_no_place_for_a_drill(api: SimulatedApi) -> None:
    api.put("namespaces", "books")

    assert ("books",) == ClusterSurvey(api.cluster()).namespaces()


def test_rights_that_are_missing_are_named(api: SimulatedApi) -> None:
    api.forbids |= {("patch", "deployments"), ("list", "replicasets")}

    found = ClusterSurvey(api.cluster()).lacking(["books"])

    assert ("list replicasets in books", "patch deployments in books") == found


def test_the_way_through_the_api_server_is_that_of_services() -> None:
    assert "/api/v1/namespaces/m/services/prom:9090/proxy/x?y" == service_path(
        "m/prom:9090", "/x?y"
    )
