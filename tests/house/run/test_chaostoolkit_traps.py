"""What Chaos Toolkit calls completed, and what a run of gameday makes of the same experiment.

Each trap is first shown with the real `chaos run`; then the same file is played as a game day, with
the real driver and a real proxy, and only Prometheus and the shop left out.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from gameday.cli.play import Played
from gameday.drivers.chaostoolkit import ChaosToolkit
from gameday.errors import ExitCode, GamedayError
from gameday.governance.admission import Admitted
from gameday.house.run.drill import Served
from gameday.house.run.opening import open_store
from gameday.house.run.planning import make_plan
from gameday.house.run.play import Surroundings, play
from gameday.house.run.stories import read_story
from gameday.house.targets.open_system import OpenSystem
from gameday.incidents import deeplinks
from gameday.model.result import RunResult
from gameday.model.signals import AlertState
from gameday.ports import MITIGATIONS, Counters, Undo
from gameday.settings import RunSettings, Settings
from gameday.testing.lease import RecordingLease
from gameday.testing.proxy import running_proxy
from scoring.timeline import Kind

pytestmark = pytest.mark.served

PROXY = "inventory-db-eu-west"
SCENARIO = """\
apiVersion: gameday/v1
kind: Scenario
metadata: {name: trap}
spec:
  regions: [eu-west]
  slo: checkout-latency
  steadyState: {for: 0s}
  faults: [{experiment: %s, duration: 5m}]
  expect: {errorRatio: 50%%}
  responder: none
"""


@pytest.fixture
def proxy() -> Iterator[str]:
    with running_proxy([PROXY]) as url:
        yield url


def toxics(url: str) -> list[str]:
    shown = httpx.get(f"{url}/proxies/{PROXY}/toxics", trust_env=False).json()
    return [toxic["name"] for toxic in shown]


def slow(service: str) -> dict[str, Any]:
    """Return an action that slows a hop of this service."""
    return {
        "type": "action",
        "name": "slow the downstream",
        "provider": {
            "type": "python",
            "module": "gameday.chaos.downstream",
            "func": "slow_downstream",
            "arguments": {
                "service": service,
                "downstream": "db",
                "regions": "${regions}",
                "toxic_name": "${toxic_name}",
                "toxiproxy_url": "${toxiproxy_url}",
            },
        },
    }


RECOVER = {
    "type": "action",
    "name": "recover the downstream",
    "provider": {
        "type": "python",
        "module": "gameday.chaos.downstream",
        "func": "recover_downstream",
        "arguments": {
            "service": "inventory",
            "downstream": "db",
            "regions": "${regions}",
            "toxic_name": "${toxic_name}",
            "toxiproxy_url": "${toxiproxy_url}",
        },
    },
}
REST = {
    "type": "action",
    "name": "rest",
    "provider": {"type": "process", "path": "sleep", "arguments": ["600"]},
}
IS_CLEAN = {
    "type": "probe",
    "name": "the hop is clean",
    "tolerance": True,
    "provider": {
        "type": "python",
        "module": "gameday.chaos.downstream",
        "func": "downstream_is_clean",
        "arguments": {
            "service": "inventory",
            "downstream": "db",
            "ignore": "${toxic_name}",
            "toxiproxy_url": "${toxiproxy_url}",
        },
    },
}


def written(folder: Path, url: str, **parts: Any) -> Path:
    """Write an experiment as people write them, without a word about how it may end."""
    experiment = {
        "title": "The database is slow",
        "description": "Every answer of the database is late.",
        "configuration": {"toxic_name": "theirs", "regions": ["eu-west"], "toxiproxy_url": url},
        "rollbacks": [RECOVER],
        **parts,
    }
    path = folder / "slow.yaml"
    path.write_text(yaml.safe_dump(experiment, sort_keys=False))
    return path


# --- Chaos Toolkit's own word -------------------------------------------------------------------


def chaos_run(experiment: Path) -> subprocess.Popen[str]:
    chaos = str(Path(sys.executable).parent / "chaos")
    return subprocess.Popen(
        # What a shell starts in the background ignores SIGINT, and so do its children.
        ["env", "--default-signal=INT", chaos, "--no-version-check", "run", str(experiment)],
        cwd=experiment.parent,
        env={"HOME": str(experiment.parent), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def journal(experiment: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((experiment.parent / "journal.json").read_text())
    return found


# --- the same as a game day ---------------------------------------------------------------------


class QuietShop:
    """A target to which nothing happens but the fault."""

    name = "sandbox"
    time_scale = 60.0

    async def check(self) -> None: ...

    async def route_pages(self, url: str) -> None: ...

    async def mitigate(self, name: str, parameters: Mapping[str, str]) -> str:
        raise AssertionError("nobody is there to mitigate")

    def undo_of_mitigation(self, run: str, *_: object) -> Undo:
        return Undo(f"gd-{run}-m", MITIGATIONS, run, "mitigations", "gameday recover")


class QuietPrometheus:
    """A Prometheus that sees a shop doing well."""

    async def alerts(self, *, slo: str, since: datetime, until: datetime) -> Sequence[AlertState]:
        return ()

    async def counters(self, **_: Any) -> Counters:
        return Counters(good=(), total=())

    async def burn_rates(self, *, slo: str) -> Mapping[str, float | None]:
        return {"1h": 0.0, "6h": 0.0}

    async def started_at(self) -> datetime | None:
        return None

    async def timing(self, *, slo: str) -> tuple[timedelta, timedelta]:
        return timedelta(seconds=1), timedelta(seconds=1)


@dataclass
class Ended:
    """How a run ended, for its reader and for the shell."""

    result: RunResult
    error: GamedayError | None
    interrupted: bool
    kinds: list[str]

    @property
    def exit_code(self) -> int:
        return Played(self.result, self.error, is_interrupted=self.interrupted).exit_code


class NobodysDoor:
    """A door that nobody comes through."""

    url = people_url = "http://127.0.0.1:1"
    webhook = "http://127.0.0.1:1/hooks/alertmanager"
    token = "nobody's"
    key = bytes(32)

    @asynccontextmanager
    async def serving(self, _served: Served) -> AsyncIterator[None]:
        yield


@asynccontextmanager
async def lease(_run: str, **_: Any) -> AsyncIterator[RecordingLease]:
    yield RecordingLease()


async def game_day(experiment: Path, url: str, *, interrupt: bool = False) -> Ended:
    """Play a scenario around an experiment; interrupt it as Ctrl-C does once the fault is there."""
    scenario = experiment.parent / "trap.yaml"
    scenario.write_text(SCENARIO % experiment)
    system = OpenSystem(
        target=QuietShop(),
        alerts=QuietPrometheus(),
        faults=ChaosToolkit(toxiproxy_url=url),
        deploys=None,
        tools=deeplinks.Tools(prometheus="", traces="", profiles=""),
        regions=("eu-west",),
    )
    settings = replace(
        Settings.from_environment(), run=RunSettings(recovery_budget=timedelta(seconds=5))
    )
    with open_store(settings) as store:
        story = read_story(str(scenario))
        admitted = Admitted(await make_plan(story, system, run="r1"))
        playing = asyncio.ensure_future(
            play(
                story,
                system,
                admitted,
                store=store,
                settings=settings,
                door=NobodysDoor(),
                around=Surroundings(sentinel=lease),
            )
        )
        if interrupt:
            async with asyncio.timeout(30):
                while not toxics(url):
                    await asyncio.sleep(0.05)
            playing.cancel()
        result: RunResult | None
        try:
            result, error = await playing
        except asyncio.CancelledError:
            result, error = store.result("r1"), None
        assert result is not None
        kinds = [str(fact.kind) for fact in store.facts("r1")]
        assert [] == list(store.open_undos("r1"))
    return Ended(result, error, interrupt, kinds)


# --- the traps ----------------------------------------------------------------------------------


@pytest.mark.row
async def test_a_failed_injection_is_completed_for_chaos_toolkit_and_a_failed_run_here(
    proxy: str, tmp_path: Path
) -> None:
    experiment = written(tmp_path, proxy, method=[slow("inventori")])

    assert 0 == chaos_run(experiment).wait(60)
    theirs = journal(experiment)
    assert ("completed", False) == (theirs["status"], theirs["deviated"])
    assert ["failed"] == [activity["status"] for activity in theirs["run"]]

    ours = await game_day(experiment, proxy)

    assert "failed" == ours.result.verdict
    assert ExitCode.UNREACHABLE == ours.exit_code
    assert "did you mean 'inventory-db-eu-west'" in str(ours.error)
    assert Kind.INJECTION_FAILED in ours.kinds
    assert Kind.FAULT_INJECTED not in ours.kinds
    assert [] == toxics(proxy)


async def test_a_steady_state_not_met_is_completed_for_chaos_toolkit_and_a_refusal_here(
    proxy: str, tmp_path: Path
) -> None:
    somebody = {"name": "somebodys", "type": "latency", "attributes": {"latency": 1}}
    httpx.post(f"{proxy}/proxies/{PROXY}/toxics", json=somebody, trust_env=False)
    hypothesis = {"title": "Nothing spoils the hop", "probes": [IS_CLEAN]}
    experiment = written(
        tmp_path,
        proxy,
        method=[slow("inventory")],
        **{"steady-state-hypothesis": hypothesis},
    )

    assert 0 == chaos_run(experiment).wait(60)
    theirs = journal(experiment)
    assert ("completed", False, []) == (theirs["status"], theirs["deviated"], theirs["run"])
    assert theirs["steady_states"]["before"]["steady_state_met"] is False

    ours = await game_day(experiment, proxy)

    assert "refused" == ours.result.verdict
    assert ExitCode.REFUSED == ours.exit_code
    assert "the hop is clean" in str(ours.error)
    assert Kind.FAULT_INJECTED not in ours.kinds
    assert ["somebodys"] == toxics(proxy)


async def test_an_experiment_that_was_not_begun_is_rolled_back_by_chaos_toolkit_and_not_here(
    proxy: str, tmp_path: Path
) -> None:
    def touch(name: str) -> dict[str, Any]:
        provider = {"type": "process", "path": "touch", "arguments": [str(tmp_path / name)]}
        return {"type": "action", "name": name, "provider": provider}

    is_there = {"module": "os.path", "func": "exists", "arguments": {"path": "/no/such/file"}}
    probe = {"type": "probe", "name": "it is there", "tolerance": True}
    hypothesis = {"title": "t", "probes": [probe | {"provider": {"type": "python", **is_there}}]}
    experiment = written(
        tmp_path,
        proxy,
        method=[touch("fault")],
        rollbacks=[touch("rollback")],
        **{"steady-state-hypothesis": hypothesis},
    )

    assert 0 == chaos_run(experiment).wait(60)
    assert (False, True) == ((tmp_path / "fault").exists(), (tmp_path / "rollback").exists())
    (tmp_path / "rollback").unlink()

    ours = await game_day(experiment, proxy)

    assert ("refused", ExitCode.REFUSED) == (ours.result.verdict, ours.exit_code)
    assert not (tmp_path / "rollback").exists()


@pytest.mark.row
async def test_rollbacks_skipped_on_an_interrupt_by_chaos_toolkit_are_played_here(
    proxy: str, tmp_path: Path
) -> None:
    experiment = written(tmp_path, proxy, method=[slow("inventory"), REST])

    running = chaos_run(experiment)
    deadline = time.monotonic() + 60
    while not toxics(proxy):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    running.wait(60)
    theirs = journal(experiment)
    assert ("interrupted", []) == (theirs["status"], theirs["rollbacks"])
    assert ["theirs"] == toxics(proxy)
    httpx.delete(f"{proxy}/proxies/{PROXY}/toxics/theirs", trust_env=False)

    ours = await game_day(experiment, proxy, interrupt=True)

    assert "aborted" == ours.result.verdict
    assert ExitCode.INTERRUPTED == ours.exit_code
    assert {Kind.FAULT_RECOVERED, Kind.RECOVERY_PROVEN} <= set(ours.kinds)
    assert [] == toxics(proxy)
