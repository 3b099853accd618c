"""Expressions judged by Prometheus' parser: a server's, of any age, and promtool's."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs

import httpx
import pytest

from gameday.drivers.promql import PromqlServer, Promtool
from gameday.errors import PermanentDriverError, TemporaryDriverError
from gameday.testing.served import PatientServer


def nowhere() -> str:
    """Return a URL at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


class Fake:
    """A server that refuses expressions with ``?`` in them, as Prometheus words it."""

    def __init__(self) -> None:
        self.knows_format = True
        self.raw: tuple[int, bytes] | None = None
        self.asked: list[tuple[str, dict[str, list[str]]]] = []

    def answer(self, path: str, body: str) -> tuple[int, bytes]:
        form = parse_qs(body)
        self.asked.append((path, form))
        if self.raw is not None:
            return self.raw
        if path.endswith("format_query") and not self.knows_format:
            return 404, b"404 page not found"
        if "?" in form["query"][0]:
            error = "invalid parameter \"query\": 1:3: parse error: unexpected\n character: '?'"
            return 400, json.dumps(
                {"status": "error", "errorType": "bad_data", "error": error}
            ).encode()
        return 200, b'{"status":"success","data":"x"}'


@pytest.fixture
def fake() -> Iterator[tuple[str, Fake]]:
    memory = Fake()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            status, answer = memory.answer(self.path, self.rfile.read(length).decode())
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = PatientServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", memory
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


SAID = "unexpected character: '?' (line 1, character 3)"


async def test_a_server_names_what_it_cannot_parse(fake: tuple[str, Fake]) -> None:
    url, memory = fake

    faults = await PromqlServer(url).faults(["x", "x ? y", "y", "?"])

    assert ["", SAID, "", SAID] == faults
    assert {"/api/v1/format_query"} == {path for path, _ in memory.asked}


async def test_an_old_server_is_asked_a_query_at_the_beginning_of_time(
    fake: tuple[str, Fake],
) -> None:
    url, memory = fake
    memory.knows_format = False

    faults = await PromqlServer(url).faults(["x ? y"])

    assert [SAID] == faults
    path, form = memory.asked[-1]
    assert ("/api/v1/query", ["0"]) == (path, form["time"])


@pytest.mark.parametrize("raw", [(200, b"<html>"), (200, b"[]"), (502, b"bad gateway")])
async def test_what_is_no_prometheus_is_said_to_be_none(
    fake: tuple[str, Fake], raw: tuple[int, bytes]
) -> None:
    url, memory = fake
    memory.raw = raw

    with pytest.raises(PermanentDriverError, match="not as Prometheus does"):
        await PromqlServer(url).faults(["x"])


async def test_a_server_in_trouble_is_no_verdict_on_the_expression(
    fake: tuple[str, Fake],
) -> None:
    url, memory = fake
    memory.raw = (503, b'{"status":"error","error":"starting up"}')

    with pytest.raises(TemporaryDriverError, match="starting up"):
        await PromqlServer(url).faults(["x"])


async def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(TemporaryDriverError, match="does not answer"):
        await PromqlServer(nowhere()).faults(["x"])


@pytest.mark.parametrize("url", ["nonsense", "http://[::1", "ftp://prom.example"])
async def test_what_is_no_address_of_a_server_is_said_at_once(url: str) -> None:
    with pytest.raises(PermanentDriverError, match="cannot be asked"):
        await PromqlServer(url).faults(["x"])


def test_without_promtool_nothing_is_judged() -> None:
    tool = Promtool("no-such-promtool")

    assert not tool.is_installed()
    with pytest.raises(PermanentDriverError, match="promtool is not installed"):
        tool.faults(["x"])


def test_a_promtool_that_says_something_else_is_no_verdict(tmp_path: Path) -> None:
    program = tmp_path / "promtool"
    program.write_text("#!/bin/sh\necho 'no space left' >&2\nexit 1\n")
    program.chmod(0o755)

    with pytest.raises(PermanentDriverError, match="no space left"):
        Promtool(str(program)).faults(["x"])


@pytest.mark.usefixtures("monitoring")
def test_promtool_names_what_it_cannot_parse() -> None:
    faults = Promtool().faults(['x{a="b"}', "sum(x", "rate(x)", "x\n+\n+ ?"])

    assert "" == faults[0]
    assert "unclosed left parenthesis" in faults[1]
    assert "expected type range vector" in faults[2]
    assert "(line 3, character 3)" in faults[3]
    assert [] == Promtool().faults([])


@pytest.mark.usefixtures("monitoring")
async def test_a_real_server_and_promtool_agree(tmp_path: Path) -> None:
    binary = shutil.which("prometheus")
    assert binary is not None
    (tmp_path / "prometheus.yaml").write_text("global: {}\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [
                binary,
                f"--config.file={tmp_path}/prometheus.yaml",
                f"--storage.tsdb.path={tmp_path}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    expressions = ['x{a="b"}', "sum(x", "rate(x)", "x\n+\n+ ?", "foo bar", "max(x,)"]
    try:
        deadline = time.monotonic() + 30
        async with httpx.AsyncClient(trust_env=False) as client:
            while time.monotonic() < deadline:
                try:
                    if (await client.get(f"{url}/-/ready")).status_code == 200:
                        break
                except httpx.HTTPError:
                    pass
                await asyncio.sleep(0.1)

        faults = await PromqlServer(url).faults(expressions)
    finally:
        process.terminate()
        process.wait(10)

    assert Promtool().faults(expressions) == faults
    assert ["", "unclosed left parenthesis (line 1, character 6)"] == faults[:2]
