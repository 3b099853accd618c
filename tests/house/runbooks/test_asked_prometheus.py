"""What a Prometheus is asked for on behalf of runbooks."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

import pytest

from gameday.errors import UsageError
from gameday.house.runbooks.prometheus import prometheus_asked
from gameday.model.alerting_rule import AlertingRule
from gameday.testing.served import PatientServer

HELD = [f"metric_{number}" for number in range(0, 100, 2)]
RULES = {
    "groups": [
        {
            "name": "shop",
            "file": "rules.yaml",
            "rules": [
                {"type": "recording", "name": "job:up", "query": "sum(up)"},
                {
                    "type": "alerting",
                    "name": "Down",
                    "query": "up == 0",
                    "labels": {"severity": "page"},
                    "annotations": {"runbook_url": "https://runbooks.example/down"},
                },
            ],
        }
    ]
}


class Handler(BaseHTTPRequestHandler):
    """Answers as Prometheus does, with the rules and metrics above."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/api/v1/rules":
            return self.answer(RULES)
        (matcher,) = parse_qs(parts.query)["match[]"]
        asked = matcher.partition('"')[2].rpartition('"')[0].split("|")
        return self.answer([name for name in HELD if name in asked])

    def answer(self, data: object) -> None:
        text = json.dumps({"status": "success", "data": data}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    server = PatientServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.served
async def test_the_metrics_it_lacks_are_told_however_many_are_asked_for(url: str) -> None:
    asked = await prometheus_asked(url, "")
    assert asked is not None

    lacking = await asked.lacking([f"metric_{number}" for number in range(100)])

    assert {f"metric_{number}" for number in range(1, 100, 2)} == lacking


@pytest.mark.served
async def test_its_alerting_rules_come_with_their_runbooks(url: str) -> None:
    asked = await prometheus_asked(url, "")
    assert asked is not None

    assert [
        AlertingRule(
            "Down",
            f"Prometheus at {url}",
            group="shop",
            labels={"severity": "page"},
            annotations={"runbook_url": "https://runbooks.example/down"},
        )
    ] == await asked.alerting_rules()


async def test_an_address_and_a_system_cannot_both_be_meant() -> None:
    with pytest.raises(UsageError, match="not both"):
        await prometheus_asked("http://prom.example", "bookshop")


async def test_where_neither_is_named_none_is_asked() -> None:
    assert None is await prometheus_asked("", "")
