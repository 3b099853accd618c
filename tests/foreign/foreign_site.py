"""A system that nobody of us wrote: two httpbin under gunicorn behind HAProxy, and Debian's tools.

HAProxy counts for itself; none of our labels, metric names or SDKs is anywhere. What is written
into the folder is what its owner has, long before anybody thinks of a drill.

`Parts` makes another owner's site of it: newer monitoring, samples kept elsewhere, requests traced
by OpenTelemetry's automatic instrumentation.
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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

ROOT = Path(__file__).parents[2]
WEB = ROOT / ".venv/foreign/bin/gunicorn"
"""A virtual environment of its own: what httpbin wants, our tools do not bear."""

TRACER = WEB.with_name("opentelemetry-instrument")
"""What traces a program that knows nothing of it."""

VISITS_PER_SECOND = 20
READY = 60.0

TOXIC_TOKEN = "HUNTER5"
"""What the site's owner wants to see from whoever reaches for the Toxiproxy."""

HOOK_TOKEN = "HUNTER6"
"""What the site's Alertmanager shows where it sends pages to."""


def missing(parts: Parts | None = None) -> str:
    """Return what is not on this machine, for people; empty: all is there."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    lacking = [
        program
        for program in ("haproxy", "prometheus", "prometheus-alertmanager")
        if shutil.which(program, path=path) is None
    ]
    if not WEB.exists():
        lacking.append("httpbin under gunicorn")
    if parts is not None and parts.otlp and not TRACER.exists():
        lacking.append("OpenTelemetry's automatic instrumentation")
    return " and ".join(lacking)


def free_port() -> int:
    """Return a port of loopback that is free now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Parts:
    """What of a site is another than Debian's.

    Attributes:
        samples: where Prometheus also writes what it scrapes; empty: nowhere.
        otlp: where the web servers send their traces; each then stands behind a gateway, which
            gives up on it after half a second. Empty: nothing is traced.
        toxiproxy: control API of the Toxiproxy that stands before the first web server; the site's
            HAProxy lets in who shows `TOXIC_TOKEN`.
        hook: where Alertmanager sends the page as well, with `HOOK_TOKEN`, and a watchdog; empty:
            nowhere, and there is none.
    """

    prometheus: str = "prometheus"
    alertmanager: str = "prometheus-alertmanager"
    samples: str = ""
    otlp: str = ""
    toxiproxy: str = ""
    hook: str = ""


DEBIAN = Parts()
"""As Debian has it, and nothing beside."""


@dataclass(frozen=True, slots=True)
class Site:
    """The system while it runs.

    Attributes:
        folder: where its owner keeps its configuration.
        exporter: where HAProxy's own metrics are.
        toxiproxy: where the Toxiproxy is reached, if there is one: behind HAProxy.
        server: the owner's program that takes a web server out of HAProxy, and puts it back.
        web: process groups of the two web servers, by HAProxy's name for them.
    """

    folder: Path
    prometheus: str
    alertmanager: str
    exporter: str
    toxiproxy: str
    server: Path
    web: dict[str, int]


@contextlib.contextmanager
def running(folder: Path, *, alerts: str = "", parts: Parts = DEBIAN) -> Iterator[Site]:
    """Run the system and its visitors for as long as the context lasts.

    Args:
        alerts: a rule file in the place of its owner's one alert.
    """
    names = ("site", "metrics", "one", "two", "prometheus", "alertmanager", "gateway-one")
    ports = {name: free_port() for name in (*names, "gateway-two", "toxic", "gate")}
    _write(folder, ports, parts)
    if alerts:
        (folder / "alerts.yml").write_text(alerts, encoding="utf-8")
    with contextlib.ExitStack() as started:
        web = {
            name: started.enter_context(_web(folder, name, "httpbin:app", ports[name], parts))
            for name in ("one", "two")
        }
        if parts.otlp:
            for name in ("one", "two"):
                url = f"http://127.0.0.1:{ports[name]}"
                app = f"wsgiproxy:HostProxy('{url}', client='requests', timeout=0.5)"
                port = ports[f"gateway-{name}"]
                started.enter_context(_web(folder, "gateway", app, port, parts))
        if parts.toxiproxy:
            upstream, listen = (f"127.0.0.1:{ports[name]}" for name in ("one", "toxic"))
            started.enter_context(_proxied(parts.toxiproxy, "pages-one-here", listen, upstream))
        started.enter_context(_process(folder, "haproxy", "haproxy", "-db", "-f", "haproxy.cfg"))
        started.enter_context(
            _process(
                folder,
                "alertmanager",
                parts.alertmanager,
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
                parts.prometheus,
                "--config.file=prometheus.yml",
                "--storage.tsdb.path=data",
                f"--web.listen-address=127.0.0.1:{ports['prometheus']}",
                # What an Alertmanager was not there for it is told again at once, and not in a
                # minute.
                *(["--rules.alert.resend-delay=1s"] if parts.hook else []),
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
        yield Site(
            folder,
            prometheus=urls["prometheus"],
            alertmanager=urls["alertmanager"],
            exporter=f"{urls['metrics']}/metrics",
            toxiproxy=urls["gate"],
            server=folder / "server",
            web=web,
        )


def server_states(site: Site) -> set[str]:
    """Return how HAProxy holds its servers, by its own exporter."""
    text = httpx.get(site.exporter, trust_env=False).text
    return {
        line.split("{")[1].split("}")[0]
        for line in text.splitlines()
        if line.startswith("haproxy_server_status{") and line.endswith(" 1")
    }


def _web(
    folder: Path, name: str, app: str, port: int, parts: Parts
) -> contextlib.AbstractContextManager[int]:
    """Run a web server; traced, where the site is, by what knows nothing of us."""
    threads = 8 if name == "gateway" else 4  # those of a gateway wait for those behind it
    argv = [str(WEB), app, f"--bind=127.0.0.1:{port}", "--workers=1", f"--threads={threads}"]
    if not parts.otlp:
        return _process(folder, name, *argv)
    told = {
        "OTEL_SERVICE_NAME": name if name == "gateway" else f"httpbin-{name}",
        "OTEL_EXPORTER_OTLP_ENDPOINT": parts.otlp,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        # What hangs takes along what it has not sent yet: a second of it, and not five.
        "OTEL_BSP_SCHEDULE_DELAY": "1000",
    }
    return _process(folder, f"{name}-{port}", str(TRACER), *argv, environment=told)


@contextlib.contextmanager
def _proxied(toxiproxy: str, name: str, listen: str, upstream: str) -> Iterator[None]:
    """Let a Toxiproxy stand before an address, and take it away again."""
    body = {"name": name, "listen": listen, "upstream": upstream, "enabled": True}
    headers = {"User-Agent": "its-owner"}
    with httpx.Client(base_url=toxiproxy, headers=headers, trust_env=False) as http:
        http.post("/proxies", json=body).raise_for_status()
        try:
            yield
        finally:
            http.delete(f"/proxies/{name}")


@contextlib.contextmanager
def _process(
    folder: Path,
    name: str,
    program: str,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
) -> Iterator[int]:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [shutil.which(program, path=path) or program, *arguments],
            cwd=folder,
            env=os.environ | (environment or {}),
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


def _write(folder: Path, ports: dict[str, int], parts: Parts) -> None:
    before = {name: f"gateway-{name}" if parts.otlp else name for name in ("one", "two")}
    if parts.toxiproxy:
        before["one"] = "toxic"
    gate = ""
    if parts.toxiproxy:
        gate = f"""
            frontend gate
                bind 127.0.0.1:{ports["gate"]}
                acl known req.hdr(authorization) -m str "Bearer {TOXIC_TOKEN}"
                http-request deny deny_status 401 unless known
                default_backend toxics
            backend toxics
                server toxics {urlsplit(parts.toxiproxy).netloc}
            """
    routes = receivers = ""
    if parts.hook:
        routes = """
              routes:
                - {receiver: gameday, matchers: ['alertname="Watchdog"'], group_interval: 1s,
                   repeat_interval: 3s}
                - {receiver: gameday, continue: true}
                - {receiver: web-on-call}
            """
        receivers = f"""
              - name: gameday
                webhook_configs:
                  - url: "{parts.hook}"
                    http_config: {{authorization: {{credentials: "{HOOK_TOKEN}"}}}}
            """
    remote = f"remote_write: [{{url: '{parts.samples}'}}]" if parts.samples else ""
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
                server one 127.0.0.1:{ports[before["one"]]}
                server two 127.0.0.1:{ports[before["two"]]}
            frontend exporter
                bind 127.0.0.1:{ports["metrics"]}
                http-request use-service prometheus-exporter if {{ path /metrics }}
            """
        + gate,
        "prometheus.yml": f"""
            global: {{scrape_interval: 1s, evaluation_interval: 1s}}
            rule_files: [alerts.yml{", watchdog.yml" if parts.hook else ""}]
            {remote}
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
        "alertmanager.yml": f"""
            route:
              receiver: web-on-call
              group_wait: 0s
            {routes}
            receivers:
              - name: web-on-call
                webhook_configs: [{{url: "http://127.0.0.1:{ports["two"]}/post"}}]
            {receivers}
            """,
        "watchdog.yml": """
            groups:
              - {name: beat, rules: [{alert: Watchdog, expr: vector(1)}]}
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
