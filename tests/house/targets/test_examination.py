"""What a system's document says is held against the system before a drill, line by line."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gameday.house.targets.check import Check
from gameday.house.targets.examination import examined
from gameday.model.slo import Slo
from gameday.model.system import System
from gameday.sandbox.telemetry.app import create_app
from gameday.testing.served import PatientServer, served
from scoring.slo import BurnWindow, Objective, workbook_windows

pytestmark = pytest.mark.served

SLO = Slo(
    id="served",
    service="pages",
    objective=Objective(0.99, timedelta(days=30)),
    windows=(BurnWindow(timedelta(minutes=1), timedelta(seconds=5), 10),),
    bad_query='answers{code="5xx"}',
    total_query="answers",
)


def burning(*windows: str, threshold: str = "0.1") -> dict[str, Any]:
    """Return the alert's rule, as Prometheus tells of it, with these windows."""
    share = 'sum(rate(answers{{code="5xx"}}[{0}])) / sum(rate(answers[{0}])) > {1}'
    query = " and ".join(share.format(window, threshold) for window in windows)
    return {"name": "PagesFailing", "type": "alerting", "query": query}


RULE = burning("1m", "5s")
ROUTES = """
route: {receiver: rota}
receivers: [{name: rota, webhook_configs: [{url: "<secret>"}]}]
"""


class Tools:
    """A Prometheus and an Alertmanager on one port, as they would answer."""

    def __init__(self) -> None:
        self.rules = [RULE]
        self.value: Callable[[str], float | None] = lambda _: 1.0
        self.alerts: Any = [
            {"labels": {"alertname": "Watchdog"}, "fingerprint": "w", "startsAt": "2026"}
        ]
        self.token = ""
        self.regions: list[str] = []
        tools = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                told = self.headers.get("Authorization", "")
                status, body = (401, {"error": "no"}) if told != tools.token else (200, None)
                text = json.dumps(tools.answer(self.path) if body is None else body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.server = PatientServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, path: str) -> Any:
        parts = urlsplit(path)
        if parts.path == "/api/v2/alerts":
            return self.alerts
        if parts.path == "/api/v2/silences":
            return []
        if parts.path == "/api/v2/status":
            return {"config": {"original": ROUTES}}
        if parts.path == "/api/v1/alertmanagers":
            return {"data": {"activeAlertmanagers": [{"url": f"{self.url}/api/v2/alerts"}]}}
        if parts.path == "/api/v1/rules":
            return {"data": {"groups": [{"interval": 1, "rules": self.rules}]}}
        (query,) = parse_qs(parts.query)["query"]
        if parts.path == "/api/v1/query_range":
            drawn = [
                {"metric": {"region": name} if name else {}, "values": [[time.time(), "1"]]}
                for name in self.regions
            ]
            return {"data": {"result": drawn}}
        own = {"vector(1)": 1.0, "vector(time())": time.time()}
        value = own[query] if query in own else self.value(query)
        found = [] if value is None else [{"metric": {}, "value": [0, str(value)]}]
        return {"data": {"result": found}}


@pytest.fixture
def tools() -> Iterator[Tools]:
    tools = Tools()
    thread = threading.Thread(target=tools.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield tools
    tools.server.shutdown()
    tools.server.server_close()
    thread.join()


def system(tools: Tools, **changes: Any) -> System:
    spec = {
        "metrics": {"prometheus": {"url": tools.url}},
        "alerts": {"page": {"alertname": "PagesFailing"}},
        "pages": {"alertmanager": {"url": tools.url}},
        "red": {"preset": "haproxy"},
        "mitigations": [{"name": "a", "command": {"run": ["sh"]}, "undo": {"run": ["sh"]}}],
    }
    return System.model_validate({"metadata": {"name": "pages"}, "spec": {**spec, **changes}})


async def failed(told: System, *slos: Slo) -> list[Check]:
    return [check for check in await examined(told, slos) if check.how and not check.ok]


async def test_a_system_that_is_as_its_document_says_is_proven_line_by_line(tools: Tools) -> None:
    tools.value = lambda query: 3.0 if query.startswith("count") else 0.02

    proofs = await examined(system(tools), [SLO])

    assert [
        ("prometheus", f"answers at {tools.url}"),
        ("clock", "Prometheus and this machine agree"),
        ("alerts sent to", tools.url),
        ("alertmanager", f"answers at {tools.url}"),
        ("watchdog", "fires, and comes through"),
        ("page of served", "goes to 'rota'"),
        ("silences of served", "none holds it back"),
        ("burn rate of served", "5s: 2, 1m: 2"),
        ("red of pages", "rate 0.02/s, errors 2.00%, duration 20 ms"),
        ("rule PagesFailing", "loaded, by workbook: 1m/5s above 0.1 (10 × budget)"),
        ("mitigation a", "sh"),
    ] == [(p.what, p.found) for p in proofs]
    assert all(p.ok for p in proofs)


async def test_what_is_broken_is_named_with_what_to_do(tools: Tools) -> None:
    tools.rules = []
    tools.alerts = {"status": "success"}
    tools.value = lambda _: None
    told = system(
        tools, mitigations=[{"name": "a", "command": {"run": ["/no/such"]}, "undo": "none"}]
    )

    found = {proof.what: proof.how for proof in await failed(told, SLO)}

    assert {
        "alertmanager",
        "burn rate of served",
        "red of pages",
        "rule PagesFailing",
        "mitigation a",
    } == set(found)
    assert "not as Alertmanager does" in found["alertmanager"]
    assert "how its events are counted" in found["burn rate of served"]
    assert "metrics.serviceLabel names another" in found["red of pages"]
    assert "has no alerting rule 'PagesFailing'" in found["rule PagesFailing"]
    assert "there is no program /no/such here" in found["mitigation a"]


async def test_a_rule_that_looks_back_otherwise_than_the_slo_is_told(tools: Tools) -> None:
    tools.rules = [{**burning("1h", "5m", threshold="14.4 * 0.01"), "duration": 120}]

    (rule,) = await failed(system(tools), SLO)

    assert (
        "loaded, by workbook: 1h/5m above 0.144 (14.4 × budget), for 2m; the SLO served says 1m/5s"
        " at burn rate 10, and the rule says 1h/5m at burn rate 14.4 for 2m"
    ) == rule.found
    assert "a drill goes by the rule's" in rule.how


async def test_a_rule_that_cannot_be_read_is_told_with_what_a_drill_goes_by(tools: Tools) -> None:
    tools.rules = [{**RULE, "query": "deriv(a[1h]) > 0.1"}]
    stated, default = SLO, replace(SLO, windows=workbook_windows(timedelta(days=30)))

    (*_, first, _) = await examined(system(tools), [stated])
    (second,) = await failed(system(tools), default)

    reason = "loaded; the alert PagesFailing cannot be read: deriv(…) is not followed"
    assert [reason, reason] == [first.found, second.found]
    assert "the prediction rests on what served states" in first.how
    assert "a drill times it; when it must fire is unknown" == second.how


async def test_alerts_that_are_found_by_what_they_count_are_proven_each(tools: Tools) -> None:
    page = {**RULE, "labels": {"severity": "page"}}
    ticket = {**burning("6h", "30m"), "labels": {"severity": "ticket"}}
    tools.rules = [page, ticket]

    proofs = await examined(system(tools, alerts={"rules": "auto"}), [SLO])
    missing = await failed(system(tools, alerts={"rules": "pyrra"}), SLO)

    assert [
        (
            'rule PagesFailing{severity="page"}',
            "loaded, by workbook: 1m/5s above 0.1 (10 × budget)",
        ),
        (
            'rule PagesFailing{severity="ticket"}',
            "loaded, by workbook: 6h/30m above 0.1 (10 × budget)",
        ),
    ] == [(p.what, p.found) for p in proofs if p.what.startswith("rule ")]
    assert "no alert in the shape of pyrra that pages for served of pages" in missing[0].how


async def test_a_window_without_traffic_is_unknown_and_no_pass(tools: Tools) -> None:
    tools.value = lambda query: 1.0 if query.startswith("count") else None

    rate, red = await failed(system(tools), SLO)

    assert "no burn rate over 5s, 1m" == rate.found
    assert "no request of 'pages' is counted by the preset haproxy" == red.found


async def test_a_wrong_token_and_a_missing_one_are_told_apart(
    tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools.token = "Bearer HUNTER2"
    at = {"url": tools.url, "bearerToken": {"env": "PROMETHEUS_TOKEN"}}
    told = system(tools, metrics={"prometheus": at}, pages={"alertmanager": at})

    monkeypatch.delenv("PROMETHEUS_TOKEN", raising=False)
    missing = await failed(told)
    monkeypatch.setenv("PROMETHEUS_TOKEN", "HUNTER3")
    wrong = await failed(told)
    monkeypatch.setenv("PROMETHEUS_TOKEN", "HUNTER2")
    right = await failed(told)

    assert "the variable PROMETHEUS_TOKEN of the environment, which is not set" in missing[0].how
    assert "no" in wrong[0].how and "HUNTER3" not in str(wrong)
    assert ["scenario"] == [proof.what for proof in right]


async def test_a_range_is_read_as_prometheus_writes_it(tools: Tools) -> None:
    tools.rules = [burning("1h30m", "5m")]
    slo = replace(SLO, windows=(BurnWindow(timedelta(minutes=90), timedelta(minutes=5), 10),))

    assert [] == await failed(system(tools), slo)


async def test_of_rules_of_one_name_the_one_with_the_labels_is_meant(tools: Tools) -> None:
    ticket = {**burning("3d"), "labels": {"severity": "ticket"}}
    tools.rules = [ticket, {**RULE, "labels": {"severity": "page"}}]
    page = {"alertname": "PagesFailing", "severity": "page"}

    assert [] == await failed(system(tools, alerts={"page": page}), SLO)


async def test_a_secret_that_a_mitigation_lacks_is_found_before_the_drill(
    tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FLAGS_TOKEN", raising=False)
    call = {"post": "https://flags.example/shed", "token": {"env": "FLAGS_TOKEN"}}
    told = system(tools, mitigations=[{"name": "shed", "http": call, "undo": call}])

    (mitigation,) = await failed(told, SLO)

    assert "FLAGS_TOKEN" in mitigation.how


async def test_what_an_action_of_chaos_toolkit_lacks_is_found_before_the_drill(
    tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FLAGS_TOKEN", raising=False)
    call = {
        "name": "shed",
        "provider": {"type": "http", "url": "http://127.0.0.1:9/{region}"},
        "secrets": {"flags": {"TOKEN": {"env": "FLAGS_TOKEN"}}},
    }
    flush = {"name": "flush", "provider": {"type": "python", "module": "no.such", "func": "f"}}
    fill = {"name": "fill", "provider": {"type": "process", "path": "/no/such"}}
    told = system(
        tools,
        mitigations=[
            {"name": "shed", "chaostoolkit": call, "undo": "none"},
            {"name": "flush", "chaostoolkit": flush, "undo": fill},
        ],
    )

    shed, flushed = (check.how for check in await failed(told, SLO))
    monkeypatch.setenv("FLAGS_TOKEN", "HUNTER22")
    (called, _) = (check.how for check in await failed(told, SLO))

    assert "FLAGS_TOKEN" in shed
    assert "no Python module 'no.such'" in flushed
    assert "no program '/no/such'" in flushed
    assert "127.0.0.1:9" in called


async def test_an_action_that_can_be_played_is_named_and_not_tried(tools: Tools) -> None:
    tools.value = lambda query: 3.0 if query.startswith("count") else 0.02
    out = {"name": "take out", "provider": {"type": "process", "path": "false"}}
    told = system(
        tools,
        mitigations=[{"name": "take-out", "chaostoolkit": out, "undo": {**out, "name": "in"}}],
    )

    found = {check.what: check.found for check in await examined(told, [SLO])}

    assert "action take out, not tried, action in, not tried" == found["mitigation take-out"]


@pytest.mark.parametrize(
    ("red", "how"),
    [
        ({"preset": "envoy"}, "see how durations are stored: `histograms: native`, or `none`"),
        (
            {"rate": "visits", "duration": "histogram_quantile(0.9, a_bucket)"},
            "see in Prometheus what its query draws",
        ),
    ],
)
async def test_a_duration_that_is_not_measured_is_told_before_the_day(
    tools: Tools, red: dict[str, str], how: str
) -> None:
    tools.value = lambda query: None if "_bucket" in query else 0.02

    (proof,) = await failed(system(tools, red=red), SLO)

    assert "red of pages" == proof.what
    assert proof.found.endswith(", and no duration")
    assert how in proof.how


@pytest.mark.parametrize(
    ("found", "said", "how"),
    [
        (["eu", "us"], "", ""),
        ([], "no request of 'pages' is counted", "see that there is traffic"),
        ([""], "its requests bear no label 'zone'", "write under regions.label which label"),
        (["eu"], "no requests in us", "write under regions.names what 'zone' holds"),
        (
            ["eu", "asia", ""],
            "no requests in us; requests in asia, none, which it does not name",
            "how many regions a fault touches is counted by these",
        ),
    ],
)
async def test_regions_are_those_that_the_metrics_tell_apart(
    tools: Tools, found: list[str], said: str, how: str
) -> None:
    tools.regions = found
    told = system(tools, regions={"label": "zone", "names": ["eu", "us"]})

    (check,) = [c for c in await examined(told, [SLO]) if c.what == "regions of pages"]

    assert (said or "requests in each of eu, us", not said) == (check.found, check.ok)
    assert how in check.how
    assert not check.bars


# --- traces, and rules that are evaluated elsewhere ------------------------------------------


def traced(*services: str) -> Any:
    """A Jaeger's answer: one trace of these services."""
    now = str(time.time_ns())
    span = {"traceId": "1" * 32, "name": "GET", "startTimeUnixNano": now, "endTimeUnixNano": now}
    return {
        "result": {
            "resourceSpans": [
                {
                    "resource": {
                        "attributes": [{"key": "service.name", "value": {"stringValue": name}}]
                    },
                    "scopeSpans": [{"spans": [{**span, "spanId": f"{number:016x}"}]}],
                }
                for number, name in enumerate(services, start=1)
            ]
        }
    }


class Traced(Tools):
    """Likewise, with a Jaeger that knows one service, and what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def answer(self, path: str) -> Any:
        self.asked.append(path)
        if urlsplit(path).path != "/api/v3/traces":
            return super().answer(path)
        (service,) = parse_qs(urlsplit(path).query)["query.serviceName"]
        return traced("gateway", "httpbin") if service == "gateway" else {"result": {}}


@pytest.fixture
def traced_tools() -> Iterator[Traced]:
    tools = Traced()
    thread = threading.Thread(target=tools.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield tools
    tools.server.shutdown()
    tools.server.server_close()
    thread.join()


async def test_traces_are_there_by_the_name_that_the_document_gives(traced_tools: Traced) -> None:
    there = {"jaeger": {"url": traced_tools.url}, "services": {"pages": "gateway"}}

    found = await examined(system(traced_tools, traces=there), [SLO])

    (check,) = (c for c in found if c.what == "traces of pages")
    assert ("1 in the last 5m, with httpbin", True) == (check.found, check.ok)


async def test_a_service_that_is_traced_under_another_name_is_named_and_bars_nothing(
    traced_tools: Traced,
) -> None:
    (check,) = (
        c
        for c in await failed(
            system(traced_tools, traces={"jaeger": {"url": traced_tools.url}}), SLO
        )
        if c.what == "traces of pages"
    )

    assert "no trace of 'pages' in the last 5m" == check.found
    assert "write `services: {pages: NAME}`" in check.how
    assert not check.bars


async def test_rules_are_asked_of_the_prometheus_that_evaluates_them(
    tools: Tools, traced_tools: Traced
) -> None:
    tools.rules = []  # of what keeps the metrics alone
    elsewhere = {"page": {"alertname": "PagesFailing"}, "prometheus": {"url": traced_tools.url}}
    told = system(tools, alerts=elsewhere, pages={"alertmanager": {"url": traced_tools.url}})

    found = {check.what: check for check in await examined(told, [SLO])}

    assert f"answers at {traced_tools.url}" == found["prometheus of the rules"].found
    assert found["rule PagesFailing"].ok
    assert found["alerts sent to"].ok, found["alerts sent to"]
    assert not any("count" in path for path in traced_tools.asked)


async def test_where_that_one_does_not_answer_the_rules_rest_on_it(tools: Tools) -> None:
    elsewhere = {
        "page": {"alertname": "PagesFailing"},
        "prometheus": {"url": "http://127.0.0.1:9"},
    }

    found = {c.what: c for c in await examined(system(tools, alerts=elsewhere), [SLO])}

    assert "nothing listens there" in found["prometheus of the rules"].how
    assert "not looked at: it rests on prometheus of the rules" == found["alerts sent to"].found


async def test_profiles_are_asked_for_and_their_absence_bars_nothing(
    tools: Tools,
) -> None:
    with served(create_app()) as url:
        there = await examined(system(tools, profiles={"pyroscope": {"url": url}}), [SLO])
    away = {"pyroscope": {"url": "http://127.0.0.1:9"}}
    (lacking,) = (
        c for c in await failed(system(tools, profiles=away), SLO) if c.what == "profiles"
    )

    (found,) = (c for c in there if c.what == "profiles")
    assert (f"answers at {url}", True) == (found.found, found.ok), found
    assert "nothing listens there" in lacking.how
    assert not lacking.bars
