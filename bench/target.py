"""A sandbox of its own for the scripts here, and what is out of order on it."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import yaml

from gameday.http.keys import auth_for
from gameday.sandbox import state

REPOSITORY = Path(__file__).resolve().parent.parent
KEPT = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "gameday-bench"
GAMEDAY = [sys.executable, "-m", "gameday"]


class Target:
    """A running sandbox and the runs that are played on it.

    Args:
        name: of its folder; two scripts must not share one.
        database: URL of the store; None: SQLite in the sandbox's state folder.
    """

    def __init__(self, name: str, *, database: str | None = None) -> None:
        self.folder = KEPT / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.environment = {**os.environ, "GAMEDAY_STATE": str(self.folder / "state")}
        if database:
            self.environment["GAMEDAY_DATABASE_URL"] = database
        up = self.gameday("sandbox", "up", "--json")
        if up.returncode:
            sys.exit(f"the sandbox does not start: {up.stderr}")
        self.state = json.loads(up.stdout)
        # Knows the sandbox's token from here on.
        state.read(self.folder / "state" / "sandbox")
        self._http = httpx.Client(timeout=10, trust_env=False, verify=False)

    def ask(self, url: str) -> Any:
        """Return what an API of the sandbox answers to a GET."""
        return self._http.get(url, auth=auth_for(url)).json()

    def gameday(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one command of gameday against this sandbox."""
        return subprocess.run(
            [*GAMEDAY, *arguments],
            capture_output=True,
            text=True,
            cwd=REPOSITORY,
            env=self.environment,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start one command of gameday and return it as it runs."""
        return subprocess.Popen(
            [*GAMEDAY, *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            env=self.environment,
        )

    def down(self) -> None:
        """End it."""
        self.gameday("sandbox", "down")

    def scenario(self, name: str, faults: list[dict[str, Any]], **spec: Any) -> Path:
        """Write a scenario that expects silence and return its path."""
        path = self.folder / f"{name}.yaml"
        document = {
            "apiVersion": "gameday/v1",
            "kind": "Scenario",
            "metadata": {"name": name, "title": name},
            "spec": {
                "target": "sandbox",
                "slo": "checkout-latency",
                "steadyState": {"for": "0s", "burnRateBelow": 1000, "within": "30s"},
                "faults": faults,
                "expect": {"errorRatio": "0%", "alert": "none"},
                "responder": "none",
                **spec,
            },
        }
        path.write_text(yaml.safe_dump(document))
        return path

    def note(self, run: str) -> dict[str, Any]:
        """Return what a run says of where it is reached; empty where it has ended."""
        note = self.folder / "state" / "incidents" / f"{run}.json"
        try:
            return dict(json.loads(note.read_text()))
        except (OSError, ValueError):
            return {}

    def mitigate(self, run: str, name: str, **parameters: str) -> None:
        """Do what a responder would, on the record of a run; nothing where it has ended."""
        note = self.note(run)
        try:
            self._http.post(
                f"{note.get('url', '')}/api/mitigation",
                json={"name": name, "parameters": parameters},
                headers={"authorization": f"Bearer {note.get('token', '')}"},
            )
        except (httpx.HTTPError, httpx.UnsupportedProtocol):
            pass

    def out_of_order(self) -> list[str]:
        """Return everything a run could have left behind; empty when all is as at the start."""
        found = [
            f"toxic {toxic['name']} on {name}"
            for name, proxy in self.ask(f"{self.state['proxy_url']}/proxies").items()
            for toxic in proxy["toxics"]
        ]
        found += [
            f"proxy {name} is off"
            for name, proxy in self.ask(f"{self.state['proxy_url']}/proxies").items()
            if not proxy["enabled"]
        ]
        status = self.ask(f"{self.state['control_url']}/status")
        found += [f"region {region} is drained" for region in status["drained"]]
        found += [f"{r} uses the {d}" for r, d in status["database"].items() if d != "primary"]
        found += [
            f"{name} runs {revision[:12]}"
            for name, revision in status["live"].items()
            if revision != status["baseline"]
        ]
        return found

    def orderly_after(self, since: float, limit: float) -> tuple[float | None, list[str]]:
        """Return (seconds from ``since`` until nothing was out of order, what still is).

        Args:
            since: by `time.monotonic`.
            limit: seconds after which it is given up: (None, what is left).
        """
        while True:
            left = self.out_of_order()
            now = time.monotonic() - since
            if not left:
                return now, []
            if now > limit:
                return None, left
            time.sleep(0.05)


def what_ran() -> str:
    """Return a name for the code of ours that this process has imported, whatever its commit."""
    files = {
        Path(file)
        for module in list(sys.modules.values())
        if (file := getattr(module, "__file__", None)) and Path(file).is_relative_to(REPOSITORY)
    }
    ours = [
        f for f in sorted(files) if f.relative_to(REPOSITORY).parts[0] in ("gameday", "scoring")
    ]
    return hashlib.sha256(b"".join(f.read_bytes() for f in ours)).hexdigest()[:12]


def commit() -> str:
    """Return the commit that is checked out, marked where the code differs from it."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, cwd=REPOSITORY)
        return done.stdout.strip()

    edits = git("diff", "HEAD", "--name-only", "--", "gameday", "scoring", "experiments")
    return git("rev-parse", "--short", "HEAD") + (" with uncommitted changes" if edits else "")


def made_by() -> str:
    """Return what a table was made with: commit, instant, command line and version of Python."""
    return (
        f"Commit {commit()}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC,"
        f" `python {' '.join(sys.argv)}`, Python {platform.python_version()}."
    )
