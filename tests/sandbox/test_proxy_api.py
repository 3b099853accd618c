"""The proxy as a process, driven over HTTP as Toxiproxy's clients drive it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.served


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        yield f"{host}:{port}"


@pytest.fixture(scope="module")
def server(upstream: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    file = tmp_path_factory.mktemp("proxy") / "proxies.json"
    file.write_text(json.dumps([{"name": "first", "upstream": upstream}]))
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "gameday.sandbox.proxy"),
            *("--control-port", "0", "--populate", str(file)),
        ],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["control_url"]
        process.terminate()
        process.wait(10)
    assert 0 == process.returncode


@pytest.fixture
def api(server: str, upstream: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server, verify=False) as client:
        assert (
            201
            == client.post(
                "/proxies", json={"name": "db", "listen": "127.0.0.1:0", "upstream": upstream}
            ).status_code
        )
        yield client
        assert 204 == client.delete("/proxies/db").status_code


def test_a_proxy_is_shown_with_the_port_it_listens_on(api: httpx.Client, upstream: str) -> None:
    shown = api.get("/proxies/db").json()

    assert not shown["listen"].endswith(":0")
    assert {"name", "listen", "upstream", "enabled", "toxics"} == set(shown)
    assert (upstream, True, []) == (shown["upstream"], shown["enabled"], shown["toxics"])
    assert {"first", "db"} == set(api.get("/proxies").json())


def test_a_toxic_lives_through_create_read_update_delete(api: httpx.Client) -> None:
    created = api.post(
        "/proxies/db/toxics", json={"type": "latency", "attributes": {"latency": 1500}}
    )

    expected = {
        "attributes": {"latency": 1500, "jitter": 0},
        "name": "latency_downstream",
        "type": "latency",
        "stream": "downstream",
        "toxicity": 1.0,
    }
    assert (200, expected) == (created.status_code, created.json())
    assert [expected] == api.get("/proxies/db/toxics").json()
    path = "/proxies/db/toxics/latency_downstream"
    for method in ("PATCH", "POST"):
        changed = api.request(method, path, json={"toxicity": 0.5, "attributes": {"jitter": 9}})
        assert {"latency": 1500, "jitter": 9} == changed.json()["attributes"]
        assert 0.5 == changed.json()["toxicity"]
    assert changed.json() == api.get(path).json()
    assert 204 == api.delete(path).status_code
    assert 404 == api.get(path).status_code


def test_a_disabled_proxy_keeps_its_toxics(api: httpx.Client) -> None:
    api.post("/proxies/db/toxics", json={"type": "timeout", "stream": "upstream"})

    shown = api.patch("/proxies/db", json={"enabled": False}).json()

    assert (False, ["timeout_upstream"]) == (shown["enabled"], [t["name"] for t in shown["toxics"]])


def test_reset_enables_every_proxy_and_removes_every_toxic(api: httpx.Client) -> None:
    api.post("/proxies/db/toxics", json={"type": "timeout"})
    api.patch("/proxies/db", json={"enabled": False})

    assert 204 == api.post("/reset").status_code

    shown = api.get("/proxies/db").json()
    assert (True, []) == (shown["enabled"], shown["toxics"])


def test_populate_leaves_equal_proxies_untouched_and_replaces_others(
    api: httpx.Client, upstream: str
) -> None:
    api.post("/proxies/db/toxics", json={"type": "timeout"})
    before = api.get("/proxies/db").json()

    same = api.post(
        "/populate", json=[{"name": "db", "listen": before["listen"], "upstream": upstream}]
    )
    assert (201, [before]) == (same.status_code, same.json()["proxies"])

    other = api.post("/populate", json=[{"name": "db", "upstream": "127.0.0.1:9"}])
    assert ("127.0.0.1:9", []) == (
        other.json()["proxies"][0]["upstream"],
        other.json()["proxies"][0]["toxics"],
    )


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        ("GET", "/proxies/nope", None, 404, "proxy not found"),
        ("DELETE", "/proxies/nope", None, 404, "proxy not found"),
        ("GET", "/proxies/nope/toxics", None, 404, "proxy not found"),
        ("GET", "/proxies/db/toxics/nope", None, 404, "toxic not found"),
        ("PATCH", "/proxies/db/toxics/nope", "{}", 404, "toxic not found"),
        ("DELETE", "/proxies/db/toxics/nope", None, 404, "toxic not found"),
        ("POST", "/proxies", "{", 400, "bad request body"),
        ("POST", "/proxies", "[]", 400, "bad request body"),
        ("POST", "/proxies", "{}", 400, "missing required field: name"),
        ("POST", "/proxies", '{"name": "x"}', 400, "missing required field: upstream"),
        ("POST", "/proxies", '{"name": "x", "upstream": "y"}', 400, "bad request body"),
        ("POST", "/proxies", '{"name": "db", "upstream": "h:1"}', 409, "proxy already exists"),
        ("POST", "/populate", '[{"name": "x"}]', 400, "missing required field: upstream"),
        ("POST", "/populate", "{}", 400, "bad request body"),
        ("PATCH", "/proxies/db", '{"enabled": "no"}', 400, "bad request body"),
        ("POST", "/proxies/db/toxics", '{"type": "rain"}', 400, "invalid toxic type"),
        ("POST", "/proxies/db/toxics", '{"stream": "up"}', 400, "stream was invalid"),
    ],
)
def test_errors_have_toxiproxys_shape(
    api: httpx.Client, method: str, path: str, body: str | None, status: int, error: str
) -> None:
    answer = api.request(method, path, content=body)

    assert status == answer.status_code
    assert {"error", "status"} == set(answer.json())
    assert status == answer.json()["status"]
    assert answer.json()["error"].startswith(error)


def test_a_toxic_cannot_be_added_twice(api: httpx.Client) -> None:
    api.post("/proxies/db/toxics", json={"type": "timeout"})

    again = api.post("/proxies/db/toxics", json={"type": "timeout"})

    assert (409, {"error": "toxic already exists", "status": 409}) == (
        again.status_code,
        again.json(),
    )


def test_a_taken_port_is_an_error_and_creates_nothing(api: httpx.Client, upstream: str) -> None:
    answer = api.post("/proxies", json={"name": "x", "listen": upstream, "upstream": "h:1"})

    assert 500 == answer.status_code
    assert "listen tcp" in answer.json()["error"]
    assert 404 == api.get("/proxies/x").status_code


def test_browsers_are_turned_away(api: httpx.Client) -> None:
    answer = api.get("/proxies", headers={"User-Agent": "Mozilla/5.0"})

    assert 403 == answer.status_code


def test_unknown_methods_and_paths_are_refused(api: httpx.Client) -> None:
    assert 405 == api.put("/proxies").status_code
    assert 404 == api.get("/nothing").status_code


def test_version_and_metrics_answer(api: httpx.Client) -> None:
    assert "version" in api.get("/version").json()
    assert "toxiproxy_proxy_received_bytes_total" in api.get("/metrics").text


def test_the_chaos_toolkit_extension_for_toxiproxy_drives_it(
    api: httpx.Client, monkeypatch: pytest.MonkeyPatch, upstream: str
) -> None:
    from chaostoxi.proxy import actions as proxies
    from chaostoxi.proxy import probes
    from chaostoxi.toxic import actions as toxics

    configuration = {"toxiproxy_url": str(api.base_url).rstrip("/")}
    host, port = upstream.split(":")
    monkeypatch.setenv("made_PORT", "")
    assert proxies.create_proxy("made", host, int(port), "127.0.0.1", configuration=configuration)
    assert probes.proxy_exist("made", configuration=configuration)
    assert toxics.create_latency_toxic("made", "slow", 500, 50, configuration=configuration)
    assert toxics.create_bandwith_degradation_toxic("made", "b", 5, configuration=configuration)
    assert toxics.create_slow_connection_close_toxic("made", "c", 5, configuration=configuration)
    assert toxics.create_timeout_toxic("made", "d", 5, configuration=configuration)
    assert toxics.create_slicer_toxic("made", "e", 64, 32, 10, configuration=configuration)
    assert toxics.create_limiter_toxic("made", "f", 5, configuration=configuration)
    assert toxics.create_toxic(
        "made", "g", "reset_peer", "upstream", 0.5, {"timeout": 3}, configuration=configuration
    )
    names = {t["name"] for t in api.get("/proxies/made/toxics").json()}
    assert {"slow", "b", "c", "d", "e", "f", "g"} == names

    assert toxics.delete_toxic("made", "slow", configuration=configuration)
    assert proxies.disable_proxy("made", configuration=configuration)
    assert not probes.get_proxy_attribute("made", "enabled", configuration=configuration)
    assert proxies.enable_proxy("made", configuration=configuration)
    assert proxies.reset(configuration=configuration)
    assert [] == api.get("/proxies/made/toxics").json()
    proxies.delete_proxy("made", configuration=configuration)
    assert not probes.proxy_exist("made", configuration=configuration)


def test_a_populate_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    process = subprocess.run(
        [
            *(sys.executable, "-m", "gameday.sandbox.proxy"),
            *("--control-port", "0", "--populate", str(tmp_path / "none.json")),
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (1, "") == (process.returncode, process.stdout)
    assert process.stderr.startswith("the proxy cannot start: ")
    assert 1 == process.stderr.count("\n")
