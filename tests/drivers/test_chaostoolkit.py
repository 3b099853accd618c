"""Chaos Toolkit as a fault driver, with real experiments on a real proxy."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

from gameday.drivers.chaostoolkit import ChaosToolkit
from gameday.errors import DriverError, PermanentDriverError, TemporaryDriverError, UsageError
from gameday.http.credentials import told_headers
from gameday.model.access import SecretRef
from gameday.ports import PlannedFault
from gameday.settings import Settings
from gameday.testing.proxy import running_proxy

pytestmark = pytest.mark.served

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
EU = "inventory-db-eu-west"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_proxy([EU, "inventory-db-us-east"]) as url:
        yield url


@pytest.fixture
def api(server: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server, verify=False) as client:
        yield client
        client.post("/reset")


@pytest.fixture
def driver(server: str) -> ChaosToolkit:
    return ChaosToolkit(toxiproxy_url=server)


def prepare(
    driver: ChaosToolkit, path: Path, number: int = 1, **configuration: Any
) -> PlannedFault:
    return driver.prepare(
        path.stem,
        path=str(path),
        configuration={"regions": ["eu-west"], **configuration},
        at=timedelta(0),
        duration=timedelta(minutes=5),
        run="r7",
        number=number,
    )


def python(kind: str, name: str, module: str, func: str, **arguments: Any) -> dict[str, Any]:
    provider = {"type": "python", "module": module, "func": func, "arguments": arguments}
    return {"type": kind, "name": name, "provider": provider}


def write(folder: Path, **parts: Any) -> Path:
    """Write somebody's experiment, which knows nothing of gameday."""
    file = folder / "theirs.yaml"
    file.write_text(yaml.safe_dump({"title": "t", "description": "d", "method": [], **parts}))
    return file


def touch(file: Path) -> dict[str, Any]:
    return python("action", "touch", "pathlib", "Path") | {
        "provider": {"type": "process", "path": "touch", "arguments": [str(file)]}
    }


def remove(file: Path) -> dict[str, Any]:
    return {
        "type": "action",
        "name": "remove",
        "provider": {"type": "process", "path": "rm", "arguments": ["-f", str(file)]},
    }


def exists(file: Path) -> dict[str, Any]:
    return python("probe", "it exists", "os.path", "exists", path=str(file))


def test_preparing_chooses_names_and_changes_nothing(
    driver: ChaosToolkit, api: httpx.Client
) -> None:
    fault = prepare(
        driver,
        EXPERIMENTS / "slow-downstream.yaml",
        service="inventory",
        downstream="db",
        unknown="left out",
    )

    assert "gd-r7-1" == fault.undo.id == fault.configuration["toxic_name"]
    assert 300 == fault.configuration["ttl_s"]
    assert "unknown" not in fault.configuration
    assert "gameday recover r7" == fault.undo.command
    assert "slow-downstream: inventory → db in eu-west" == fault.undo.description
    assert fault.undo.data == json.loads(json.dumps(fault.undo.data))
    assert [] == api.get(f"/proxies/{EU}/toxics").json()


def test_a_fault_on_a_cluster_is_told_where_and_says_how_long_it_takes() -> None:
    driver = ChaosToolkit(context="staging", kubeconfig="/etc/kubeconfig")

    fault = prepare(driver, EXPERIMENTS / "drain-region.yaml", region="eu-1", within_s=90)

    assert ("gd-r7-1", "staging", "/etc/kubeconfig") == tuple(
        fault.configuration[k] for k in ("mark", "context", "kubeconfig")
    )
    assert timedelta(seconds=120) == fault.takes
    assert fault.undo.data == json.loads(json.dumps(fault.undo.data))


def test_the_kubeconfig_is_found_from_every_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KUBECONFIG", "a:b/c")

    fault = prepare(ChaosToolkit(), EXPERIMENTS / "drain-region.yaml", region="eu-1")

    assert f"{tmp_path}/a:{tmp_path}/b/c" == fault.configuration["kubeconfig"]


async def test_a_fault_goes_in_is_read_back_and_comes_out(
    driver: ChaosToolkit, api: httpx.Client
) -> None:
    fault = prepare(driver, EXPERIMENTS / "slow-downstream.yaml", latency="70ms")
    before = datetime.now(UTC)

    injection = await driver.inject(fault)

    assert before < injection.injected_at < datetime.now(UTC)
    shown = api.get(f"/proxies/{EU}/toxics").json()
    assert ["gd-r7-1"] == [t["name"] for t in shown]
    assert 70 == shown[0]["attributes"]["latency"]
    assert 200_000 < shown[0]["ttl"] <= 300_000
    assert await driver.is_present(fault.undo)

    await driver.recover(fault.undo)
    await driver.recover(fault.undo)

    assert not await driver.is_present(fault.undo)
    assert [] == api.get(f"/proxies/{EU}/toxics").json()


async def test_a_disabled_proxy_is_recovered_and_others_toxics_are_not(
    driver: ChaosToolkit, api: httpx.Client
) -> None:
    fault = prepare(driver, EXPERIMENTS / "broken-downstream.yaml", mode="down")
    await driver.inject(fault)
    api.post(f"/proxies/{EU}/toxics", json={"type": "latency"})
    assert not api.get(f"/proxies/{EU}").json()["enabled"]

    await driver.recover(fault.undo)

    shown = api.get(f"/proxies/{EU}").json()
    assert (True, ["latency_downstream"]) == (
        shown["enabled"],
        [t["name"] for t in shown["toxics"]],
    )


async def test_recovering_before_injecting_changes_nothing(
    driver: ChaosToolkit, api: httpx.Client
) -> None:
    fault = prepare(driver, EXPERIMENTS / "slow-downstream.yaml")
    before = api.get("/proxies").json()

    await driver.recover(fault.undo)

    assert before == api.get("/proxies").json()
    assert not await driver.is_present(fault.undo)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://proxy.invalid:8474"])
async def test_of_a_proxy_that_does_not_answer_nothing_is_known(url: str) -> None:
    driver = ChaosToolkit(toxiproxy_url=url)
    undo = prepare(driver, EXPERIMENTS / "slow-downstream.yaml").undo

    with pytest.raises(TemporaryDriverError, match="does not answer"):
        await driver.recover(undo)
    with pytest.raises(TemporaryDriverError, match="does not answer"):
        await driver.is_present(undo)


async def test_a_steady_state_that_is_not_met_stops_the_fault(
    driver: ChaosToolkit, api: httpx.Client
) -> None:
    api.post(f"/proxies/{EU}/toxics", json={"type": "latency"})
    fault = prepare(driver, EXPERIMENTS / "slow-downstream.yaml")

    with pytest.raises(PermanentDriverError, match=r"steady state not met.*the hop is clean"):
        await driver.inject(fault)

    assert not await driver.is_present(fault.undo)


async def test_what_is_not_certainly_in_place_is_an_error_in_the_experiments_own_words(
    driver: ChaosToolkit, tmp_path: Path
) -> None:
    wrong_hop = python(
        "action",
        "slow it",
        "gameday.chaos.downstream",
        "slow_downstream",
        service="inventori",
        downstream="db",
        toxiproxy_url="${toxiproxy_url}",
    )
    (tmp_path / "a").mkdir()
    failing = write(tmp_path / "a", method=[wrong_hop], configuration={"toxiproxy_url": ""})
    (tmp_path / "b").mkdir()
    idle = write(tmp_path / "b")
    (tmp_path / "c").mkdir()
    invalid = write(tmp_path / "c", method=[python("action", "x", "no_such_module", "f")])

    async def injected(path: Path) -> DriverError:
        with pytest.raises(DriverError) as failure:
            await driver.inject(prepare(driver, path))
        return failure.value

    errors = await asyncio.gather(*(injected(p) for p in (failing, idle, invalid)))

    for error, words in zip(
        errors, ("'slow it'", "did nothing: no action ran", "no_such_module"), strict=True
    ):
        assert words in str(error)
        assert "Traceback" not in str(error)
    assert "did you mean 'inventory-db" in str(errors[0])
    assert isinstance(errors[2], PermanentDriverError)


async def test_a_file_that_is_no_experiment_is_a_usage_error(
    driver: ChaosToolkit, tmp_path: Path
) -> None:
    for text in ("", "[]", "title: x", "a: [", "\x00"):
        (tmp_path / "x.yaml").write_text(text)
        with pytest.raises(UsageError, match=r"x\.yaml"):
            prepare(driver, tmp_path / "x.yaml")
    with pytest.raises(UsageError, match=r"none\.yaml"):
        prepare(driver, tmp_path / "none.yaml")


async def test_an_experiment_of_the_users_is_played_without_its_hold_and_taken_back(
    driver: ChaosToolkit, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    path = write(
        tmp_path,
        method=[touch(mark) | {"pauses": {"after": 3600}}],
        rollbacks=[remove(mark)],
        extensions=[{"name": "gameday", "present": exists(mark)}],
    )
    fault = prepare(driver, path)

    await driver.inject(fault)
    path.unlink()  # the undo holds all it needs

    assert mark.exists()
    assert await driver.is_present(fault.undo)
    await ChaosToolkit().recover(fault.undo)
    assert not mark.exists()


async def test_without_a_probe_of_its_own_the_hypothesis_tells_whether_a_fault_is_there(
    driver: ChaosToolkit, tmp_path: Path
) -> None:
    sound = tmp_path / "sound"
    sound.touch()
    hypothesis = {"title": "sound", "probes": [exists(sound) | {"tolerance": True}]}
    path = write(
        tmp_path,
        method=[remove(sound)],
        rollbacks=[touch(sound)],
        **{"steady-state-hypothesis": hypothesis},
    )
    fault = prepare(driver, path)

    assert not await driver.is_present(fault.undo)
    sound.unlink()
    assert await driver.is_present(fault.undo)


async def test_a_fault_nobody_can_read_back_counts_as_present_until_recovered(
    driver: ChaosToolkit, tmp_path: Path
) -> None:
    path = write(tmp_path, method=[touch(tmp_path / "x")])
    undo = prepare(driver, path).undo

    assert await driver.is_present(undo)
    await driver.recover(undo)
    assert not await driver.is_present(undo)


async def test_a_failed_rollback_is_an_error(driver: ChaosToolkit, tmp_path: Path) -> None:
    rollback = python("action", "put back", "os", "rmdir", path=str(tmp_path / "none"))
    path = write(tmp_path, method=[touch(tmp_path / "x")], rollbacks=[rollback])

    with pytest.raises(DriverError, match="'put back'"):
        await driver.recover(prepare(driver, path).undo)


async def test_what_was_read_as_a_secret_is_covered_in_what_an_experiment_says(
    driver: ChaosToolkit, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("of-a-header-1234\n")
    told_headers({"X-Api-Key": SecretRef(file="key")}, tmp_path)
    rollback = python("action", "put back", "os", "rmdir", path="/none/of-a-header-1234")
    path = write(tmp_path, method=[touch(tmp_path / "x")], rollbacks=[rollback])

    with pytest.raises(DriverError) as failed:
        await driver.recover(prepare(driver, path).undo)

    assert "/none/•••" in str(failed.value)
    assert "of-a-header-1234" not in str(failed.value)


def children() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children():
        # Other tests of this process have children too, and theirs may end while we look.
        with contextlib.suppress(psutil.NoSuchProcess):
            if any("chaostoolkit.child" in part for part in child.cmdline()):
                found.append(child)
    return found


async def started(mark: Path) -> None:
    async with asyncio.timeout(20):
        while not mark.exists():
            await asyncio.sleep(0.02)


def slow_to_start(folder: Path) -> tuple[Path, Path]:
    mark = folder / "mark"
    rest = python("action", "rest", "time", "sleep") | {
        "provider": {"type": "process", "path": "sleep", "arguments": ["600"]}
    }
    return write(folder, method=[touch(mark), rest], rollbacks=[remove(mark)]), mark


async def test_cancelling_ends_the_child_and_leaves_the_undo_to_recover(
    driver: ChaosToolkit, tmp_path: Path
) -> None:
    path, mark = slow_to_start(tmp_path)
    fault = prepare(driver, path)
    injecting = asyncio.create_task(driver.inject(fault))
    await started(mark)
    (child,) = children()
    nice, session = child.nice(), os.getsid(child.pid)

    injecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await injecting

    assert not child.is_running()
    assert (min(19, os.nice(0) + 5), child.pid) == (nice, session)
    await driver.recover(fault.undo)
    assert not mark.exists()


async def test_a_killed_child_is_an_error(driver: ChaosToolkit, tmp_path: Path) -> None:
    path, mark = slow_to_start(tmp_path)
    injecting = asyncio.create_task(driver.inject(prepare(driver, path)))
    await started(mark)

    os.killpg(children()[0].pid, signal.SIGKILL)

    with pytest.raises(DriverError, match="killed by SIGKILL"):
        await injecting


async def test_an_injection_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    path, _ = slow_to_start(tmp_path)
    driver = ChaosToolkit(inject_within=timedelta(seconds=0.05))

    with pytest.raises(DriverError, match="did not inject within"):
        await driver.inject(prepare(driver, path))

    assert [] == children()


LEAVES = """
import os, subprocess, sys, time

def leave(mark, how):
    if how == "spawned":
        number = subprocess.Popen(["sleep", "97"]).pid
    else:
        number = os.fork()
        if not number:
            time.sleep(97)
            os._exit(0)
    open(mark, "w").write(str(number))
"""


@pytest.mark.parametrize("how", ["spawned", "forked"])
async def test_a_process_that_a_fault_leaves_neither_delays_it_nor_is_ended_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    (tmp_path / "leaving.py").write_text(LEAVES)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    mark = tmp_path / "mark"
    action = python("action", "leave", "leaving", "leave", mark=str(mark), how=how)
    driver = ChaosToolkit(inject_within=timedelta(seconds=20))

    injection = await driver.inject(prepare(driver, write(tmp_path, method=[action])))

    left = int(mark.read_text())
    os.kill(left, signal.SIGKILL)  # it was there to be ended
    (said,) = injection.detail["left_running"]
    assert said.endswith(f"({left})")


async def test_a_child_whose_parent_is_gone_ends_itself(tmp_path: Path) -> None:
    path, mark = slow_to_start(tmp_path)
    undo = prepare(ChaosToolkit(), path).undo
    import sys

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gameday.drivers.chaostoolkit.child", "inject"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(dict(undo.data)).encode() + b"\n")
    await process.stdin.drain()
    await started(mark)

    process.stdin.close()

    assert -signal.SIGKILL == await process.wait()


async def test_what_bears_a_runs_mark_is_found_without_a_store_and_can_be_taken_out(
    driver: ChaosToolkit, api: httpx.Client
) -> None:
    for name, kind in (("gd-20260101-0900-ab12-1", "latency"), ("theirs", "latency")):
        toxic = {"name": name, "type": kind, "attributes": {"latency": 1}}
        api.post(f"/proxies/{EU}/toxics", json=toxic).raise_for_status()

    strays = await driver.strays()
    for stray in strays:
        await driver.recover(stray)

    assert [(s.run, EU in s.description) for s in strays] == [("20260101-0900-ab12", True)]
    assert [t["name"] for t in api.get(f"/proxies/{EU}/toxics").json()] == ["theirs"]


@pytest.mark.parametrize("well", [True, False])
async def test_the_steady_state_of_an_experiment_can_be_read_alone(
    driver: ChaosToolkit, tmp_path: Path, well: bool
) -> None:
    open_ = tmp_path / "open"
    if well:
        open_.touch()
    probe = {
        "type": "probe",
        "name": "open",
        "tolerance": True,
        "provider": {
            "type": "python",
            "module": "os.path",
            "func": "exists",
            "arguments": {"path": str(open_)},
        },
    }
    file = write(tmp_path, **{"steady-state-hypothesis": {"title": "open", "probes": [probe]}})

    assert await driver.steady(str(file)) is well


async def test_an_experiment_without_a_hypothesis_has_no_steady_state(
    driver: ChaosToolkit, tmp_path: Path
) -> None:
    with pytest.raises(PermanentDriverError, match="no steady-state hypothesis"):
        await driver.steady(str(write(tmp_path)))


def test_an_experiment_that_is_given_no_place_gets_that_of_the_settings() -> None:
    settings = Settings.from_environment({"GAMEDAY_KUBE_CONTEXT": "staging"})

    fault = prepare(ChaosToolkit(settings=settings), EXPERIMENTS / "drain-region.yaml")

    assert "staging" == fault.configuration["context"]


async def test_an_experiment_is_played_under_the_settings_of_its_driver(tmp_path: Path) -> None:
    settings = Settings.from_environment({"GAMEDAY_KUBE_CONTEXTS": "prod"})
    arguments = {"key": "GAMEDAY_KUBE_CONTEXTS"}
    probe = {
        "type": "probe",
        "name": "contexts",
        "tolerance": "prod",
        "provider": {"type": "python", "module": "os", "func": "getenv", "arguments": arguments},
    }
    file = write(tmp_path, **{"steady-state-hypothesis": {"title": "told", "probes": [probe]}})

    assert await ChaosToolkit(settings=settings).steady(str(file))
