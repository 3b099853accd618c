"""The hash by which Prometheus knows its password."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from gameday.sandbox.supervisor.monitoring import web_settings
from gameday.sandbox.supervisor.password import hashed


def test_a_hash_is_one_of_bcrypt_and_never_twice_the_same() -> None:
    first, second = hashed("secret"), hashed("secret")

    assert (60, "$2b$04$") == (len(first), first[:7])
    assert first != second


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool comes with Prometheus")
def test_prometheus_takes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    path.write_text(web_settings("secret"))

    done = subprocess.run(["promtool", "check", "web-config", str(path)], capture_output=True)

    assert (0, ["gameday"]) == (
        done.returncode,
        list(yaml.safe_load(path.read_text())["basic_auth_users"]),
    )
