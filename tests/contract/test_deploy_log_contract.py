"""Every driver of deploys against the contract of its port, each on a stand-in of its tool."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gameday.drivers.deploy_command import PrintedDeploys
from gameday.ports import DeployLog
from gameday.testing.contracts import DeployedSystem, DeployLogContract

STARTED_AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class PrintedSystem(DeployedSystem):
    """Deploys in a file, which a program prints as it stands there."""

    service, region, started_at = "checkout", "eu-west", STARTED_AT

    def __init__(self, folder: Path) -> None:
        self._file = folder / "deploys.json"
        self._file.write_text("[]")

    def log(self) -> DeployLog:
        return self._printing(f"print(open({str(self._file)!r}).read())")

    def unreachable(self) -> DeployLog:
        return PrintedDeploys(["/nowhere/at-all"], within=SECOND)

    def garbled(self) -> DeployLog:
        return self._printing("print('no deploys today')")

    def deploy(self, revision: str, at: timedelta) -> None:
        said = json.loads(self._file.read_text())
        instant = (self.started_at + at).isoformat()
        entry = {"service": self.service, "revision": revision, "deployed_at": instant}
        self._file.write_text(json.dumps([{**entry, "region": self.region}, *said]))

    def _printing(self, program: str) -> DeployLog:
        return PrintedDeploys([sys.executable, "-c", program], within=30 * SECOND)


class TestPrintedDeploys(DeployLogContract):
    @pytest.fixture
    def subject(self, tmp_path: Path) -> PrintedSystem:
        return PrintedSystem(tmp_path)
