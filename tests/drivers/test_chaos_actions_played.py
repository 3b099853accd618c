"""Actions of Chaos Toolkit that mitigate, played by the process that plays experiments."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from gameday.house.processes.undoers import Undoers
from gameday.model.mitigation import ChaosAction
from gameday.ports import MITIGATIONS, Undo

pytestmark = pytest.mark.served


def undo_of(action: ChaosAction, folder: Path) -> Undo:
    data = {"action": action.model_dump(mode="json", by_alias=True), "folder": str(folder)}
    return Undo(
        id="gd-r1-a", kind=MITIGATIONS, run="r1", description="a", command="none", data=data
    )


async def test_an_undo_is_played_where_the_run_was_by_whoever_knows_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = {"type": "process", "path": "sh", "arguments": ["-c", "echo back >>log"]}
    undo = undo_of(ChaosAction(name="a", provider=provider), tmp_path)
    monkeypatch.chdir("/")
    undoers = Undoers()

    was_present = await undoers.is_present(undo)
    await undoers.recover(undo)

    assert "back\n" == (tmp_path / "log").read_text()
    assert (True, False) == (was_present, await undoers.is_present(undo))


ACTS = """
import asyncio
from gameday.drivers.chaostoolkit.actions import ChaosActions
from gameday.model.mitigation import ChaosAction

arguments = ["-c", "sleep 300 & echo $$ $! >pids; wait"]
provider = {"type": "process", "path": "sh", "arguments": arguments}
asyncio.run(ChaosActions().do(ChaosAction(name="a", provider=provider)))
"""


def test_an_action_under_way_goes_with_the_process_that_asked_for_it(tmp_path: Path) -> None:
    asking = subprocess.Popen([sys.executable, "-c", ACTS], cwd=tmp_path, env=os.environ)
    pids = until(lambda: (tmp_path / "pids").read_text().split())

    asking.kill()
    asking.wait()

    until(lambda: not any(is_running(int(pid)) for pid in pids))


def until(tells: Callable[[], Any]) -> Any:
    """Return what is told once it is something, or fail."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError):
            if told := tells():
                return told
        time.sleep(0.02)
    pytest.fail("it did not come about")


def is_running(pid: int) -> bool:
    """Return whether a process goes on; one that ended and is not yet collected does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
