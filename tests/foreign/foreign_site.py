"""A system that nobody of us wrote: two httpbin under gunicorn behind HAProxy, and Debian's tools.

HAProxy counts for itself; none of our labels, metric names or SDKs is anywhere. What is written
into the folder is what its owner would write.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
WEB = ROOT / ".venv/foreign/bin/gunicorn"
"""A virtual environment of its own: what httpbin wants, our tools do not bear."""

VISITS_PER_SECOND = 20
READY = 60.0


def missing() -> str:
    """Return what is not on this machine, for people; empty: all is there."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    lacking = [
        program
        for program in ("haproxy", "prometheus", "prometheus-alertmanager")
        if shutil.which(program, path=path) is None
    ]
    if not WEB.exists():
        lacking.append("httpbin under gunicorn")
    return " and ".join(lacking)


def free_port() -> int:
    """Return a port of loopback that is free now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Site:
    """The system while it runs.

    Attributes:
        folder: where its owner keeps configuration, scenarios and all else.
        web: process groups of the two web servers, by HAProxy's name for them.
    """

    folder: Path
    url: str
    prometheus: str
    alertmanager: str
    web: dict[str, int]


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Site]:
    """Run the system and its visitors for as long as the context lasts."""
    names = ("site", "metrics", "one", "two", "prometheus", "alertmanager")
    ports = {name: free_port() for name in names}
    _write(folder, ports)
    with contextlib.ExitStack() as started:
        web = {
            name: started.enter_context(
                _process(
                    folder,
                    name,
                    str(WEB),
                    "httpbin:app",
                    f"--bind=127.0.0.1:{ports[name]}",
                    "--workers=1",
                    "--threads=4",
                )
            )
            for name in ("one", "two")
        }
        started.enter_context(_process(folder, "haproxy", "haproxy", "-db", "-f", "haproxy.cfg"))
        started.enter_context(
            _process(
                folder,
                "alertmanager",
                "prometheus-alertmanager",
                "--config.file=alertmanager.yml",
                "--storage.path=alerts",
                f"--web.listen-address=127.0.0.1:{ports['alertmanager']}",
                "--cluster.listen-address=",
            )
        )
        started.enter_context(
            _process(
                folder,
                "prometheus",
                "prometheus",
                "--config.file=prometheus.yml",
                "--storage.tsdb.path=data",
                f"--web.listen-address=127.0.0.1:{ports['prometheus']}",
            )
        )
        urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        for url in (
            f"{urls['one']}/get",
            f"{urls['two']}/get",
            f"{urls['metrics']}/metrics",
            f"{urls['prometheus']}/-/ready",
            f"{urls['alertmanager']}/-/ready",
        ):
            _await(url)
        started.enter_context(_visited(f"{urls['site']}/get"))
        _await_sample(urls["prometheus"])
        yield Site(folder, urls["site"], urls["prometheus"], urls["alertmanager"], web)


@contextlib.contextmanager
def _process(folder: Path, name: str, program: str, *arguments: str) -> Iterator[int]:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [shutil.which(program, path=path) or program, *arguments],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process.pid
    finally:
        for number in (signal.SIGCONT, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
        process.wait()


def _await(url: str) -> None:
    deadline = time.monotonic() + READY
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(url, trust_env=False).is_success:
                return
        if time.monotonic() > deadline:
            pytest.fail(f"{url} did not answer within {READY:.0f} s; see the logs beside it")
        time.sleep(0.1)


def _await_sample(prometheus: str) -> None:
    """Wait until Prometheus has looked at something: it is ready seconds before it does."""
    deadline = time.monotonic() + READY
    while True:
        with contextlib.suppress(httpx.HTTPError):
            url = f"{prometheus}/api/v1/query"
            said = httpx.get(url, params={"query": "up == 1"}, trust_env=False).json()
            if said["data"]["result"]:
                return
        if time.monotonic() > deadline:
            pytest.fail(f"{prometheus} scraped nothing within {READY:.0f} s")
        time.sleep(0.1)


@contextlib.contextmanager
def _visited(url: str) -> Iterator[None]:
    """Visit a page steadily, however slowly it answers."""
    over = threading.Event()

    async def visits() -> None:
        async def visit(client: httpx.AsyncClient) -> None:
            with contextlib.suppress(httpx.HTTPError):
                await client.get(url)

        limits = httpx.Limits(max_connections=200, max_keepalive_connections=0)
        async with (
            httpx.AsyncClient(timeout=5, trust_env=False, limits=limits) as client,
            asyncio.TaskGroup() as tasks,
        ):
            while not over.is_set():
                tasks.create_task(visit(client))
                await asyncio.sleep(1 / VISITS_PER_SECOND)

    thread = threading.Thread(target=lambda: asyncio.run(visits()), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(10)


def _write(folder: Path, ports: dict[str, int]) -> None:
    """Write what the owner of the system has, long before anybody thinks of a drill."""
    texts = {
        "haproxy.cfg": f"""
            global
                stats socket {folder}/admin.sock level admin
            defaults
                mode http
                retries 0
                timeout connect 1s
                timeout client 5s
                timeout server 1s
            frontend site
                bind 127.0.0.1:{ports["site"]}
                default_backend pages
            backend pages
                balance roundrobin
                server one 127.0.0.1:{ports["one"]}
                server two 127.0.0.1:{ports["two"]}
            frontend exporter
                bind 127.0.0.1:{ports["metrics"]}
                http-request use-service prometheus-exporter if {{ path /metrics }}
            """,
        "prometheus.yml": f"""
            global: {{scrape_interval: 1s, evaluation_interval: 1s}}
            rule_files: [alerts.yml]
            alerting:
              alertmanagers:
                - static_configs: [{{targets: ["127.0.0.1:{ports["alertmanager"]}"]}}]
            scrape_configs:
              - job_name: haproxy
                static_configs: [{{targets: ["127.0.0.1:{ports["metrics"]}"]}}]
            """,
        "alerts.yml": """
            groups:
              - name: pages
                rules:
                  - alert: PagesFailing
                    expr: |
                      sum(rate(haproxy_backend_http_responses_total{proxy="pages",code="5xx"}[1m]))
                        / sum(rate(haproxy_backend_http_responses_total{proxy="pages"}[1m])) > 0.1
                      and
                      sum(rate(haproxy_backend_http_responses_total{proxy="pages",code="5xx"}[5s]))
                        / sum(rate(haproxy_backend_http_responses_total{proxy="pages"}[5s])) > 0.1
                    labels: {urgency: now}
                    annotations: {summary: One page in ten fails.}
            """,
        "alertmanager.yml": """
            route: {receiver: nobody, group_wait: 0s}
            receivers: [{name: nobody}]
            """,
        "server.py": """
            import socket, sys

            state = {"out": "maint", "in": "ready"}[sys.argv[1]]
            with socket.socket(socket.AF_UNIX) as admin:
                admin.connect("admin.sock")
                admin.sendall(f"set server pages/{sys.argv[2]} state {state}\\n".encode())
                said = admin.recv(4096).decode().strip()
            sys.exit(said or 0)
            """,
    }
    for name, text in texts.items():
        (folder / name).write_text(textwrap.dedent(text).lstrip(), encoding="utf-8")


def describe(site: Site) -> None:
    """Write what its owner adds to drill it: a system, an SLO, a fault, a runbook, a scenario."""
    texts = {
        "systems/pages.yaml": f"""
            apiVersion: gameday/v1
            kind: System
            metadata: {{name: pages, title: Two web servers, owner: web}}
            spec:
              metrics: {{prometheus: {{url: "{site.prometheus}"}}}}
              alerts: {{page: {{alertname: PagesFailing}}}}
              pages: {{alertmanager: {{url: "{site.alertmanager}"}}}}
              red: {{preset: haproxy}}
              mitigations:
                - name: take-out
                  command: {{run: [{sys.executable}, server.py, out, "{{server}}"], within: 10s}}
                  undo: {{run: [{sys.executable}, server.py, in, "{{server}}"], within: 10s}}
            """,
        "slos/pages-served.yaml": """
            apiVersion: openslo/v1
            kind: SLO
            metadata:
              name: pages-served
              annotations: {gameday/runbook: runbooks/pages-served.md}
            spec:
              service: pages
              indicator:
                metadata: {name: served}
                spec:
                  ratioMetric:
                    counter: true
                    bad:
                      metricSource:
                        type: Prometheus
                        spec:
                          query: haproxy_backend_http_responses_total{proxy="pages",code="5xx"}
                    total:
                      metricSource:
                        type: Prometheus
                        spec: {query: 'haproxy_backend_http_responses_total{proxy="pages"}'}
              timeWindow: [{duration: 30d, isRolling: true}]
              budgetingMethod: Occurrences
              objectives: [{target: 0.99}]
              alertPolicies:
                - kind: AlertPolicy
                  metadata: {name: page, annotations: {gameday/short-window: 5s}}
                  spec:
                    alertWhenBreaching: true
                    conditions:
                      - kind: AlertCondition
                        metadata: {name: page}
                        spec:
                          severity: page
                          condition:
                            {kind: burnrate, op: gt, threshold: 10, lookbackWindow: 1m}
            """,
        "experiments/hang.yaml": """
            title: A web server hangs
            description: It takes connections and answers none, as one that waits for a disk does.
            configuration: {group: ""}
            method:
              - type: action
                name: stop-the-server
                provider: {type: process, path: kill, arguments: ["-STOP", "--", "-${group}"]}
            rollbacks:
              - type: action
                name: let-it-go-on
                provider: {type: process, path: kill, arguments: ["-CONT", "--", "-${group}"]}
            """,
        "runbooks/pages-served.md": """
            ---
            alert: PagesFailing
            service: pages
            owner: web
            reviewed: 2026-11-01
            review_every: 90d
            ---

            # PagesFailing

            ## Meaning

            Visitors get errors: more than one page in ten.

            ## First checks

            1. **which-server**: See in HAProxy which of the two servers fails.

            ## Likely causes

            - **one-hangs**: one of the two servers does not answer → take-out

            ## Fixes

            - **take-out**: Take the server out: `gameday mitigate take-out server=one`.
            """,
        "scenarios/hang.yaml": f"""
            apiVersion: gameday/v1
            kind: Scenario
            metadata: {{name: hang, title: One of two web servers hangs, severity: SEV-2}}
            spec:
              system: pages
              slo: pages-served
              steadyState: {{for: 5s, burnRateBelow: 1, within: 90s}}
              faults:
                - experiment: hang
                  with: {{group: "{site.web["one"]}"}}
                  duration: 5m
              expect:
                errorRatio: 50%
                mitigation: [take-out]
              responder: human
              runbook: runbooks/pages-served.md
            """,
    }
    for name, text in texts.items():
        path = site.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip(), encoding="utf-8")
