"""The gate before Prometheus and Alertmanager: reading is all there is."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import httpx
import pytest
from starlette.applications import Starlette

from gameday.sandbox.supervisor.gate import ReadingGate
from gameday.testing.served import PatientServer


class Tool(PatientServer):
    """Notes what it is asked, as (method, path with query, password, body)."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str, bytes]] = []
        super().__init__(("127.0.0.1", 0), _Asked)


class _Asked(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        tool = self.server
        assert isinstance(tool, Tool)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        said = base64.b64decode(self.headers.get("authorization", "").removeprefix("Basic "))
        tool.asked.append((self.command, self.path, said.decode(), body))
        self.send_response(200)
        self.send_header("access-control-allow-origin", "*")
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    do_POST = do_DELETE = do_PUT = do_GET

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def tool() -> Iterator[Tool]:
    with Tool() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def through(tool: Tool, method: str, path: str, **more: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        gate = ReadingGate(f"http://127.0.0.1:{tool.server_port}", password="secret")
        app: Starlette = gate.app()
        try:
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://gate"
            ) as client:
                return await client.request(method, path, content=more.get("content"))
        finally:
            await gate.close()

    return asyncio.run(ask())


def test_what_reads_is_passed_on_with_the_password_and_its_query(tool: Tool) -> None:
    answer = through(tool, "GET", "/api/v1/query?query=up%7B%7D&time=1")

    assert [("GET", "/api/v1/query?query=up%7B%7D&time=1", "gameday:secret", b"")] == tool.asked
    assert (200, "ok") == (answer.status_code, answer.text)


def test_a_query_too_long_for_an_address_is_passed_on(tool: Tool) -> None:
    through(tool, "POST", "/api/v1/query_range", content="query=up")

    assert [("POST", "/api/v1/query_range", "gameday:secret", b"query=up")] == tool.asked


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/-/reload"),
        ("POST", "/-/quit"),
        ("PUT", "/-/quit"),
        ("POST", "/api/v1/admin/tsdb/delete_series?match[]=up"),
        ("POST", "/api/v2/alerts"),
        ("POST", "/api/v2/silences"),
        ("DELETE", "/api/v2/silence/1"),
        ("POST", "/api/v1/query/../admin/tsdb/delete_series"),
    ],
)
def test_what_changes_anything_is_not(tool: Tool, method: str, path: str) -> None:
    assert through(tool, method, path).status_code in (403, 405)
    assert [] == tool.asked


def test_no_other_site_is_told_that_it_may_read(tool: Tool) -> None:
    assert "access-control-allow-origin" not in through(tool, "GET", "/").headers


def test_a_tool_that_is_away_is_said_to_be(tool: Tool) -> None:
    tool.server_close()

    assert 502 == through(tool, "GET", "/").status_code
