"""`gameday init` in a cluster: what it finds there, what it asks, and what it writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gameday.cli.app import run
from gameday.drivers.kubernetes import access
from gameday.drivers.kubernetes.transport import Answer
from gameday.spec import read_scenario, read_system
from gameday.testing.gate import Trouble, status
from gameday.testing.kubernetes import SimulatedApi

pytestmark = pytest.mark.served

METRIC = "http_server_request_duration_seconds_count"
RULE = {
    "name": "FrontFailing",
    "type": "alerting",
    "duration": 0,
    "labels": {},
    "query": (
        f'sum(rate({METRIC}{{http_response_status_code=~"5..",job="front"}}[5m])) /'
        f' sum(rate({METRIC}{{job="front"}}[5m])) > 0.1'
    ),
}
KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: prod
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: x}}]
contexts:
  - {name: prod, context: {cluster: c, user: u}}
  - {name: test, context: {cluster: c, user: u}}
"""


def prometheus(method: str, target: str) -> Answer:
    parts = urlsplit(target)
    match parts.path:
        case "/api/v1/rules":
            data: Any = {"groups": [{"rules": [RULE]}]}
        case "/api/v1/label/__name__/values":
            data = [METRIC]
        case "/api/v1/alertmanagers":
            data = {"activeAlertmanagers": [{"url": "http://10.1.2.3:9093/api/v2/alerts"}]}
        case "/api/v1/query":
            query = parse_qs(parts.query)["query"][0]
            label = query.partition("(")[2].partition(")")[0]
            found = [{"metric": {label: "front"}, "value": [0, "1"]}] if label == "job" else []
            data = {"resultType": "vector", "result": found}
        case _:
            return status(404)
    return Answer(200, {}, json.dumps({"status": "success", "data": data}).encode())


ZONES = ("eu-a", "eu-b", "us-a", "us-b")


def in_zones(method: str, target: str) -> Answer:
    """Answer as `prometheus`, of requests in two regions with two zones each."""
    data: Any = ["job", "region", "zone"]
    if "region" in target:
        told = [{"job": "front", "region": zone[:2], "zone": zone} for zone in ZONES]
        found = [{"metric": labels, "value": [0, "1"]} for labels in told]
        data = {"resultType": "vector", "result": found}
    elif not target.startswith("/api/v1/labels"):
        return prometheus(method, target)
    return Answer(200, {}, json.dumps({"status": "success", "data": data}).encode())


def alertmanager(method: str, target: str) -> Answer:
    body: Mapping[str, Any] | list[Any] = []
    if target.startswith("/api/v2/status"):
        config = {"original": "route: {receiver: web}"}
        body = {"versionInfo": {"version": "0.33.0"}, "config": config}
    return Answer(200, {}, json.dumps(body).encode())


def jaeger(method: str, target: str) -> Answer:
    return Answer(200, {}, b'{"services": ["front"]}')


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimulatedApi:
    api = SimulatedApi()
    api.put("namespaces", "books")
    api.put("namespaces", "monitoring")
    for name in ("front", "back"):
        api.put("deployments", name, "books", spec={})
    put(api, "monitoring/prometheus:9090", prometheus)
    put(api, "monitoring/alertmanager:9093", alertmanager)
    put(api, "monitoring/jaeger:16686", jaeger)
    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.chdir(tmp_path)

    def connect(context: str, **_: Any) -> Any:
        return api.cluster(namespaces=("books",), context=context)

    monkeypatch.setattr("gameday.drivers.kubernetes.connect", connect)
    monkeypatch.setattr(access, "connect", connect)
    return api


def put(api: SimulatedApi, service: str, answers: Callable[[str, str], Answer]) -> None:
    namespace, _, rest = service.partition("/")
    name, _, port = rest.partition(":")
    api.put("services", name, namespace, spec={"ports": [{"port": int(port)}]})
    api.behind[service] = answers


def init(*words: str) -> int:
    return run(["init", "bookshop", "--objective", "99%", "--owner", "web", *words])


HERE = ("--context", "prod", "--namespace", "books")


def test_it_finds_the_tools_writes_files_that_are_valid_and_says_what_it_saw(
    api: SimulatedApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = init(*HERE)

    said = capsys.readouterr()
    assert 0 == code, said.err
    spec = read_system(tmp_path / "systems/bookshop.yaml").spec
    assert spec.kubernetes is not None and spec.traces is not None and spec.traces.jaeger
    assert ("prod", ("books",)) == (spec.kubernetes.context, spec.kubernetes.namespaces)
    assert (
        "monitoring/prometheus:9090",
        "monitoring/alertmanager:9093",
        "monitoring/jaeger:16686",
    ) == spec.services
    assert ("otel-http", {"alertname": "FrontFailing"}) == (spec.red.preset, spec.alerts.page)
    assert spec.deploys[0].kubernetes is not None
    (rollback,) = spec.mitigations
    assert rollback.kubernetes is not None
    assert "deployment/{service}" == rollback.kubernetes.rollout_undo
    scenario = read_scenario(tmp_path / "scenarios/front-first-drill.yaml")
    assert ("rollback",) == tuple(scenario.spec.expect.mitigation)
    assert "the context prod, v1.31.0, with books" in said.out
    assert "back, front" in said.out
    assert "enough to read deploys and to roll back" in said.out
    assert "GAMEDAY_KUBE_CONTEXTS=prod GAMEDAY_KUBE_NAMESPACES=books" in said.err
    assert 0 == run(["validate", "systems", "slos", "experiments", "runbooks", "scenarios"])


def test_no_address_of_this_machine_stands_in_a_file_or_in_what_is_said(
    api: SimulatedApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    init(*HERE)

    said = capsys.readouterr()
    texts = [path.read_text() for path in tmp_path.rglob("*.yaml")]
    assert not [text for text in (*texts, said.out, said.err) if "127.0.0.1" in text]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--namespace", "books"), "--context: which cluster it runs in; prod is the current one"),
        (("--context", "prod"), "--namespace: in which the system runs: books, monitoring"),
        (("--context", "prod", "--namespace", "book"), "no 'book' in prod (did you mean 'books'"),
        (("--prometheus", "monitoring/prometheus:9090"), "for a Service of a cluster say"),
        ((*HERE, "--traces", "http://jaeger"), "write NAMESPACE/SERVICE:PORT"),
        ((*HERE, "--traces", "books/front:80"), "does not answer as a store of traces does"),
    ],
)
def test_what_cannot_be_seen_or_is_not_there_is_said_and_nothing_is_written(
    api: SimulatedApi,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    said: str,
) -> None:
    code = init(*words)

    assert (2, []) == (code, list(tmp_path.glob("*/*")))
    assert said in capsys.readouterr().err


def test_the_label_that_holds_what_the_nodes_are_in_tells_regions_apart(
    api: SimulatedApi, tmp_path: Path
) -> None:
    api.behind["monitoring/prometheus:9090"] = in_zones
    for zone in ZONES:
        api.node(f"n-{zone}", **{"topology.kubernetes.io_zone": zone})

    assert 0 == init(*HERE)
    regions = read_system(tmp_path / "systems/bookshop.yaml").spec.regions
    assert regions is not None
    assert ("zone", ZONES) == (regions.label, regions.names)


def test_who_may_not_see_the_nodes_is_asked(
    api: SimulatedApi, capsys: pytest.CaptureFixture[str]
) -> None:
    api.behind["monitoring/prometheus:9090"] = in_zones
    api.node("n-1", **{"topology.kubernetes.io_region": "eu"})
    api.node("n-2", **{"topology.kubernetes.io_region": "us"})
    api.troubles.append(Trouble("GET /api/v1/nodes", status(403)))

    assert 2 == run(["init", "bookshop", "--objective", "99%", *HERE])
    assert "tells its regions apart: region, zone, none" in capsys.readouterr().err


def test_of_several_that_answer_one_is_asked_for_and_named(
    api: SimulatedApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(api, "other/jaeger:16686", jaeger)
    put(api, "other/prometheus:9090", prometheus)

    asked = init(*HERE)
    told = capsys.readouterr().err
    which = ("--prometheus", "other/prometheus:9090", "--traces", "none")
    done = init(*HERE, *which)

    assert (2, 0) == (asked, done)
    both = "monitoring/prometheus:9090, other/prometheus:9090"
    assert f"--prometheus: which Prometheus is asked: {both}" in told
    assert "which store of traces is asked: monitoring/jaeger:16686, other/jaeger:16686, none" in (
        told
    )
    spec = read_system(tmp_path / "systems/bookshop.yaml").spec
    assert ("other/prometheus:9090", None) == (spec.metrics.prometheus.service, spec.traces)


def test_what_is_in_the_systems_own_namespace_is_taken_before_others(
    api: SimulatedApi, tmp_path: Path
) -> None:
    put(api, "books/prometheus:9090", prometheus)

    assert 0 == init(*HERE)
    spec = read_system(tmp_path / "systems/bookshop.yaml").spec
    assert "books/prometheus:9090" == spec.metrics.prometheus.service


def test_who_may_not_roll_back_is_told_and_left_to_say_what_may_be_done(
    api: SimulatedApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api.forbids.add(("patch", "deployments"))

    assert 0 == init(*HERE)
    assert "lacking: patch deployments in books" in capsys.readouterr().out
    assert () == read_system(tmp_path / "systems/bookshop.yaml").spec.mitigations


def test_without_a_prometheus_in_the_cluster_its_url_is_asked_for(
    api: SimulatedApi, capsys: pytest.CaptureFixture[str]
) -> None:
    api.behind.clear()

    assert 2 == init(*HERE)
    assert "no Service of the cluster answers as a Prometheus does" in capsys.readouterr().err


def test_what_a_tool_refuses_is_said_of_its_service(
    api: SimulatedApi, capsys: pytest.CaptureFixture[str]
) -> None:
    def without_rules(method: str, target: str) -> Answer:
        return status(404) if "/rules" in target else prometheus(method, target)

    api.behind["monitoring/prometheus:9090"] = without_rules

    code = init(*HERE)

    said = capsys.readouterr().err
    assert 6 == code
    assert "the Service monitoring/prometheus:9090" in said
    assert "127.0.0.1" not in said
