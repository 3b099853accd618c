"""The sentinel as a process of its own, over a run that is killed, frozen, or ends as it should."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
import pytest

from gameday.house.run.opening import open_store
from gameday.ports import OrderKind, Undo
from gameday.settings import Settings
from gameday.testing.proxy import running_proxy
from scoring.timeline import Kind

PROXY = "inventory-db-eu-west"
LEASE = 1

pytestmark = pytest.mark.served

RUN = """
import asyncio, json, sys
from datetime import timedelta
import httpx
from gameday.house.processes.sentinel_process import sentinel
from gameday.ports import Undo

url, ending, seconds = sys.argv[1:]
undo = Undo("gd-r1-1", "experiment", "r1", "slow", "gameday recover r1",
            {"experiment": {"method": []}, "configuration": {}, "toxiproxy_url": url})

async def main():
    async with sentinel("r1", lease=timedelta(seconds=float(seconds))) as lease:
        await lease.hold(undo, at_most=timedelta(minutes=5))
        toxic = {"name": "gd-r1-1", "type": "latency", "attributes": {"latency": 100}}
        httpx.post(f"{url}/proxies/PROXY/toxics", json=toxic, trust_env=False).raise_for_status()
        print(lease.pid, flush=True)
        if ending == "hang":
            __import__("time").sleep(600)  # the event loop stands still
        if ending == "well":
            httpx.delete(f"{url}/proxies/PROXY/toxics/gd-r1-1", trust_env=False)
            await lease.release("gd-r1-1")
            return
        if ending == "leave":
            return
        if ending == "listen":
            while not lease.lost():
                await asyncio.sleep(0.05)
            print(lease.lost(), flush=True)
            httpx.delete(f"{url}/proxies/PROXY/toxics/gd-r1-1", trust_env=False)
            await lease.release("gd-r1-1")
            return
        await asyncio.sleep(600)

asyncio.run(main())
""".replace("PROXY", PROXY)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_proxy([PROXY]) as url:
        yield url


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = Settings.from_environment({"GAMEDAY_STATE": str(tmp_path)})
    with open_store(found) as store:
        store.open_run(
            "r1", scenario="s", target="sandbox", started_at=datetime.now(UTC), documents={}
        )
        store.save_undo(Undo("gd-r1-1", "experiment", "r1", "slow", "gameday recover r1", {}))
    return found


@contextmanager
def started(
    settings: Settings, url: str, ending: str, *, lease: int = LEASE
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start a run that has a fault in place; yield it and its sentinel's process id."""
    with subprocess.Popen(
        [sys.executable, "-c", RUN, url, ending, str(lease)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "GAMEDAY_STATE": str(settings.state)},
    ) as process:
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def toxics(url: str) -> list[str]:
    answer = httpx.get(f"{url}/proxies/{PROXY}/toxics", trust_env=False, verify=False)
    return [toxic["name"] for toxic in answer.json()]


def wait_for(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(0.05)


def has_ended(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_killed_run_leaves_nothing_behind(settings: Settings, server: str) -> None:
    with started(settings, server, "wait") as (run, sentinel):
        assert toxics(server) == ["gd-r1-1"]
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(sentinel, number)  # whoever ends a run politely does not end its sentinel

        run.kill()
        run.wait()

        wait_for(lambda: toxics(server) == [], "the toxic to go")
        wait_for(lambda: has_ended(sentinel), "the sentinel to end")
    with open_store(settings) as store:
        assert store.open_undos() == ()
        assert [o.kind for o in store.orders("r1")] == [OrderKind.FENCE]
        kinds = [f.kind for f in store.facts("r1")]
    assert kinds[0] == Kind.RUN_ABORTED
    assert Kind.RECOVERY_PROVEN in kinds


@pytest.mark.parametrize("how", ["freeze", "hang"])
def test_a_frozen_or_hanging_run_is_ended_and_recovered(
    settings: Settings, server: str, how: str
) -> None:
    with started(settings, server, "hang" if how == "hang" else "wait") as (run, sentinel):
        if how == "freeze":
            run.send_signal(signal.SIGSTOP)

        wait_for(lambda: toxics(server) == [], "the toxic to go")
        run.send_signal(signal.SIGCONT)

        assert run.wait(10) == -signal.SIGKILL
        wait_for(lambda: has_ended(sentinel), "the sentinel to end")


@pytest.mark.parametrize("ending", ["well", "leave"])
def test_a_run_that_ends_by_itself_takes_its_sentinel_along(
    settings: Settings, server: str, ending: str
) -> None:
    with started(settings, server, ending) as (run, sentinel):
        assert run.wait(20) == 0
        wait_for(lambda: has_ended(sentinel), "the sentinel to end")
    assert toxics(server) == []
    with open_store(settings) as store:
        assert store.orders("r1") == ()  # nobody was fenced off


def test_without_its_sentinel_a_run_holds_nothing_more(settings: Settings, server: str) -> None:
    again = RUN.replace(
        "print(lease.pid, flush=True)",
        "print(lease.pid, flush=True); sys.stdin.readline(); "
        "await lease.hold(undo, at_most=timedelta(minutes=5))",
    )
    with subprocess.Popen(
        [sys.executable, "-c", again, server, "wait", str(LEASE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "GAMEDAY_STATE": str(settings.state)},
    ) as run:
        assert run.stdout is not None
        os.kill(int(run.stdout.readline()), signal.SIGKILL)

        _, errors = run.communicate("go on\n", timeout=30)

    assert "without it no fault is injected" in errors
    httpx.delete(f"{server}/proxies/{PROXY}/toxics/gd-r1-1", trust_env=False, verify=False)


@pytest.mark.parametrize(
    ("number", "words"),
    [(signal.SIGKILL, "has ended with -9"), (signal.SIGSTOP, "has not answered for")],
    ids=["killed", "frozen"],
)
def test_a_run_hears_that_its_sentinel_is_killed_or_frozen_and_leaves_none_behind(
    settings: Settings, server: str, number: signal.Signals, words: str
) -> None:
    with started(settings, server, "listen", lease=5) as (run, sentinel):
        assert run.stdout is not None
        os.kill(sentinel, number)

        heard = run.stdout.readline()

        assert 0 == run.wait(30)
        assert f"the run's sentinel (process {sentinel}) {words}" in heard
        wait_for(lambda: has_ended(sentinel), "the sentinel to end")
    assert [] == toxics(server)
