"""Prometheus and Alertmanager: which programs, which settings, how they are started."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from gameday.errors import PermanentDriverError
from gameday.sandbox.supervisor.component import Component

SCRAPE_INTERVAL = "1s"
EVALUATION_INTERVAL = "1s"


def program(*names: str) -> str:
    """Return the first of these programs that is installed.

    Raises:
        PermanentDriverError: none is; says how to get it.
    """
    for name in names:
        for path in (None, "/usr/sbin:/usr/local/sbin:/opt/homebrew/bin:/usr/local/bin"):
            found = shutil.which(name, path=path)
            if found is not None:
                return found
    raise PermanentDriverError(
        f"{names[0]} is not installed: `make setup` installs it, or"
        f" `apt-get install --no-install-recommends {names[0]}`, or `brew install {names[-1]}`"
    )


def prometheus_settings(
    *, rules: Path, alertmanager_port: int, targets: Iterable[tuple[str, str, int]]
) -> str:
    """Return Prometheus' settings file.

    Args:
        rules: folder of rule files.
        targets: (service, region, metrics port).
    """
    return _yaml(
        {
            "global": {
                "scrape_interval": SCRAPE_INTERVAL,
                "scrape_timeout": SCRAPE_INTERVAL,
                "evaluation_interval": EVALUATION_INTERVAL,
            },
            "rule_files": [str(rules / "*.yml")],
            "alerting": {
                "alertmanagers": [
                    {"static_configs": [{"targets": [f"127.0.0.1:{alertmanager_port}"]}]}
                ]
            },
            "scrape_configs": [
                {
                    "job_name": "shop",
                    "static_configs": [
                        {
                            "targets": [f"127.0.0.1:{port}"],
                            "labels": {"service": service, "region": region},
                        }
                        for service, region, port in targets
                    ],
                }
            ],
        }
    )


def alertmanager_settings(pages_url: str | None) -> str:
    """Return Alertmanager's settings file; pages go to this webhook, tickets to nobody's bed."""
    receivers: list[dict[str, Any]] = [{"name": "nobody"}]
    route: dict[str, Any] = {
        "receiver": "nobody",
        "group_by": ["alertname", "slo", "service", "severity", "long_window", "short_window"],
        "group_wait": "0s",
        "group_interval": "1s",
        "repeat_interval": "1h",
    }
    if pages_url is not None:
        receivers.append(
            {"name": "pages", "webhook_configs": [{"url": pages_url, "send_resolved": True}]}
        )
        route["routes"] = [
            {"receiver": "pages", "matchers": ['severity="page"']},
            # The alert that always fires: its beat shows that a page would have come through.
            {
                "receiver": "pages",
                "matchers": ['alertname="Watchdog"'],
                "repeat_interval": "3s",
            },
        ]
    return _yaml({"route": route, "receivers": receivers})


def prometheus(folder: Path, port: int) -> Component:
    """Return the component that runs Prometheus on this folder."""
    return Component(
        name="prometheus",
        kind="prometheus",
        argv=(
            program("prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            "--storage.tsdb.retention.time=12h",
            f"--web.listen-address=127.0.0.1:{port}",
            f"--web.external-url=http://127.0.0.1:{port}/",
            "--web.enable-lifecycle",
            "--web.enable-admin-api",
            "--enable-feature=exemplar-storage",
            # An alert that Alertmanager did not take is sent again after this, by default a minute:
            # after a reset of the history the watchdog's beat would be away that long.
            "--rules.alert.resend-delay=5s",
            "--log.level=warn",
        ),
        port=port,
        health_url=f"http://127.0.0.1:{port}/-/ready",
        environment={"GOMAXPROCS": "2"},
        nice=-2,
    )


def alertmanager(folder: Path, port: int) -> Component:
    """Return the component that runs Alertmanager on this folder."""
    return Component(
        name="alertmanager",
        kind="alertmanager",
        argv=(
            program("prometheus-alertmanager", "alertmanager"),
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            f"--web.external-url=http://127.0.0.1:{port}/",
            "--cluster.listen-address=",
            "--log.level=warn",
        ),
        port=port,
        health_url=f"http://127.0.0.1:{port}/-/ready",
        environment={"GOMAXPROCS": "2"},
        nice=-2,
    )


def fault_of_rules(text: str | None) -> str:
    """Return what is wrong with a rule file in Prometheus' own words; empty where it can't say.

    The server's answer to a reload says only that something is wrong; its tool says what.
    """
    promtool = shutil.which("promtool")
    if promtool is None or text is None:
        return ""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rules.yml"
        path.write_text(text, encoding="utf-8")
        done = subprocess.run(
            [promtool, "check", "rules", str(path)],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=10,
        )
        lines = done.stderr.replace(str(path), "").split("\n")
    return "; ".join(line.strip(" :") for line in lines if line.strip() and "FAILED" not in line)


def _yaml(document: dict[str, Any]) -> str:
    return yaml.safe_dump(document, sort_keys=False)
