"""`gameday serve` as a process of its own: real sockets, a real kill, a real Alertmanager."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.served

PATIENCE = 60.0
"""Seconds until something that takes one is given up on; a busy machine is slow."""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def until(said: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if said():
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    pytest.fail(f"it did not happen within {PATIENCE:.0f} s")


@contextmanager
def running(*argv: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        argv, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def cli(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gameday", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def token(role: str) -> str:
    return cli("token", "create", "--role", role).stdout.strip()


@contextmanager
def serving(port: int) -> Iterator[subprocess.Popen[bytes]]:
    with running(sys.executable, "-m", "gameday", "serve", "--port", str(port)) as process:
        url = f"http://127.0.0.1:{port}/readyz"
        until(lambda: httpx.get(url, trust_env=False).status_code == 200)
        yield process


def bearing(port: int, secret: str) -> httpx.Client:
    return httpx.Client(
        base_url=f"http://127.0.0.1:{port}",
        headers={"authorization": f"Bearer {secret}"} if secret else {},
        trust_env=False,
        timeout=PATIENCE,
    )


def alert(number: int) -> dict[str, Any]:
    labels = {"service": "storefront", "slo": "latency", "severity": "page"}
    started = datetime.now(UTC).isoformat()
    return {"fingerprint": f"f{number}", "startsAt": started, "labels": labels}


def test_a_killed_service_has_every_alert_it_acknowledged_and_answers_on_the_command_line() -> None:
    port = free_port()
    hook, person = token("webhook"), token("responder")
    with bearing(port, hook) as machine, bearing(port, person) as http:
        with serving(port) as process:
            for number in range(5):
                answer = machine.post("/hooks/alertmanager", json={"alerts": [alert(number)]})
                assert {"recorded": 1} == answer.json()
            process.send_signal(signal.SIGKILL)
            process.wait()
        with serving(port) as process:
            (row,) = http.get("/api/incidents").json()["incidents"]
            assert 5 == http.get(f"/api/incidents/{row['id']}").json()["alerts_total"]
            own = {"GAMEDAY_SERVER": f"http://127.0.0.1:{port}", "GAMEDAY_TOKEN": person}

            codes = [
                cli("incident", *arguments, **own).returncode
                for arguments in (
                    ("ack", "--incident", row["id"]),
                    ("finding", "red", "errors moved", "--incident", row["id"]),
                    ("note", row["id"], "looking"),
                    ("show", "--incident", row["id"]),
                    ("resolve", row["id"]),
                    ("resolve", row["id"], "--anyway"),
                    ("note", "no-such-incident", "x"),
                )
            ]
            # The list is brought up to date once a second; the facts behind it are there already.
            deadline = time.monotonic() + PATIENCE
            while "resolved" not in cli("incident", "list", "--all", "--json").stdout:
                assert time.monotonic() < deadline, "the list never shows the resolution"
            process.terminate()
            ended = process.wait(timeout=PATIENCE)

    assert [0, 0, 0, 0, 3, 0, 2] == codes
    assert 0 == ended
    assert "resolved" in cli("incident", "list", "--all", "--json").stdout
    assert 6 == cli("incident", "note", row["id"], "x", **own).returncode


@pytest.mark.usefixtures("monitoring")
def test_a_storm_through_a_real_alertmanager_is_one_incident_per_service_and_slo(
    tmp_path: Path,
) -> None:
    services, alerts = 20, 500
    port, pages = free_port(), free_port()
    (tmp_path / "token").write_text(token("webhook"))
    (tmp_path / "alertmanager.yml").write_text(
        f"""
route:
  receiver: gameday
  group_by: [service, slo]
  group_wait: 200ms
  group_interval: 1s
  repeat_interval: 2s
inhibit_rules:
  - source_matchers: [severity="page"]
    target_matchers: [severity="ticket"]
    equal: [service, slo]
receivers:
  - name: gameday
    webhook_configs:
      - url: http://127.0.0.1:{port}/hooks/alertmanager
        http_config:
          authorization: {{credentials_file: {tmp_path / "token"}}}
"""
    )
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    assert program
    started = datetime.now(UTC)
    storm = [
        {
            "labels": {
                "alertname": "Burn",
                "service": f"service-{number % services}",
                "slo": "latency",
                "severity": "page",
                "pod": f"pod-{number}",
            },
            "startsAt": started.isoformat(),
            "endsAt": (started + timedelta(hours=1)).isoformat(),
        }
        for number in range(alerts)
    ]
    inhibited = {**storm[0], "labels": {**storm[0]["labels"], "severity": "ticket"}}

    with (
        serving(port),
        running(
            program,
            f"--config.file={tmp_path / 'alertmanager.yml'}",
            f"--storage.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{pages}",
            "--cluster.listen-address=",
        ),
        bearing(port, token("observer")) as http,
        bearing(pages, "") as alertmanager,
    ):
        until(lambda: alertmanager.get("/-/ready").status_code == 200)
        for begin in range(0, alerts, 50):
            sent = alertmanager.post("/api/v2/alerts", json=storm[begin : begin + 50])
            assert 200 == sent.status_code
        assert 200 == alertmanager.post("/api/v2/alerts", json=[inhibited]).status_code

        def incidents() -> list[dict[str, Any]]:
            rows = http.get("/api/incidents").json()["incidents"]
            return [http.get(f"/api/incidents/{r['id']}").json() for r in rows]

        until(lambda: sum(i["alerts_total"] for i in incidents()) >= alerts)
        time.sleep(3)  # Alertmanager repeats every group meanwhile.
        found = incidents()

    pods = [a["labels"]["pod"] for i in found for a in i["alerts"]]
    assert services == len(found) == len({(i["service"], i["slo"]) for i in found})
    assert sorted(f"pod-{n}" for n in range(alerts)) == sorted(pods)
