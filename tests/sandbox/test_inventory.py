"""The shop's inventory, whose database comes when it comes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gameday.sandbox.shop.history import SOURCE

pytestmark = pytest.mark.served

LATE = """
import sys
from inventory.database import Database

database = Database({"primary": sys.argv[1], "standby": sys.argv[1]}, "primary")
database.wait_ready(seconds=0.2)
print("closed" if database._pool.closed else "goes on trying")
database.close()
"""


def test_a_database_that_comes_late_is_still_waited_for(tmp_path: Path) -> None:
    """A pool that was given up at the start once turned every buyer of a region away for good."""
    nobody = "postgresql://postgres@127.0.0.1:1/postgres?connect_timeout=1"

    done = subprocess.run(
        [sys.executable, "-c", LATE, nobody],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert "goes on trying\n" == done.stdout, done.stderr
