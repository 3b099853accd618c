"""A system that nobody of us wrote: two httpbin under gunicorn behind HAProxy, and Debian's tools.

HAProxy counts for itself; none of our labels, metric names or SDKs is anywhere. What is written
into the folder is what its owner has, long before anybody thinks of a drill.
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
        folder: where its owner keeps its configuration.
        server: the owner's program that takes a web server out of HAProxy, and puts it back.
        web: process groups of the two web servers, by HAProxy's name for them.
    """

    folder: Path
    prometheus: str
    server: Path
    web: dict[str, int]


@contextlib.contextmanager
def running(folder: Path, *, alerts: str = "") -> Iterator[Site]:
    """Run the system and its visitors for as long as the context lasts.

    Args:
        alerts: a rule file in the place of its owner's one alert.
    """
    names = ("site", "metrics", "one", "two", "prometheus", "alertmanager")
    ports = {name: free_port() for name in names}
    _write(folder, ports)
    if alerts:
        (folder / "alerts.yml").write_text(alerts, encoding="utf-8")
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
        yield Site(folder, urls["prometheus"], folder / "server", web)


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
        "server": f"""
            #!{sys.executable}
            import socket, sys

            state = {{"out": "maint", "in": "ready"}}[sys.argv[1]]
            with socket.socket(socket.AF_UNIX) as admin:
                admin.connect("{folder}/admin.sock")
                admin.sendall(f"set server pages/{{sys.argv[2]}} state {{state}}\\n".encode())
                said = admin.recv(4096).decode().strip()
            sys.exit(said or 0)
            """,
    }
    for name, text in texts.items():
        (folder / name).write_text(textwrap.dedent(text).lstrip(), encoding="utf-8")
    (folder / "server").chmod(0o700)
