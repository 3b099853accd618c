"""`gameday incident` and `gameday mitigate`: typed in one terminal, on a run in another."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gameday.cli.app import run
from gameday.house.run.announcement import announced
from gameday.http.proof import PATH, hash_of, proof_of
from gameday.settings import Settings
from gameday.testing.served import PatientServer

pytestmark = pytest.mark.served


RUNS = ("20261123-1000-aaaa", "20261123-1001-bbbb")
SHOWN: dict[str, Any] = {
    "summary": "the budget burns",
    "severity": "SEV-2",
    "state": "triggered",
    "links": {"red": "http://x/go/1"},
    "phases": {"acked": {"who": "on-call", "at": None, "due_at": None, "verdict": "pending"}},
}


class Desk(BaseHTTPRequestHandler):
    """The API of incidents; remembers what was posted, and by whom."""

    posted: list[tuple[str, dict[str, Any]]]
    refuse = ""
    has_page = True

    def do_POST(self) -> None:
        assert self.headers["authorization"] == "Bearer gd_x"
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.posted.append((self.path, body))
        if self.refuse:
            self._answer(409, {"error": self.refuse})
        else:
            self._answer(200, {"kind": "said", "data": {"ok": True, "detail": "done"}})

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == PATH:
            host, port = self.connection.getsockname()[:2]
            asked = {name: values[0] for name, values in parse_qs(url.query).items()}
            proof = proof_of(asked, [hash_of("gd_x")], (host, port))
            self._answer(200, {}, headers=proof or {})
        elif self.path.endswith("?open=true"):
            rows = [{"id": "I", "drill": run} for run in RUNS] if self.has_page else []
            self._answer(200, {"incidents": rows})
        else:
            self._answer(200, SHOWN)

    def _answer(
        self, status: int, said: dict[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        raw = json.dumps(said).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@contextmanager
def serving(
    refuse: str = "", *, has_page: bool = True
) -> Iterator[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    posted: list[tuple[str, dict[str, Any]]] = []
    said = {"posted": posted, "refuse": refuse, "has_page": has_page}
    handler = type("Handler", (Desk,), said)
    server = PatientServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", posted
    server.shutdown()
    server.server_close()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path))
    return Settings.from_environment()


def test_a_mitigation_reaches_the_open_incident(settings: Settings) -> None:
    with serving() as (url, posted), announced(settings, RUNS[0], url, token="gd_x"):
        code = run(["mitigate", "failover-db", "region=eu-west"])

    assert code == 0
    assert posted == [
        (
            "/api/incidents/I/mitigation",
            {"name": "failover-db", "parameters": {"region": "eu-west"}},
        )
    ]


def test_a_refused_mitigation_says_why(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        serving("no such region") as (url, _),
        announced(settings, RUNS[0], url, token="gd_x"),
    ):
        code = run(["mitigate", "failover-db", "region=mars"])

    assert code == 6
    assert "no such region" in capsys.readouterr().err


def test_ack_and_finding_are_handed_in(settings: Settings) -> None:
    with serving() as (url, posted), announced(settings, RUNS[0], url, token="gd_x"):
        assert run(["incident", "ack"]) == 0
        assert run(["incident", "finding", "red", "duration up", "--set", "shape=plateau"]) == 0
        assert run(["incident", "show"]) == 0

    assert [path for path, _ in posted] == [
        "/api/incidents/I/ack",
        "/api/incidents/I/finding",
    ]
    assert posted[1][1]["detail"] == {"shape": "plateau"}


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["mitigate", "failover-db", "region"], "KEY=VALUE"),
        (["mitigate", "failover-db", "region={region?}"], "placeholder"),
        (["mitigate", "failover-db"], "no incident is open"),
        (["incident", "finding", "readd", "x"], "red, trace"),
    ],
)
def test_what_cannot_be_done_ends_with_2(
    settings: Settings, capsys: pytest.CaptureFixture[str], arguments: list[str], word: str
) -> None:
    assert run(arguments) == 2
    assert word in capsys.readouterr().err


def test_before_the_page_there_is_nothing_to_answer(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(has_page=False) as (url, _), announced(settings, RUNS[0], url, token="gd_x"):
        assert run(["incident", "show"]) == 0
        assert "no page yet" in capsys.readouterr().out
        assert run(["incident", "ack"]) == 2
        assert "no page yet" in capsys.readouterr().err


def test_before_the_page_a_mitigation_is_done_all_the_same(settings: Settings) -> None:
    with serving(has_page=False) as (url, posted), announced(settings, RUNS[0], url, token="gd_x"):
        assert run(["mitigate", "failover-db"]) == 0

    assert posted == [("/api/mitigation", {"name": "failover-db", "parameters": {}})]


def test_what_cannot_be_said_as_it_stands_ends_with_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving("its alerts still fire") as (url, _):
        monkeypatch.setenv("GAMEDAY_SERVER", url)
        monkeypatch.setenv("GAMEDAY_TOKEN", "gd_x")
        assert run(["incident", "resolve", "I"]) == 3

    assert "its alerts still fire" in capsys.readouterr().err


def test_two_open_incidents_have_to_be_told_apart(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        serving() as (url, posted),
        announced(settings, RUNS[0], url, token="gd_x"),
        announced(settings, RUNS[1], url, token="gd_x"),
    ):
        assert run(["incident", "ack"]) == 2
        assert RUNS[1] in capsys.readouterr().err
        assert run(["incident", "ack", "--run", "20261123-1001"]) == 0

    assert len(posted) == 1


def test_the_note_is_private_and_goes_with_the_run(settings: Settings) -> None:
    with announced(settings, "r", "http://127.0.0.1:1/x", token="gd_x"):
        note = settings.state / "incidents" / "r.json"
        assert note.stat().st_mode & 0o777 == 0o600

    assert not note.exists()


def test_the_note_of_a_dead_process_is_passed_over(settings: Settings) -> None:
    folder = settings.state / "incidents"
    folder.mkdir(parents=True)
    said = {"run": "r", "url": "http://127.0.0.1:1/x", "pid": os.getpid(), "born": "before"}
    (folder / "r.json").write_text(json.dumps(said))
    (folder / "s.json").write_text("half a no")

    assert run(["incident", "ack"]) == 2
    with announced(settings, "t", "http://127.0.0.1:1/x", token="gd_x"):
        assert [path.name for path in folder.iterdir()] == ["t.json"]
    with announced(settings, "t", "http://127.0.0.1:1/x", token="gd_x"):
        assert [path.name for path in folder.iterdir()] == ["t.json"]


@pytest.mark.parametrize(
    ("arguments", "path", "body"),
    [
        (["incident", "ack", "--incident", "I"], "ack", {}),
        (["incident", "note", "I", "looking"], "note", {"text": "looking"}),
        (
            ["incident", "finding", "red", "errors", "--set", "shape=drift", "--incident", "I"],
            "finding",
            {"step": "red", "summary": "errors", "found_at": None, "detail": {"shape": "drift"}},
        ),
        (
            ["incident", "mitigate", "failover-db", "region=eu", "--incident", "I", "--failed"],
            "mitigation",
            {"name": "failover-db", "parameters": {"region": "eu"}, "ok": False, "detail": ""},
        ),
        (["incident", "resolve", "I", "--text", "x"], "resolve", {"text": "x", "anyway": False}),
        (
            ["incident", "resolve", "I", "--false-alarm"],
            "false-alarm",
            {"text": "", "anyway": False},
        ),
    ],
)
def test_every_word_about_an_incident_of_the_service_is_said_and_shown_alike(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    path: str,
    body: dict[str, Any],
) -> None:
    with serving() as (url, posted):
        monkeypatch.setenv("GAMEDAY_SERVER", url)
        monkeypatch.setenv("GAMEDAY_TOKEN", "gd_x")
        codes = [run(arguments), run([*arguments, "--json"])]

    assert [0, 0] == codes
    assert [(f"/api/incidents/I/{path}", body)] * 2 == posted
    said = capsys.readouterr()
    assert {"ok": True, "detail": "done"} == json.loads(said.out)["data"]
    assert f"on record: {path}" in said.err


def test_what_came_of_a_mitigation_is_said_by_the_target_in_a_run(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 2 == run(["incident", "mitigate", "failover-db", "--failed"])
    assert "--incident" in capsys.readouterr().err
