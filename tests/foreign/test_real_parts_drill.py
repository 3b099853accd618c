"""A whole drill on the strangers' system with each real part of today that it may be made of."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import alerts_of_others as others
import foreign_drill
import foreign_site
import httpx
import pytest
from foreign_drill import Owner, Played
from foreign_site import Parts, Site
from real_programs import Jaeger, program

from gameday.drivers.jaeger import JaegerTraces
from gameday.testing.gate import Troubled, kubeconfig, serving
from gameday.testing.kubernetes import SimulatedApi

pytestmark = [pytest.mark.row, pytest.mark.xdist_group("foreign")]


@contextmanager
def site(tmp_path: Path, parts: Parts) -> Iterator[Site]:
    lacking = foreign_site.missing(parts)
    if lacking:
        pytest.skip(f"needs {lacking}; `make setup` installs what is missing")
    folder = tmp_path / "site"
    folder.mkdir()
    # One branch: the slow one would hold the page for half a minute more.
    alerts = others.workbook(foreign_drill.SCALE, others.WORKBOOK[:1])
    with foreign_site.running(folder, alerts=alerts, parts=parts) as running:
        yield running


def traced_for(span: timedelta, jaeger: Jaeger) -> None:
    """Wait until a store has traces of both web servers that are this old: a system that stands."""
    deadline = time.monotonic() + foreign_site.READY
    until = datetime.now(UTC)
    traces = JaegerTraces(jaeger.url)
    for service in ("httpbin-one", "httpbin-two"):
        while not asyncio.run(
            traces.search(
                service=service,
                since=until - timedelta(hours=1),
                until=datetime.now(UTC) - span,
                limit=1,
            )
        ):
            assert time.monotonic() < deadline, f"{service} is not traced"
            time.sleep(0.5)


def passed(name: str, done: Played) -> None:
    """Hold what every one of these drills must show against one."""
    print(done.told(name))
    assert ("passed", "") == (done.result["verdict"], done.result["reason"]), done.words
    assert 0.8 <= done.ratio <= 1.5
    assert ("met", "met") == tuple(
        done.result["phases"][phase]["verdict"] for phase in ("mitigated", "recovered")
    )
    assert {"open": 0} == done.result["recovery"]


def test_the_bot_finds_the_cause_in_a_real_jaeger(
    tmp_path: Path, monitoring: None, real_jaeger: Jaeger
) -> None:
    parts = Parts(otlp=real_jaeger.otlp_url)
    with site(tmp_path, parts) as running:
        before = foreign_site.server_states(running)
        traced_for(timedelta(seconds=15), real_jaeger)
        owner = Owner(
            more=f"""
                traces:
                  jaeger: {{url: "{real_jaeger.url}"}}
                  services: {{pages: gateway, one: httpbin-one, two: httpbin-two}}
                """,
            responder="bot",
            culprit="{service: pages, downstream: one}",
        )
        foreign_drill.described(running, owner)
        done = foreign_drill.played(running, answers=False)

        passed("traces in Jaeger", done)
        assert before == foreign_site.server_states(running)
        assert not foreign_drill.is_stopped(running, "one")
    found = {step["step"]: step for step in done.result["funnel"]}
    print(found["trace"]["finding"])
    assert "met" == found["trace"]["verdict"], found["trace"]
    assert ("not_applicable", "not_applicable") == tuple(
        done.result["phases"][step]["verdict"] for step in ("profile", "blame")
    )


OF_BOTH = json.dumps(
    {
        # By HAProxy's count of the whole, or of one server: that answered, and that did not.
        "rate": 'sum(rate(haproxy_backend_http_responses_total{proxy="{service}"}[{window}])) or'
        ' sum(rate(haproxy_server_http_responses_total{server="{service}"}[{window}])) +'
        ' sum(rate(haproxy_server_response_errors_total{server="{service}"}[{window}]))',
        "errors": "sum(rate(haproxy_backend_http_responses_total"
        '{proxy="{service}",code="5xx"}[{window}])) /'
        ' sum(rate(haproxy_backend_http_responses_total{proxy="{service}"}[{window}])) or'
        ' sum(rate(haproxy_server_response_errors_total{server="{service}"}[{window}])) /'
        ' (sum(rate(haproxy_server_http_responses_total{server="{service}"}[{window}])) +'
        ' sum(rate(haproxy_server_response_errors_total{server="{service}"}[{window}])))',
    }
)


def test_with_metrics_alone_the_bot_finds_the_cause_by_the_calls_that_are_written_down(
    tmp_path: Path, monitoring: None
) -> None:
    with site(tmp_path, foreign_site.DEBIAN) as running:
        before = foreign_site.server_states(running)
        owner = Owner(
            red=OF_BOTH,
            more="graph: {edges: [[pages, one], [pages, two]]}",
            responder="bot",
            culprit="{service: one}",
        )
        foreign_drill.described(running, owner)
        done = foreign_drill.played(running, answers=False)

        passed("a graph of calls", done)
        assert before == foreign_site.server_states(running)
        assert not foreign_drill.is_stopped(running, "one")
    found = {step["step"]: step for step in done.result["funnel"]}
    print(found["trace"]["finding"])
    assert "met" == found["trace"]["verdict"], found["trace"]


def test_the_alert_of_todays_prometheus_is_paged_by_todays_alertmanager(
    tmp_path: Path, monitoring: None
) -> None:
    newer = Parts(
        prometheus=str(program("prometheus3")), alertmanager=str(program("alertmanager3"))
    )
    with site(tmp_path, newer) as running:
        assert ("3", "0.33") == (major(running.prometheus), minor(running.alertmanager))
        before = foreign_site.server_states(running)
        foreign_drill.described(running, Owner())
        done = foreign_drill.played(running)

        passed("Prometheus 3 and Alertmanager 0.33", done)
        assert before == foreign_site.server_states(running)
        assert not foreign_drill.is_stopped(running, "one")


def test_metrics_are_read_in_a_real_victoriametrics_whose_rules_a_prometheus_evaluates(
    tmp_path: Path, monitoring: None, real_victoriametrics: str
) -> None:
    parts = Parts(samples=f"{real_victoriametrics}/api/v1/write")
    with site(tmp_path, parts) as running:
        before = foreign_site.server_states(running)
        owner = Owner(
            prometheus=f'{{url: "{real_victoriametrics}"}}',
            rules=f'workbook, prometheus: {{url: "{running.prometheus}"}}',
        )
        foreign_drill.described(running, owner)
        done = foreign_drill.played(running)

        passed("metrics in VictoriaMetrics", done)
        assert before == foreign_site.server_states(running)
        assert not foreign_drill.is_stopped(running, "one")


def test_a_toxic_in_a_real_toxiproxy_is_the_fault_and_its_token_stands_nowhere(
    tmp_path: Path, monitoring: None, real_toxiproxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOXIC_TOKEN", foreign_site.TOXIC_TOKEN)
    with site(tmp_path, Parts(toxiproxy=real_toxiproxy)) as running:
        before = foreign_site.server_states(running)
        where = "{service: pages, downstream: one, regions: here, mode: timeout}"
        owner = Owner(
            more=f"""
                toxiproxy: {{url: "{running.toxiproxy}", bearerToken: {{env: TOXIC_TOKEN}}}}
                """,
            experiment=("broken-downstream", "", where),
        )
        foreign_drill.described(running, owner)
        done = foreign_drill.played(running)

        passed("the fault in Toxiproxy", done)
        assert before == foreign_site.server_states(running)
        (proxy,) = httpx.get(f"{real_toxiproxy}/proxies", trust_env=False).json().values()
        assert [] == proxy["toxics"]
        assert [] == files_with(foreign_site.TOXIC_TOKEN, running.folder)


def test_a_toxic_goes_in_and_out_through_the_api_server_of_a_cluster(
    tmp_path: Path, monitoring: None, real_toxiproxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = SimulatedApi(leads_to={"pages/toxiproxy:8474": real_toxiproxy})
    cluster.put("namespaces", "pages")
    api = Troubled(cluster, troubles=[])
    with site(tmp_path, Parts(toxiproxy=real_toxiproxy)) as running, serving(api) as url:
        monkeypatch.setenv("KUBECONFIG", kubeconfig(tmp_path, url))
        monkeypatch.setenv("GAMEDAY_KUBE_CONTEXTS", "sim")
        monkeypatch.setenv("GAMEDAY_KUBE_NAMESPACES", "pages")
        before = foreign_site.server_states(running)
        where = "{service: pages, downstream: one, regions: here, mode: timeout}"
        owner = Owner(
            more="""
                kubernetes: {context: sim, namespaces: [pages]}
                toxiproxy: {service: "pages/toxiproxy:8474"}
                """,
            experiment=("broken-downstream", "", where),
        )
        foreign_drill.described(running, owner)
        done = foreign_drill.played(running)

        passed("the fault in a Toxiproxy of a cluster", done)
        assert before == foreign_site.server_states(running)
        (proxy,) = httpx.get(f"{real_toxiproxy}/proxies", trust_env=False).json().values()
        assert [] == proxy["toxics"]
        changed = {asked.split()[0] for asked in api.asked if "/toxics" in asked}
        assert {"POST", "DELETE"} <= changed


def test_the_page_that_alertmanager_sends_is_answered_and_its_token_stands_nowhere(
    tmp_path: Path, monitoring: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"127.0.0.1:{foreign_site.free_port()}"
    monkeypatch.setenv("GAMEDAY_HOOK_LISTEN", address)
    monkeypatch.setenv("GAMEDAY_HOOK_TOKEN", foreign_site.HOOK_TOKEN)
    with site(tmp_path, Parts(hook=f"http://{address}/hooks/alertmanager")) as running:
        before = foreign_site.server_states(running)
        foreign_drill.described(running, Owner(pages="{webhook: true}"))
        asked = foreign_drill.gameday(running, "doctor", "--system", "pages", "--json")
        done = foreign_drill.played(running)

        passed("a page that is sent", done)
        told = {line["what"]: line for line in json.loads(asked.stdout)["checks"]}
        assert (0, "fires, and comes through") == (asked.returncode, told["watchdog"]["found"])
        assert before == foreign_site.server_states(running)
        assert not foreign_drill.is_stopped(running, "one")
        assert [] == files_with(foreign_site.HOOK_TOKEN, running.folder)


def test_an_action_of_chaos_toolkit_takes_the_server_out_and_another_puts_it_back(
    tmp_path: Path, monitoring: None
) -> None:
    with site(tmp_path, foreign_site.DEBIAN) as running:
        before = foreign_site.server_states(running)
        foreign_drill.described(running, Owner(mitigates="chaostoolkit"))
        done = foreign_drill.played(running)

        passed("an action as the mitigation", done)
        assert before == foreign_site.server_states(running)
        assert not foreign_drill.is_stopped(running, "one")


def files_with(secret: str, folder: Path) -> list[str]:
    """Return the files of a drill that hold a secret, but for the site's own configuration."""
    return [
        str(path)
        for path in folder.rglob("*")
        if path.is_file()
        and path.name not in ("haproxy.cfg", "alertmanager.yml")
        and secret.encode() in path.read_bytes()
    ]


def major(prometheus: str) -> str:
    told = httpx.get(f"{prometheus}/api/v1/status/buildinfo", trust_env=False).json()
    return str(told["data"]["version"]).partition(".")[0]


def minor(alertmanager: str) -> str:
    told = httpx.get(f"{alertmanager}/api/v2/status", trust_env=False).json()
    return str(told["versionInfo"]["version"]).rpartition(".")[0]
