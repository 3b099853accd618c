"""A system that is sound until somebody breaks it: a Prometheus that scrapes itself, and a drill.

Real programs and real files; whatever a test wants broken it changes in the `Bench`.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import broken_fronts
import httpx
import pytest
import real_programs
import yaml

from gameday.cli.app import run
from gameday.rules.alert_routes import HOOK

TOTAL = 'prometheus_http_requests_total{handler="/metrics"}'
GOOD = 'prometheus_http_requests_total{handler="/metrics",code="200"}'
BAD = 'prometheus_http_requests_total{handler="/metrics",code=~"5.."}'


@dataclass(frozen=True, slots=True)
class Tools:
    """The real tools, and what rows make of them.

    Attributes:
        other: an Alertmanager that Prometheus does not send to.
    """

    prometheus: str
    alertmanager: str
    other: str
    folder: Path
    certificates: broken_fronts.Certificates | None


@contextlib.contextmanager
def silenced(alertmanager: str, name: str) -> Iterator[None]:
    """Have an alert silenced for as long as the context lasts."""
    silence = {
        "matchers": [{"name": "alertname", "value": name, "isRegex": False, "isEqual": True}],
        "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "2100-01-01T00:00:00Z",
        "createdBy": "night shift",
        "comment": "noise",
    }
    said = httpx.post(f"{alertmanager}/api/v2/silences", json=silence, trust_env=False)
    made = said.raise_for_status().json()["silenceID"]
    try:
        yield
    finally:
        httpx.delete(f"{alertmanager}/api/v2/silence/{made}", trust_env=False)


@contextlib.contextmanager
def running(folder: Path, *more: dict[str, Any]) -> Iterator[Tools]:
    """Run the tools for as long as the context lasts, from when they measure and page.

    Args:
        more: rules beside those that are there.
    """
    ports = real_programs.free_ports(3)
    prometheus, alertmanager, other = (f"127.0.0.1:{port}" for port in ports)
    both = " and ".join(
        f"sum(rate({BAD}[{window}])) / sum(rate({TOTAL}[{window}])) > 0.1"
        for window in ("1m", "5s")
    )
    twice = "prometheus_http_requests_total * on () prometheus_http_requests_total"
    rules = [
        {"alert": "PagesFailing", "expr": both},
        {"alert": "PagesUnheard", "expr": both},
        {"alert": "PagesTwice", "expr": f"{twice} > 0"},
        {"alert": "Watchdog", "expr": "vector(1)"},
        *more,
    ]
    texts = {
        "prometheus.yml": {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.yml"],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
            "scrape_configs": [
                {"job_name": "pages", "static_configs": [{"targets": [prometheus]}]}
            ],
        },
        "rules.yml": {"groups": [{"name": "pages", "rules": rules}]},
        "alertmanager.yml": {
            "route": {
                "receiver": "rota",
                "group_wait": "0s",
                "routes": [{"receiver": "nobody", "matchers": ["alertname=PagesUnheard"]}],
            },
            "receivers": [
                {"name": "rota", "webhook_configs": [{"url": f"http://127.0.0.1:9{HOOK}"}]},
                {"name": "nobody"},
            ],
        },
    }
    for name, content in texts.items():
        (folder / name).write_text(yaml.safe_dump(content))
    program = next(p for n in real_programs.MONITORING[2] if (p := shutil.which(n)))
    with ExitStack() as started:
        for address, name in ((alertmanager, "one"), (other, "two")):
            argv = [
                program,
                f"--config.file={folder}/alertmanager.yml",
                f"--storage.path={folder}/{name}",
                f"--web.listen-address={address}",
                "--cluster.listen-address=",
            ]
            ready = f"http://{address}/-/ready"
            started.enter_context(
                real_programs.running(argv, answers=ready, log=folder / f"{name}.log")
            )
        argv = [
            "prometheus",
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address={prometheus}",
            # What it sends before it has found Alertmanager is lost, and sent again in a minute.
            "--rules.alert.resend-delay=1s",
        ]
        ready = f"http://{prometheus}/-/ready"
        started.enter_context(real_programs.running(argv, answers=ready, log=folder / "p.log"))
        found = Tools(
            f"http://{prometheus}",
            f"http://{alertmanager}",
            f"http://{other}",
            folder,
            broken_fronts.certificates(folder / "tls") if shutil.which("openssl") else None,
        )
        _await_traffic(found)
        yield found


def _await_traffic(tools: Tools) -> None:
    """Wait until the shortest window is measured, and the watchdog has come through."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        query = {"query": f"sum(rate({GOOD}[5s]))"}
        said = httpx.get(f"{tools.prometheus}/api/v1/query", params=query, trust_env=False)
        beats = httpx.get(f"{tools.alertmanager}/api/v2/alerts", trust_env=False)
        if said.json()["data"]["result"] and beats.json():
            return
        time.sleep(0.1)
    pytest.fail(f"the tools did not come up: {said.text[:300]} {beats.text[:300]}")


class Bench:
    """A folder with a system, and its drill, that is sound until a row breaks it."""

    def __init__(self, folder: Path, tools: Tools, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.tools = tools
        self._capsys = capsys
        mitigate = folder / "mend"
        mitigate.write_text("#!/bin/sh\n")
        mitigate.chmod(0o700)
        self.mitigation = {
            "name": "take-out",
            "command": {"run": [str(mitigate)]},
            "undo": {"run": [str(mitigate)]},
        }
        self.spec: dict[str, Any] = {
            "metrics": {"prometheus": {"url": tools.prometheus}},
            "alerts": {"page": {"alertname": "PagesFailing"}},
            "pages": {"alertmanager": {"url": tools.alertmanager}},
            "red": {"rate": f"sum(rate({TOTAL}[{{window}}])) # {{service}}"},
            "mitigations": [self.mitigation],
        }
        self.total = TOTAL
        self.write()

    def write(self) -> None:
        """Write every file."""
        documents = {
            "systems/pages.yaml": {
                "apiVersion": "gameday/v1",
                "kind": "System",
                "metadata": {"name": "pages"},
                "spec": self.spec,
            },
            "slos/served.yaml": {
                "apiVersion": "openslo/v1",
                "kind": "SLO",
                "metadata": {"name": "served"},
                "spec": {
                    "service": "pages",
                    "indicator": {
                        "metadata": {"name": "served"},
                        "spec": {
                            "ratioMetric": {
                                "counter": True,
                                "good": _metric(GOOD),
                                "total": _metric(self.total),
                            }
                        },
                    },
                    "timeWindow": [{"duration": "30d", "isRolling": True}],
                    "budgetingMethod": "Occurrences",
                    "objectives": [{"target": 0.99}],
                },
            },
            "experiments/touch.yaml": {
                "title": "t",
                "description": "d",
                "method": [_touch(self.folder / "injected")],
                "rollbacks": [_touch(self.folder / "recovered")],
            },
            "scenarios/drill.yaml": {
                "apiVersion": "gameday/v1",
                "kind": "Scenario",
                "metadata": {"name": "drill", "severity": "SEV-2"},
                "spec": {
                    "system": "pages",
                    "slo": "served",
                    "steadyState": {"for": "0s", "burnRateBelow": 1, "within": "1s"},
                    "faults": [{"experiment": "touch", "duration": "5m"}],
                    "expect": {"errorRatio": "50%", "mitigation": ["take-out"]},
                    "responder": "none",
                },
            },
        }
        for name, content in documents.items():
            path = self.folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(yaml.safe_dump(content))

    def doctor(self) -> dict[str, Any]:
        """Return what the doctor says, as JSON."""
        self._capsys.readouterr()
        code = run(["doctor", "--system", "pages", "--json"])
        out = self._capsys.readouterr().out
        said: dict[str, Any] = json.loads(out)
        assert (0 if said["ok"] else 6) == code, said
        return said

    def typed(self, *arguments: str) -> tuple[int, str]:
        """Return how a command ended, and all it said."""
        self._capsys.readouterr()
        code = run([*arguments])
        said = self._capsys.readouterr()
        return code, said.out + said.err


def _metric(query: str) -> Any:
    return {"metricSource": {"type": "Prometheus", "spec": {"query": query}}}


def _touch(path: Path) -> Any:
    provider = {"type": "process", "path": "touch", "arguments": [str(path)]}
    return {"type": "action", "name": path.name, "provider": provider}
