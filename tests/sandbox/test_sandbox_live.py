"""The whole sandbox, for real: PostgreSQL, Prometheus, Alertmanager, the shop, its visitors."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from gameday.chaos.deploys import change_is_live, recover_change
from gameday.drivers.sandbox import SandboxTarget
from gameday.errors import DriverError, PermanentDriverError
from gameday.house.targets.examination import examined
from gameday.house.targets.sandbox import sandbox_document
from gameday.http.keys import auth_for
from gameday.process import ProcessId
from gameday.sandbox import lifecycle, state
from gameday.sandbox.state import REGIONS, SandboxState
from gameday.sandbox.supervisor import ledger
from gameday.spec import Catalogue

pytestmark = pytest.mark.sandbox

PATIENCE_SECONDS = 40


@pytest.fixture
async def target(sandbox: SandboxState) -> SandboxTarget:
    """Return the sandbox as every test finds it: healthy, nothing changed."""
    found = SandboxTarget(sandbox)
    await found.restore()
    await eventually(found.check)
    return found


async def eventually(check: Callable[[], Any]) -> Any:
    """Return what a check returns once it stops raising and is true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            result = check()
            if asyncio.iscoroutine(result):
                result = await result
            if result is None or result:
                return result
            problem: Exception = AssertionError(f"{check} stayed {result!r}")
        except (httpx.HTTPError, LookupError, DriverError) as error:
            problem = error
        if time.monotonic() > deadline:
            raise problem
        await asyncio.sleep(0.2)


def query(sandbox: SandboxState, expression: str) -> dict[str, float]:
    """Return the value per region of a PromQL expression."""
    url = f"{sandbox.prometheus_url}/api/v1/query"
    found = httpx.get(url, params={"query": expression}, auth=auth_for(url)).json()["data"][
        "result"
    ]
    return {entry["metric"].get("region", ""): float(entry["value"][1]) for entry in found}


def bad_ratio(sandbox: SandboxState) -> dict[str, float]:
    """Return the share of slow or failed checkouts per region over the last seconds."""
    series = 'http_server_request_duration_seconds_{}{{service="storefront"{}}}[4s]'
    good = series.format("bucket", ',le="0.1",code!~"5.."')
    total = series.format("count", "")
    return query(
        sandbox,
        f"1 - sum by (region) (rate({good})) / sum by (region) (rate({total}))",
    )


async def test_it_is_as_its_document_says(sandbox: SandboxState, target: SandboxTarget) -> None:
    slo = Catalogue.around().slo("checkout-latency")

    async def holds() -> bool:
        return all(c.ok for c in await examined(sandbox_document(sandbox), [slo]))

    assert await eventually(holds)


async def component(target: SandboxTarget, name: str) -> dict[str, Any]:
    said = await target.status()
    return next(c for c in said["components"] if c["name"] == name)


async def test_every_component_is_healthy_and_visitors_reach_every_region(
    sandbox: SandboxState, target: SandboxTarget
) -> None:
    said = await target.status()

    assert {"healthy"} == {c["state"] for c in said["components"]}
    # Whatever the test before this one did to the shop is soon out of the window.
    served = 'sum by (region) (rate(http_server_request_duration_seconds_count{service="%s"}[4s]))'
    for service in ("storefront", "checkout", "inventory"):
        await eventually(functools.partial(serves_steadily, sandbox, served % service))


def serves_steadily(sandbox: SandboxState, rate: str) -> bool:
    rates = query(sandbox, rate)
    return set(REGIONS) == set(rates) and all(7 < value < 9 for value in rates.values())


async def test_a_second_up_finds_the_same_sandbox(sandbox: SandboxState) -> None:
    folder = Path(sandbox.folder)

    found = await asyncio.gather(lifecycle.up(folder), lifecycle.up(folder))

    assert [sandbox, sandbox] == found


async def test_a_trace_goes_through_every_tier_to_the_database(
    sandbox: SandboxState, target: SandboxTarget
) -> None:
    def tiers() -> bool:
        now = datetime.now(UTC).timestamp()
        stamp = [datetime.fromtimestamp(now - s, UTC).isoformat() for s in (20, 3)]
        found = httpx.get(
            f"{sandbox.store_url}/api/v3/traces",
            auth=auth_for(sandbox.store_url),
            params={
                "query.serviceName": "storefront",
                "query.startTimeMin": stamp[0],
                "query.startTimeMax": stamp[1],
                "query.searchDepth": "3",
            },
        ).json()["result"]["resourceSpans"]
        names: dict[str, set[str]] = {}
        for resource in found:
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    names.setdefault(span["traceId"], set()).add(span["name"])
        expected = {"POST /checkout", "POST checkout", "POST /orders", "POST inventory"}
        expected |= {"POST /reservations", "UPDATE stock"}
        return any(expected <= spans for spans in names.values())

    assert await eventually(tiers)


async def test_an_exemplar_carries_a_trace_id(sandbox: SandboxState) -> None:
    def exemplars() -> list[Any]:
        now = time.time()
        return httpx.get(
            f"{sandbox.prometheus_url}/api/v1/query_exemplars",
            auth=auth_for(sandbox.prometheus_url),
            params={
                "query": 'http_server_request_duration_seconds_bucket{service="storefront"}',
                "start": now - 30,
                "end": now,
            },
        ).json()["data"]

    found = await eventually(exemplars)

    assert 32 == len(found[0]["exemplars"][0]["labels"]["trace_id"])


async def test_failing_over_to_the_standby_ends_what_a_slow_primary_does(
    sandbox: SandboxState, target: SandboxTarget
) -> None:
    toxics = f"{sandbox.proxy_url}/proxies/inventory-db-eu-west/toxics"
    auth = auth_for(toxics)
    wait = {"name": "wait", "type": "latency", "attributes": {"latency": 400}}
    httpx.post(toxics, json=wait, auth=auth).raise_for_status()
    try:
        await eventually(lambda: bad_ratio(sandbox)["eu-west"] > 0.9)

        await target.mitigate("failover-db", {"region": "eu-west"})

        await eventually(lambda: bad_ratio(sandbox)["eu-west"] < 0.1)
        assert "wait" in httpx.get(toxics, auth=auth).text
    finally:
        httpx.delete(f"{toxics}/wait", auth=auth)


async def test_a_service_that_is_killed_comes_back(target: SandboxTarget) -> None:
    before = await component(target, "checkout-us-east")

    os.kill(before["pid"], signal.SIGKILL)

    async def is_back() -> bool:
        now = await component(target, "checkout-us-east")
        return now["state"] == "healthy" and now["pid"] != before["pid"]

    assert await eventually(is_back)
    after = await component(target, "checkout-us-east")
    assert before["restarts"] + 1 == after["restarts"]
    assert before["port"] == after["port"]


async def test_a_deploy_loses_no_request_and_a_rollback_takes_it_back(
    sandbox: SandboxState, target: SandboxTarget
) -> None:
    failed = 'sum(http_server_request_duration_seconds_count{service="edge",code!="200"})'
    before = query(sandbox, failed)
    change = await target.change("storefront", 3, "harmless")

    deploy = await target.deploy("storefront", change.revision)
    detail = await target.mitigate("rollback-deploy", {"service": "storefront"})

    assert change.revision == deploy.revision
    assert change.previous[:12] in detail
    assert [change.revision, change.previous] == [d.revision for d in await target.deploys()][-2:]
    with pytest.raises(PermanentDriverError, match="no earlier revision"):
        await target.mitigate("rollback-deploy", {"service": "storefront"})
    await asyncio.sleep(2.5)
    assert before == query(sandbox, failed)


async def test_a_drained_region_gets_no_visitors(
    sandbox: SandboxState, target: SandboxTarget
) -> None:
    rate = 'sum by (region) (rate(http_server_request_duration_seconds_count{job="shop",'
    rate += 'service="storefront"}[3s]))'

    await target.mitigate("drain-region", {"region": "us-east"})

    await eventually(lambda: query(sandbox, rate)["us-east"] == 0)
    assert query(sandbox, rate)["eu-west"] > 12


async def test_rules_that_prometheus_refuses_leave_the_old_ones_in_force(
    sandbox: SandboxState, target: SandboxTarget
) -> None:
    before = list(await target.rules())
    good = 'groups: [{name: g, rules: [{record: "a:b", expr: "vector(1)"}]}]'
    await target.put_rules("mine", good)

    with pytest.raises(PermanentDriverError, match="mine"):
        await target.put_rules("mine", good.replace("vector(1)", "vector(1"))

    assert sorted([*before, "mine"]) == sorted(await target.rules())
    await eventually(lambda: query(sandbox, "a:b") == {"": 1.0})
    await target.delete_rules("mine")
    await target.delete_rules("mine")
    assert before == list(await target.rules())


async def test_a_stopped_component_stays_away_until_it_is_started(target: SandboxTarget) -> None:
    await target.stop_component("alertmanager")
    await asyncio.sleep(1.5)
    assert "stopped" == (await component(target, "alertmanager"))["state"]

    await target.start_component("alertmanager")

    await eventually(target.check)


@pytest.mark.usefixtures("monitoring")
async def test_the_sandbox_may_be_killed_and_down_still_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "sandbox"
    found = await lifecycle.up(folder, rate=4)
    processes = [ProcessId.of(p.pid) for p in ledger.survivors(folder)]
    ports = [c["port"] for c in (await SandboxTarget(found).status())["components"] if c["port"]]
    assert len(processes) > 12

    os.kill(found.pid, signal.SIGKILL)
    await lifecycle.down(folder)

    assert [] == [p for p in processes if p is not None and not p.is_gone]
    assert [] == [port for port in ports if listens(port)]
    assert ["logs"] == [path.name for path in folder.iterdir()]
    assert state.read(folder) is None


def listens(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


DEPLOYING = """
from gameday.chaos.deploys import deploy_change
deploy_change("checkout", regions="eu-west", kind="harmless", seed=7, change_name="gd-killed")
"""


async def test_what_a_killed_run_asked_for_and_is_under_way_is_not_proven_gone(
    sandbox: SandboxState, target: SandboxTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAMEDAY_STATE", str(Path(sandbox.folder).parent))
    baseline = (await target.status())["live"]["checkout-eu-west"]
    before = len(await target.deploys())
    record = Path(sandbox.folder) / "changes" / "gd-killed.json"
    run = subprocess.Popen([sys.executable, "-c", DEPLOYING])
    await eventually(record.exists)
    time.sleep(0.3)  # by now it has been asked for; a release takes longer to start
    run.kill()
    run.wait()

    was_live = await asyncio.to_thread(change_is_live, "gd-killed")
    put_back = await asyncio.to_thread(recover_change, "gd-killed")

    said = await target.status(is_settled=True)
    assert (True, ["eu-west"]) == (was_live, put_back)
    assert baseline == said["live"]["checkout-eu-west"]
    assert before + 2 == len(await target.deploys())
