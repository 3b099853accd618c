"""A scripted source of errors, and a real Prometheus and Alertmanager that watch it.

The source's counters are a function of time alone: each cell counts events at a steady rate, and
its bad ones follow a shape of `scoring.detection`. So theory and measurement have the same input,
exactly, whenever Prometheus comes by. Everything listens on loopback and dies with its context.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx
import yaml

from gameday.errors import TemporaryDriverError
from gameday.model.slo import Slo
from gameday.sandbox.supervisor.monitoring import alertmanager_settings, program
from gameday.testing.served import PatientServer
from scoring.detection import ErrorShape
from scoring.slo import BurnWindow, Objective

__all__ = ["Cell", "ErrorSource", "Monitored", "monitored"]

METRIC = "cell_events_total"
READY_WITHIN = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Cell:
    """One service of its own: an SLO, and what happens to it when.

    Attributes:
        slo: its promise; `Cell.promised` makes one whose queries are the cell's counters.
        shape: error ratio over time; its baseline also holds before the onset.
        onset: when the shape begins (aware).
        events_per_second: steady traffic; events are not whole, so that no rounding blurs them.
    """

    slo: Slo
    shape: ErrorShape
    onset: datetime
    events_per_second: float = 100.0

    @staticmethod
    def promised(id: str, objective: Objective, windows: tuple[BurnWindow, ...]) -> Slo:
        """Return an SLO over the counters of the cell of this id."""
        return Slo(
            id=id,
            service=id,
            objective=objective,
            windows=windows,
            good_query=f'{METRIC}{{cell="{id}",outcome="good"}}',
            total_query=f'{METRIC}{{cell="{id}"}}',
            no_data_after=None,
        )

    def counted(self, at: float, born: float) -> tuple[float, float]:
        """Return (good, bad) events counted from birth to this instant, both unix seconds."""
        onset = self.onset.timestamp()
        before = max(0.0, min(at, onset) - born) * self.shape.baseline_ratio
        bad = self.events_per_second * (before + self.shape.errors_until(at - onset))
        return self.events_per_second * (at - born) - bad, bad


class ErrorSource:
    """An exporter on a free loopback port whose counters follow a script.

    Attributes:
        cells: by SLO id; may be replaced while it serves, as long as no counter goes back.
        port: where it serves ``/metrics``.
    """

    def __init__(self, cells: Mapping[str, Cell]) -> None:
        self.cells = dict(cells)
        self._born = time.time()
        source = self

        class Exporter(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = source.exposition(time.time()).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = PatientServer(("127.0.0.1", 0), Exporter)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]

    def exposition(self, at: float) -> str:
        """Return the counters at an instant, as Prometheus scrapes them."""
        lines = [f"# TYPE {METRIC} counter"]
        for id, cell in self.cells.items():
            for outcome, value in zip(("good", "bad"), cell.counted(at, self._born), strict=True):
                lines.append(f'{METRIC}{{cell="{id}",outcome="{outcome}"}} {value!r}')
        return "\n".join([*lines, ""])

    @contextlib.contextmanager
    def serving(self) -> Iterator[ErrorSource]:
        """Serve for as long as the context lasts."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()


@dataclass(frozen=True, slots=True)
class Monitored:
    """A Prometheus and an Alertmanager that run.

    Attributes:
        interval: of scrape and evaluation.
        versions: what runs, by program, for the record.
    """

    prometheus_url: str
    alertmanager_url: str
    interval: timedelta
    versions: Mapping[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def monitored(
    folder: Path,
    source: ErrorSource,
    *,
    rules: Mapping[str, str],
    pages_url: str | None = None,
    interval: timedelta = timedelta(seconds=1),
    programs: tuple[str, str] | None = None,
    samples_url: str | None = None,
) -> Iterator[Monitored]:
    """Run a real Prometheus and Alertmanager over a source, with these rule files.

    Args:
        folder: an empty one; settings, data and logs land there.
        rules: text of each rule file by name.
        pages_url: webhook that gets the pages; None: nobody does.
        interval: of scrape and evaluation.
        programs: paths of a Prometheus and an Alertmanager; None: the machine's own.
        samples_url: where what is scraped and evaluated is sent to as well; None: nowhere.

    Raises:
        PermanentDriverError: a program is not installed.
        TemporaryDriverError: one of them did not become ready; says where its log is.
    """
    ports = _free_port(), _free_port()
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    (folder / "rules").mkdir(parents=True)
    for name, text in rules.items():
        (folder / "rules" / f"{name}.yml").write_text(text, encoding="utf-8")
    (folder / "prometheus.yml").write_text(
        _settings(folder, source, ports[1], interval, samples_url)
    )
    (folder / "alertmanager.yml").write_text(alertmanager_settings(pages_url))
    prometheus, alertmanager = programs or (
        program("prometheus"),
        program("prometheus-alertmanager", "alertmanager"),
    )
    with contextlib.ExitStack() as running:
        running.enter_context(
            _process(
                folder / "alertmanager.log",
                alertmanager,
                f"--config.file={folder / 'alertmanager.yml'}",
                f"--storage.path={folder / 'alertmanager'}",
                f"--web.listen-address=127.0.0.1:{ports[1]}",
                "--cluster.listen-address=",
                "--log.level=warn",
            )
        )
        running.enter_context(
            _process(
                folder / "prometheus.log",
                prometheus,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{ports[0]}",
                "--log.level=warn",
            )
        )
        for url, log in zip(urls, ("prometheus.log", "alertmanager.log"), strict=True):
            _await_ready(url, folder / log)
        versions = {"prometheus": _version(prometheus), "alertmanager": _version(alertmanager)}
        yield Monitored(urls[0], urls[1], interval, versions)


def _settings(
    folder: Path,
    source: ErrorSource,
    alertmanager_port: int,
    interval: timedelta,
    samples_url: str | None,
) -> str:
    span = f"{round(interval.total_seconds() * 1000)}ms"
    target = {"targets": [f"127.0.0.1:{source.port}"]}
    pager = {"static_configs": [{"targets": [f"127.0.0.1:{alertmanager_port}"]}]}
    return yaml.safe_dump(
        {
            "global": {
                "scrape_interval": span,
                "scrape_timeout": span,
                "evaluation_interval": span,
            },
            "rule_files": [str(folder / "rules" / "*.yml")],
            "alerting": {"alertmanagers": [pager]},
            "scrape_configs": [{"job_name": "cells", "static_configs": [target]}],
            "remote_write": [{"url": samples_url, "queue_config": {"batch_send_deadline": span}}]
            if samples_url
            else [],
        }
    )


@contextlib.contextmanager
def _process(log: Path, *argv: str) -> Iterator[None]:
    environment = {**os.environ, "GOMAXPROCS": "2"}
    with log.open("wb") as output:
        process = subprocess.Popen(argv, stdout=output, stderr=output, env=environment)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await_ready(url: str, log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN.total_seconds()
    with httpx.Client(trust_env=False, timeout=2) as client:
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                if client.get(f"{url}/-/ready").status_code == 200:
                    return
            time.sleep(0.05)
    raise TemporaryDriverError(f"{url} did not become ready; its log is {log}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _version(binary: str) -> str:
    """Return the first line of ``--version`` without the build's details."""
    done = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
    said = (done.stdout or done.stderr).splitlines()
    return said[0].split(" (")[0] if said else "unknown"
