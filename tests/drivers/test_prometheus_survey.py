"""What Prometheus tells at a first look, and what is made of odd answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

import pytest

from gameday.drivers.prometheus import PrometheusSurvey
from gameday.errors import PermanentDriverError
from gameday.testing.served import PatientServer

pytestmark = pytest.mark.served


class Answers:
    """A server that answers each path with what a test says."""

    def __init__(self) -> None:
        self.by_path: dict[str, Any] = {}
        answers = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = answers.by_path.get(urlsplit(self.path).path)
                text = json.dumps(body).encode()
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.server = PatientServer(("127.0.0.1", 0), Handler)

    def survey(self) -> PrometheusSurvey:
        return PrometheusSurvey(f"http://127.0.0.1:{self.server.server_address[1]}")


@pytest.fixture
def answers() -> Iterator[Answers]:
    answers = Answers()
    thread = threading.Thread(target=answers.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield answers
    answers.server.shutdown()
    answers.server.server_close()
    thread.join()


async def test_alertmanagers_are_told_by_their_base_url_each_once(answers: Answers) -> None:
    urls = [
        "http://one:9093/api/v2/alerts",
        "http://two:9093/prefix/api/v1/alerts",
        "http://one:9093/api/v2/alerts",
    ]
    answers.by_path["/api/v1/alertmanagers"] = {
        "data": {"activeAlertmanagers": [{"url": url} for url in urls]}
    }

    assert ("http://one:9093", "http://two:9093/prefix") == await answers.survey().alertmanagers()


@pytest.mark.parametrize("told", [None, {"data": {}}, {"data": {"activeAlertmanagers": [3]}}])
async def test_what_tells_no_alertmanagers_has_none(answers: Answers, told: object) -> None:
    answers.by_path["/api/v1/alertmanagers"] = told

    assert await answers.survey().alertmanagers() is None


async def test_only_metrics_that_were_asked_for_are_found(answers: Answers) -> None:
    answers.by_path["/api/v1/label/__name__/values"] = {"data": ["a", "c"]}

    assert {"a"} == await answers.survey().metrics_among(["a", "b"])


async def test_metric_names_of_another_shape_are_not_taken_for_none(answers: Answers) -> None:
    answers.by_path["/api/v1/label/__name__/values"] = {"data": {"a": 1}}

    with pytest.raises(PermanentDriverError, match="not as Prometheus does"):
        await answers.survey().metrics_among(["a"])


async def test_labels_of_some_series_are_told_and_how_they_differ(answers: Answers) -> None:
    answers.by_path["/api/v1/labels"] = {"data": ["job", "region"]}
    answers.by_path["/api/v1/query"] = {
        "data": {"result": [{"metric": {"job": "a", "region": "eu"}, "value": [0, "1"]}]}
    }

    assert ("job", "region") == await answers.survey().labels_of("x")
    assert [{"job": "a", "region": "eu"}] == await answers.survey().told_by("x", ["job", "region"])


@pytest.mark.parametrize("told", [None, {"data": {"a": 1}}])
async def test_what_tells_no_labels_has_none(answers: Answers, told: object) -> None:
    answers.by_path["/api/v1/labels"] = told

    assert () == await answers.survey().labels_of("x")
