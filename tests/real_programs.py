"""Real programs that drivers are held against: found, started and ended by the tests themselves.

``GAMEDAY_TEST_PEERS/get NAME`` prints where a program is, after building or unpacking it the first
time, which takes Jaeger some minutes. Where one cannot be had, its tests are skipped and say why.
Each listens on ports of loopback that are free, so several may run at a time.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from given import GIVEN

BUILDING = 900.0
"""Seconds a program may take to be built, the first time on a machine."""

STARTING = 60.0
"""Seconds a program may take until it answers, on a machine that is busy."""


MONITORING = (("prometheus",), ("promtool",), ("prometheus-alertmanager", "alertmanager"))
"""The programs that system packages bring, under each name they may have."""


@cache
def found(name: str) -> tuple[Path | None, str]:
    """Return where a real program is, or None and why it cannot be had."""
    get = GIVEN.peers / "get"
    if not get.exists():
        return None, f"{get} is not there: GAMEDAY_TEST_PEERS names the folder of another"
    # One at a time: two test processes would build the same program twice.
    with (Path(tempfile.gettempdir()) / "gameday-test-peers.lock").open("a") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        try:
            done = subprocess.run(
                [str(get), name], capture_output=True, text=True, timeout=BUILDING, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as problem:
            return None, f"{get} {name}: {problem}"
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return None, f"no real {name} here: {said[-1]}"
    return Path(done.stdout.strip()), ""


def program(name: str) -> Path:
    """Return where a real program is; skips the test, with a sentence, where it cannot be had."""
    path, why = found(name)
    if path is None:
        pytest.skip(why)
    return path


def missing_binaries() -> Sequence[str]:
    """Return the system programs the sandbox needs that are not on the path; usually empty."""
    return [names[-1] for names in MONITORING if not any(shutil.which(n) for n in names)]


@pytest.fixture(scope="session")
def monitoring() -> None:
    """The programs of Prometheus and Alertmanager: skips the test where they cannot be had."""
    missing = missing_binaries()
    if missing:
        pytest.skip(f"needs {' and '.join(missing)}; `make setup` installs what is missing")


def free_ports(count: int) -> list[int]:
    """Return ports of loopback on which nothing listens now."""
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [listener.getsockname()[1] for listener in opened]


@contextlib.contextmanager
def running(argv: Sequence[str], *, answers: str, log: Path) -> Iterator[None]:
    """Run a program for as long as the context lasts, from when a URL of it is answered.

    Args:
        log: file for what it says; shown where it does not come up.
    """
    with log.open("wb") as said:
        process = subprocess.Popen(argv, stdout=said, stderr=said, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + STARTING
        while not _answers(answers):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"{argv[0]} does not come up:\n{log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False, verify=False, timeout=5).is_success
    except httpx.TransportError:
        return False


@dataclass(frozen=True)
class Jaeger:
    """A Jaeger: its query service and its OTLP receiver."""

    url: str
    otlp_url: str


@pytest.fixture(scope="session")
def real_jaeger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jaeger]:
    """A real Jaeger: the one that is given, else one of our own, all in memory."""
    if GIVEN.jaeger_url:
        host = urlsplit(GIVEN.jaeger_url).hostname
        yield Jaeger(GIVEN.jaeger_url, GIVEN.jaeger_otlp_url or f"http://{host}:4318")
        return
    binary, folder = program("jaeger"), tmp_path_factory.mktemp("jaeger")
    http, grpc, otlp = (f"127.0.0.1:{port}" for port in free_ports(3))
    (folder / "jaeger.yaml").write_text(
        json.dumps(
            {
                "extensions": {
                    "jaeger_storage": {"backends": {"memory": {"memory": {"max_traces": 100_000}}}},
                    "jaeger_query": {
                        "storage": {"traces": "memory"},
                        "http": {"endpoint": http},
                        "grpc": {"endpoint": grpc},
                    },
                },
                "receivers": {"otlp": {"protocols": {"http": {"endpoint": otlp}}}},
                "exporters": {"jaeger_storage_exporter": {"trace_storage": "memory"}},
                "service": {
                    "extensions": ["jaeger_storage", "jaeger_query"],
                    "telemetry": {"metrics": {"level": "none"}},
                    "pipelines": {
                        "traces": {"receivers": ["otlp"], "exporters": ["jaeger_storage_exporter"]}
                    },
                },
            }
        )
    )
    argv = [str(binary), "--config", str(folder / "jaeger.yaml")]
    with running(argv, answers=f"http://{http}/api/v3/services", log=folder / "log"):
        yield Jaeger(f"http://{http}", f"http://{otlp}")


@pytest.fixture(scope="session")
def real_toxiproxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The control API of a real Toxiproxy: of the one that is given, else of one of our own."""
    if GIVEN.toxiproxy_url:
        yield GIVEN.toxiproxy_url
        return
    binary, folder = program("toxiproxy"), tmp_path_factory.mktemp("toxiproxy")
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    argv = [str(binary), "-host", "127.0.0.1", "-port", str(port)]
    with running(argv, answers=f"{url}/version", log=folder / "log"):
        yield url


@pytest.fixture(scope="session")
def real_victoriametrics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real VictoriaMetrics, as it comes: what is written to it shows up half a minute later."""
    binary, folder = program("victoriametrics"), tmp_path_factory.mktemp("victoriametrics")
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    argv = [
        str(binary),
        f"-httpListenAddr=127.0.0.1:{port}",
        f"-storageDataPath={folder / 'data'}",
        "-retentionPeriod=1d",
    ]
    with running(argv, answers=f"{url}/health", log=folder / "log"):
        yield url
