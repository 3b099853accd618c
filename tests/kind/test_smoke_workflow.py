"""The lines of .github/workflows/smoke.yml, run on whatever cluster there is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
WORKFLOW = REPOSITORY / ".github" / "workflows" / "smoke.yml"
IMAGE = "gameday-shop:dev"

MADE_HERE = ("make the cluster", "make the image")
"""Steps that need Docker and kind; here the fixtures do what they do."""

LONGEST_SECONDS = 900


def workflow() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    return found


def steps() -> list[dict[str, Any]]:
    return [s for s in workflow()["jobs"]["kind"]["steps"] if "run" in s]


@pytest.fixture
def environment(live: Any, tmp_path: Path) -> dict[str, str]:
    """What the steps find: a context called as kind calls its own, and the file's settings."""
    found = yaml.safe_load(Path(live.kubeconfig).read_text(encoding="utf-8"))
    wanted = next(c for c in found["contexts"] if c["name"] == live.context)
    kubeconfig = tmp_path / "kubeconfig"
    renamed = {"contexts": [{**wanted, "name": "kind-gameday"}], "current-context": "kind-gameday"}
    kubeconfig.write_text(yaml.safe_dump({**found, **renamed}))
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GAMEDAY_KUBE")}
    path = os.pathsep.join(p for p in (live.programs, os.environ["PATH"]) if p)
    return {**clean, **workflow()["env"], "KUBECONFIG": str(kubeconfig), "PATH": path}


@pytest.fixture
def image(live: Any, tmp_path: Path) -> Iterator[None]:
    """The shop's image, on every node: by the shared cluster's tool, or by Docker and kind."""
    if live.bin is not None:
        tree = tmp_path / "tree"
        run([str(REPOSITORY / "deploy" / "shop" / "tree"), str(tree)])
        settings = ("PYTHONPATH=/app", "PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1")
        extra = [part for one in settings for part in ("--env", one)]
        base = ["--from", "python:3.11-slim"]
        run([str(live.bin / "image"), IMAGE, str(tree), *base, *extra])
        yield
        run([str(live.bin / "image"), "--rm", IMAGE])
    elif live.context == "kind-gameday":
        made = next(s["run"] for s in steps() if s.get("name") == "make the image")
        run(["bash", "-e", "-c", made])
        yield
    else:
        # A cluster of somebody's own gets its image where its images come from.
        yield


def run(command: list[str], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=LONGEST_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{command[-1]}\nexit {done.returncode}\n{done.stdout[-6000:]}"


def test_every_line_of_the_workflow_passes(
    environment: dict[str, str], image: None, tmp_path: Path
) -> None:
    lasting = [s for s in steps() if "if" not in s and s.get("name") not in MADE_HERE]
    always = [s for s in steps() if "if" in s]

    try:
        for step in lasting:
            run(["bash", "-e", "-c", step["run"]], environment)
    finally:
        for step in always:
            run(["bash", "-e", "-c", step["run"]], environment)
