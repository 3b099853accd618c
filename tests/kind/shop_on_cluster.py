"""The whole shop on a test cluster, as `.github/workflows/smoke.yml` puts it there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
WORKFLOW = REPOSITORY / ".github" / "workflows" / "smoke.yml"
IMAGE = "gameday-shop:dev"
CONTEXT = "kind-gameday"
"""As kind calls the context of the cluster it makes; the programme says it is disposable."""

LONGEST_SECONDS = 900
REFUSED = 3
BEGUN_AGAIN = 2
"""How often a run is begun again that was refused because the machine was busy."""


def workflow() -> dict[str, Any]:
    """Return the workflow's document."""
    found: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    return found


def steps() -> list[dict[str, Any]]:
    """Return the workflow's steps that run something."""
    return [s for s in workflow()["jobs"]["kind"]["steps"] if "run" in s]


def environment(live: Any, folder: Path, *, token: str = "") -> dict[str, str]:
    """Return what the steps find: a context called as kind calls its own, the file's settings.

    Args:
        folder: gets the kubeconfig.
        token: of a service account to be, instead of the cluster's administrator.
    """
    found = yaml.safe_load(Path(live.kubeconfig).read_text(encoding="utf-8"))
    context = next(c["context"] for c in found["contexts"] if c["name"] == live.context)
    if token:
        found["users"] = [{"name": "account", "user": {"token": token}}]
        context = {**context, "user": "account"}
    found["contexts"] = [{"name": CONTEXT, "context": context}]
    found["current-context"] = CONTEXT
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(found))
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GAMEDAY_KUBE")}
    path = os.pathsep.join(p for p in (live.programs, os.environ["PATH"]) if p)
    state = {"GAMEDAY_STATE": str(folder / "state")}
    return {**clean, **state, **workflow()["env"], "KUBECONFIG": str(kubeconfig), "PATH": path}


@contextmanager
def image_on(live: Any, folder: Path) -> Iterator[None]:
    """Put the shop's image on every node: by the shared cluster's tool, or by Docker and kind.

    A cluster of somebody's own gets its image where its images come from.
    """
    if live.bin is not None:
        tree = folder / "tree"
        run([str(REPOSITORY / "deploy" / "shop" / "tree"), str(tree)])
        assert any((tree / "app" / "gameday").rglob("*.pyc")), "each pod would compile it anew"
        settings = ("PYTHONPATH=/app", "PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1")
        extra = [part for one in settings for part in ("--env", one)]
        base = ["--from", "python:3.11-slim"]
        run([str(live.bin / "image"), IMAGE, str(tree), *base, *extra])
        yield
        run([str(live.bin / "image"), "--rm", IMAGE])
    else:
        if live.context == CONTEXT:
            made = next(s["run"] for s in steps() if s.get("name") == "make the image")
            run(["bash", "-e", "-c", made])
        yield


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """Run a command that must end well, and return what it wrote to its standard output."""
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=LONGEST_SECONDS,
        check=False,
    )
    said = f"{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
    assert done.returncode == 0, f"{command[-1]}\nexit {done.returncode}\n{said}"
    return done.stdout


@dataclass(frozen=True)
class Shell:
    """A terminal in the repository, whose gameday knows the cluster."""

    environment: Mapping[str, str]

    def gameday(self, *arguments: str) -> str:
        """Run a command that must end well, and return what it wrote to its standard output."""
        return run([sys.executable, "-m", "gameday", *arguments], self.environment)

    def ended(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command to whatever end; return its exit code, its output and what it said."""
        done = subprocess.run(
            [sys.executable, "-m", "gameday", *arguments],
            cwd=REPOSITORY,
            env=self.environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LONGEST_SECONDS,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def played(self, *arguments: str) -> tuple[int, str, str]:
        """Play a run, as `ended`; one that finds no steady state is begun again, at most twice.

        The shop's pods have only just started, and a machine that does other work as well makes
        them slow: such a run is refused before it does anything.
        """
        for _ in range(BEGUN_AGAIN):
            found = self.ended("run", *arguments)
            if found[0] != REFUSED or "steady state not met" not in found[2]:
                return found
        return self.ended("run", *arguments)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command; nobody reads what it says."""
        return subprocess.Popen(
            [sys.executable, "-m", "gameday", *arguments],
            cwd=REPOSITORY,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        )
