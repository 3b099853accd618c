"""`gameday init` against servers that answer as Prometheus and Alertmanager do."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gameday.cli.app import run
from gameday.spec import read_slos, read_system
from gameday.testing.served import PatientServer

pytestmark = pytest.mark.served

METRIC = "haproxy_backend_http_responses_total"
RULE = {
    "name": "PagesFailing",
    "type": "alerting",
    "duration": 0,
    "labels": {"team": "web"},
    "query": (
        f'sum(rate({METRIC}{{code="5xx",proxy="pages"}}[5m])) /'
        f' sum(rate({METRIC}{{proxy="pages"}}[5m])) > 0.1'
    ),
}
FILES = [
    "experiments/pages-first-fault.yaml",
    "runbooks/pages-availability.md",
    "scenarios/pages-first-drill.yaml",
    "slos/pages-availability.yaml",
    "systems/bookshop.yaml",
]


class Tools:
    """A Prometheus and an Alertmanager on one port."""

    def __init__(self) -> None:
        self.rules: list[Any] = [RULE]
        self.services = ["pages"]
        self.metrics = [METRIC]
        self.labels: dict[str, list[str]] = {}
        self.watchdog = True
        self.tells_rules = True
        self.token = ""
        self.heard: list[tuple[str, str]] = []
        tools = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                told = self.headers.get("Authorization", "")
                tools.heard.append((self.path, told))
                is_metrics = self.path.startswith("/api/v1/")
                status, body = 200, tools.answer(self.path)
                if is_metrics and tools.token and told != f"Bearer {tools.token}":
                    status, body = 401, {"error": "no token"}
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.server = PatientServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, path: str) -> Any:
        parts = urlsplit(path)
        match parts.path:
            case "/api/v1/rules" if self.tells_rules:
                return {"data": {"groups": [{"rules": self.rules}]}}
            case "/api/v1/label/__name__/values":
                return {"data": self.metrics}
            case "/api/v1/labels":
                return {"data": ["proxy", "code", *self.labels]}
            case "/api/v1/alertmanagers":
                sent_to = [{"url": f"{self.url}/api/v2/alerts"}]
                return {"data": {"activeAlertmanagers": sent_to}}
            case "/api/v1/query":
                query = parse_qs(parts.query)["query"][0]
                label, *more = query.partition("(")[2].partition(")")[0].split(", ")
                held = list(product(*(self.labels.get(name, [""]) for name in more)))
                told = [
                    {label: service, **dict(zip(more, values, strict=True))}
                    for service in self.services
                    for values in held
                ]
                found = [{"metric": labels, "value": [0, "1"]} for labels in told]
                return {"data": {"result": found}}
            case "/api/v2/alerts":
                beat = {"labels": {"alertname": "Watchdog"}, "fingerprint": "w", "startsAt": "2026"}
                return [beat] if self.watchdog else []
            case "/api/v2/status":
                return {"config": {"original": "route: {receiver: web-oncall}"}}
        return {"nothing": "here"}


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tools]:
    monkeypatch.chdir(tmp_path)
    tools = Tools()
    thread = threading.Thread(target=tools.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield tools
    tools.server.shutdown()
    tools.server.server_close()
    thread.join()


def init(tools: Tools, *words: str, objective: str = "99%") -> int:
    promise = ("--objective", objective) if objective else ()
    return run(["init", "bookshop", "--prometheus", tools.url, *promise, *words])


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_it_looks_says_what_it_saw_and_writes_files_that_are_valid(
    tools: Tools, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = init(tools)

    said = capsys.readouterr()
    assert 0 == code
    assert FILES == files(tmp_path)
    for word in ("PagesFailing: fires above 10 % bad over 5m", "web-oncall", "99 %", "haproxy"):
        assert word in said.out
    assert "gameday doctor --system bookshop" in said.err
    assert 0 == run(["validate", *(str(path) for path in tmp_path.iterdir())])


def test_a_second_time_nothing_is_written_over_but_by_force(
    tools: Tools, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    init(tools)
    (tmp_path / FILES[0]).write_text("mine")

    again = init(tools)
    kept = (tmp_path / FILES[0]).read_text()
    forced = init(tools, "--force")

    assert (2, "mine", 0) == (again, kept, forced)
    assert "mine" != (tmp_path / FILES[0]).read_text()
    assert "--force" in capsys.readouterr().err


def test_a_dry_run_prints_the_files_and_writes_none(
    tools: Tools, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = init(tools, "--dry-run")

    said = capsys.readouterr().out
    assert (0, []) == (code, files(tmp_path))
    assert all(f"--- {name}" in said for name in FILES)


def test_as_json_it_says_the_same(
    tools: Tools, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = init(tools, "--json", "--dir", "there")

    told = json.loads(capsys.readouterr().out)
    assert (0, True, "pages-first-drill") == (code, told["written"], told["scenario"])
    assert [f"there/{name}" for name in FILES] == sorted(f["path"] for f in told["files"])
    assert FILES == files(tmp_path / "there")
    assert (tmp_path / "there" / FILES[0]).read_text() in [f["text"] for f in told["files"]]


def test_what_cannot_be_seen_is_named_with_its_flag_and_nothing_is_written(
    tools: Tools, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tools.rules = [RULE, {**RULE, "name": "PagesBurning"}]

    code = init(tools, objective="")

    said = capsys.readouterr().err
    assert (2, []) == (code, files(tmp_path))
    assert "--alert: which of the alerts pages for pages: PagesFailing, PagesBurning" in said
    assert "--objective" in said


def test_several_services_are_named_and_one_is_asked_for(
    tools: Tools, capsys: pytest.CaptureFixture[str]
) -> None:
    tools.services = ["pages", "blog"]

    without, with_one = init(tools), init(tools, "--service", "pages")

    assert (2, 0) == (without, with_one)
    assert "--service: which of the 2 services whose metrics were seen: blog, pages" in (
        capsys.readouterr().err
    )


def test_a_token_is_named_in_the_file_shown_to_prometheus_and_to_nobody_else(
    tools: Tools,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tools.token = "planted-secret"
    monkeypatch.setenv("BOOKS_TOKEN", tools.token)

    code = init(tools, "--bearer-token-env", "BOOKS_TOKEN", "--header", "X-Scope-OrgID=books")

    said = capsys.readouterr()
    everything = "".join((tmp_path / name).read_text() for name in FILES) + said.out + said.err
    assert 0 == code, said.err
    spec = read_system(tmp_path / "systems/bookshop.yaml").spec
    assert "BOOKS_TOKEN" == getattr(spec.metrics.prometheus.bearer_token, "env", None)
    assert {"X-Scope-OrgID": "books"} == spec.metrics.prometheus.headers
    assert None is getattr(spec.pages.alertmanager, "bearer_token", "none at all")
    assert tools.token not in everything
    assert {""} == {told for path, told in tools.heard if path.startswith("/api/v2/")}


def test_regions_that_a_label_tells_apart_are_proposed(
    tools: Tools, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tools.labels = {"datacenter": ["us", "eu"], "method": ["GET", "PUT"], "zone": ["a"]}

    code = init(tools)

    regions = read_system(tmp_path / "systems/bookshop.yaml").spec.regions
    assert 0 == code
    assert regions is not None
    assert ("datacenter", ("eu", "us")) == (regions.label, regions.names)
    assert "eu, us, as the label datacenter tells" in capsys.readouterr().out


def test_of_several_labels_that_may_tell_regions_apart_one_is_asked_for(
    tools: Tools, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tools.labels = {"cluster": ["c1", "c2"], "region": ["eu", "us"]}

    asked = init(tools)
    said = capsys.readouterr().err
    done = init(tools, "--region-label", "cluster")

    assert (2, 0) == (asked, done)
    assert (
        "--region-label: which label of the metrics of pages tells its regions apart: region,"
        " cluster, none"
    ) in said
    regions = read_system(tmp_path / "systems/bookshop.yaml").spec.regions
    assert regions is not None and "cluster" == regions.label


def test_regions_are_left_out_for_whoever_wants_none(tools: Tools, tmp_path: Path) -> None:
    tools.labels = {"region": ["eu", "us"]}

    code = init(tools, "--region-label", "none")

    assert 0 == code
    assert None is read_system(tmp_path / "systems/bookshop.yaml").spec.regions


def test_a_label_of_any_name_is_taken_where_it_is_said(tools: Tools, tmp_path: Path) -> None:
    tools.labels = {"cell": ["c1", "c2"], "region": ["eu", "us"]}

    code = init(tools, "--region-label", "cell")

    regions = read_system(tmp_path / "systems/bookshop.yaml").spec.regions
    assert 0 == code
    assert regions is not None and ("c1", "c2") == regions.names


WRONG = {
    "no label": (
        ["init", "x", "--prometheus", "http://p", "--region-label", "a-b"],
        2,
        "--region-label: 'a-b' is no name of a label",
    ),
    "a name that is none": (["init", "Book Shop"], 2, "small letters"),
    "a shop of ours": (["init", "sandbox"], 2, "one of gameday's own shops"),
    "no Prometheus": (["init", "x"], 2, "--prometheus: where its metrics and rules are"),
    "no address": (["init", "x", "--prometheus", "prom:9090"], 2, "write http://HOST:PORT"),
    "a password in the address": (
        ["init", "x", "--prometheus", "http://me:hunter2@prom:9090"],
        2,
        "holds a user and a password",
    ),
    "a secret in a header": (
        ["init", "x", "--prometheus", "http://prom", "--header", "Authorization=hunter2"],
        2,
        "holds a secret itself",
    ),
    "a promise of everything": (["init", "x", "--objective", "100%"], 2, "no error budget"),
    "a promise without a unit": (["init", "x", "--objective", "99"], 2, "write 99% or 99.9%"),
    "nobody there": (
        ["init", "x", "--prometheus", "http://127.0.0.1:1"],
        6,
        "does not answer",
    ),
    "a variable that is not set": (
        ["init", "x", "--prometheus", "http://127.0.0.1:1", "--bearer-token-env", "NOT_SET"],
        6,
        "NOT_SET",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_in_words_and_nothing_is_written(
    name: str, tools: Tools, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, expected, said = WRONG[name]

    code = run(words)

    err = capsys.readouterr().err
    assert (expected, []) == (code, files(tmp_path)), err
    assert said in err
    assert "hunter2" not in err


def test_on_a_terminal_it_asks_what_it_cannot_see_until_it_has_an_answer(
    tools: Tools, tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    gameday = subprocess.Popen(
        [sys.executable, "-m", "gameday", "init", "bookshop", "--prometheus", tools.url],
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        cwd=tmp_path,
    )
    os.close(theirs)
    os.write(ours, b"99\n99.5%\n")

    code = gameday.wait(60)

    said = os.read(ours, 65536).decode()
    os.close(ours)
    assert 0 == code, said
    assert "'99' is not a ratio; write 99% or 99.9%" in said
    (slo,) = read_slos(tmp_path / "slos/pages-availability.yaml")
    assert 0.995 == slo.objective.target_ratio


def test_a_tool_that_does_not_tell_its_rules_is_said_to_be_of_no_use(
    tools: Tools, capsys: pytest.CaptureFixture[str]
) -> None:
    tools.tells_rules = False

    code = init(tools)

    assert 6 == code
    assert "name the Prometheus, or the ruler, that evaluates it" in capsys.readouterr().err


def test_something_else_that_answers_is_not_taken_for_prometheus(
    tools: Tools, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["init", "x", "--prometheus", f"{tools.url}/elsewhere", "--objective", "99%"])

    assert (6, []) == (code, files(tmp_path))
    said = capsys.readouterr().err
    assert "not as Prometheus does" in said
    assert "the base URL of a Prometheus" in said


def test_something_else_that_answers_is_not_taken_for_alertmanager(
    tools: Tools, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = init(tools, "--alertmanager", f"{tools.url}/elsewhere")

    assert (6, []) == (code, files(tmp_path))
    assert "not as Alertmanager does" in capsys.readouterr().err


def test_metrics_that_no_preset_reads_are_said_with_those_that_were_looked_for(
    tools: Tools, capsys: pytest.CaptureFixture[str]
) -> None:
    tools.metrics = ["up"]

    code = init(tools)

    assert 2 == code
    assert METRIC in capsys.readouterr().err


def test_until_it_is_filled_in_doctor_and_dry_run_say_so(
    tools: Tools, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    init(tools)
    capsys.readouterr()

    diagnosed = run(["doctor", "--system", "bookshop"])
    said = capsys.readouterr().out
    planned = run(["run", "pages-first-drill", "--dry-run"])

    assert (6, 3) == (diagnosed, planned)
    lines = (tmp_path / FILES[4]).read_text().splitlines()
    marked = next(n for n, line in enumerate(lines, start=1) if "FILL IN:" in line)
    assert f"systems/bookshop.yaml:{marked}: owner: the team" in said
    assert "has no action" in capsys.readouterr().err
