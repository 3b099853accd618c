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
from gameday.sandbox.supervisor.gate import USER
from gameday.sandbox.supervisor.password import hashed

SCRAPE_INTERVAL = "1s"
EVALUATION_INTERVAL = "1s"
WEB = "web.yml"
"""File, in the folder of either, of what it asks who comes for."""


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
    *,
    rules: Path,
    alertmanager_port: int,
    targets: Iterable[tuple[str, str, int]],
    tools_password: Path | None = None,
    shop_token: Path | None = None,
) -> str:
    """Return Prometheus' settings file.

    Args:
        rules: folder of rule files.
        targets: (service, region, metrics port).
        tools_password: file of what Alertmanager asks for; None: it asks for nothing.
        shop_token: file of what the targets ask for; None likewise.
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
                    {
                        "static_configs": [{"targets": [f"127.0.0.1:{alertmanager_port}"]}],
                        **_basic(tools_password),
                    }
                ]
            },
            "scrape_configs": [
                {
                    "job_name": "shop",
                    **_bearer(shop_token),
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


def web_settings(password: str) -> str:
    """Return the file that has Prometheus or Alertmanager ask for this password."""
    return _yaml({"basic_auth_users": {USER: hashed(password)}})


def _basic(password: Path | None) -> dict[str, Any]:
    if password is None:
        return {}
    return {"basic_auth": {"username": USER, "password_file": str(password)}}


def _bearer(token: Path | None) -> dict[str, Any]:
    return {} if token is None else {"authorization": {"credentials_file": str(token)}}


PAGES = "pages"
"""The receiver of Alertmanager's that pages go to; whom it tells is said by the drill."""


def alertmanager_settings(pages_url: str | None, *, token: Path | None = None) -> str:
    """Return Alertmanager's settings file; pages go to this webhook, tickets to nobody's bed.

    Args:
        token: file of what the webhook asks for: what stands in the settings themselves is shown
            on Alertmanager's status page.
    """
    pages: dict[str, Any] = {"name": PAGES}
    route: dict[str, Any] = {
        "receiver": "nobody",
        "group_by": ["alertname", "slo", "service", "severity", "long_window", "short_window"],
        "group_wait": "0s",
        "group_interval": "1s",
        "repeat_interval": "1h",
        "routes": [
            {"receiver": PAGES, "matchers": ['severity="page"']},
            # The alert that always fires: its beat shows that a page would have come through.
            {"receiver": PAGES, "matchers": ['alertname="Watchdog"'], "repeat_interval": "3s"},
        ],
    }
    if pages_url is not None:
        hook: dict[str, Any] = {"url": pages_url, "send_resolved": True}
        if token is not None:
            hook["http_config"] = _bearer(token)
        pages["webhook_configs"] = [hook]
    return _yaml({"route": route, "receivers": [{"name": "nobody"}, pages]})


def prometheus(folder: Path, port: int, *, shown_as: str) -> Component:
    """Return the component that runs Prometheus on this folder.

    Args:
        shown_as: its address for everybody else.
    """
    return Component(
        name="prometheus",
        kind="prometheus",
        argv=(
            program("prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            "--storage.tsdb.retention.time=12h",
            # One that nobody takes down does not fill the disk: by then the hours do not count.
            "--storage.tsdb.retention.size=1GB",
            f"--web.listen-address=127.0.0.1:{port}",
            f"--web.config.file={folder / WEB}",
            f"--web.external-url={shown_as}/",
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


def alertmanager(folder: Path, port: int, *, shown_as: str) -> Component:
    """Return the component that runs Alertmanager on this folder; see `prometheus`."""
    return Component(
        name="alertmanager",
        kind="alertmanager",
        argv=(
            program("prometheus-alertmanager", "alertmanager"),
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            f"--web.config.file={folder / WEB}",
            f"--web.external-url={shown_as}/",
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
