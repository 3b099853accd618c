"""Whole game days on a cluster that the smoke workflow does not play, and runs that are killed."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from multiplying import NAME, Multiplying, made_at
from shop_on_cluster import CONTEXT, Shell, environment, run
from test_faults_rights import apply, token

from gameday.drivers.kubernetes import Cluster
from scoring.timeline import Kind

REGION = "topology.kubernetes.io/region"
DRAINED = "region-a"
Look = Callable[[], Mapping[str, Any]]


@pytest.fixture(scope="module")
def administrator(
    live: Any, shop_image: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shell]:
    """A terminal of whoever may do everything, with the shop on the cluster."""
    shell = Shell(environment(live, tmp_path_factory.mktemp("administrator")))
    shell.gameday("sandbox", "up", "--context", CONTEXT)
    yield shell
    shell.gameday("sandbox", "down", "--context", CONTEXT)


@pytest.fixture
def shop(administrator: Shell) -> Shell:
    """The same, where nothing has happened yet."""
    administrator.gameday("sandbox", "reset", "--history", "--context", CONTEXT)
    return administrator


@pytest.fixture
def account(
    shop: Shell, cluster: Cluster, live: Any, namespace: str, tmp_path: Path
) -> Iterator[Shell]:
    """A terminal of the service account of deploy/rbac, which has those rights and no other."""
    apply(cluster, "identity.yaml", namespace)
    made = [
        thing
        for file in ("cluster.yaml", "faults.yaml", "target.yaml", "drain.yaml")
        for thing in apply(cluster, file, "shop", of=namespace)
    ]
    yield Shell(environment(live, tmp_path, token=token(cluster, namespace)))
    for resource, name, where in made:
        cluster.delete(resource, name, where)


@pytest.fixture
def cordoned_by_another(live: Any, cluster: Cluster) -> Iterator[str]:
    """A node of the region to be drained that somebody else has cordoned; empty: none to spare."""
    if live.bin is None:
        yield ""
        return
    run([str(live.bin / "hollow"), "1"])
    (node,) = cluster.list("nodes", labels=f"kube-fixture/hollow=true,{REGION}={DRAINED}")
    name = str(node["metadata"]["name"])
    cluster.patch("nodes", name, "", {"spec": {"unschedulable": True}})
    yield name
    run([str(live.bin / "hollow"), "0"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("scenarios/kill-pod.yaml",),
        ("scenarios/slow-db.yaml", "--target", "kubernetes", "--region", DRAINED),
        ("scenarios/drain-region.yaml",),
        ("scenarios/bad-release.yaml",),
    ],
    ids=lambda arguments: Path(arguments[0]).stem,
)
def test_the_service_account_plays_a_whole_game_day(
    account: Shell, arguments: tuple[str, ...], restored_nodes: Look
) -> None:
    before = restored_nodes()

    code, out, said = account.played(*arguments, "--json")

    assert code == 0, said
    result = json.loads(out)
    assert result["verdict"] == "passed"
    assert result["recovery"] == {"open": 0}
    assert before == restored_nodes()


@pytest.mark.parametrize("who", ["the sentinel", "gameday recover"])
def test_a_run_killed_in_the_middle_of_a_drain_leaves_no_cordon(
    shop: Shell,
    cluster: Cluster,
    cordoned_by_another: str,
    restored_nodes: Look,
    wait: Callable[..., None],
    who: str,
) -> None:
    before = restored_nodes()
    process = shop.start("run", "scenarios/drain-region.yaml")
    try:
        wait(lambda: restored_nodes() != before or process.poll() is not None, "the cordons")
        assert process.poll() is None
        sentinel = sentinel_of(process)

        if who == "gameday recover":
            sentinel.kill()
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        assert restored_nodes() != before, "it was killed after the drain, not in it"
        if who == "gameday recover":
            shop.gameday("recover")
        wait(lambda: restored_nodes() == before, "every node to be as it was")
    finally:
        process.kill()

    assert not cordoned_by_another or before[cordoned_by_another] == (True, [])
    wait(lambda: not sentinel.is_running(), "the sentinel to end")
    wait(lambda: everything_is_ready(cluster), "the shop's pods to be back")
    assert shop.gameday("recover") == ""
    assert restored_nodes() == before
    (last, *_) = json.loads(shop.gameday("runs", "--json"))
    assert last["verdict"] == "aborted"


@pytest.fixture(params=["while the fault lasts", "for good"])
def multiplying(
    request: pytest.FixtureRequest, shop: Shell, cluster: Cluster, live: Any, wait: Any
) -> Iterator[tuple[Multiplying, bool]]:
    """A workload that makes pods without end from the drain on."""
    for_good = request.param == "for good"
    made = Multiplying(cluster, live, DRAINED, for_good=for_good)
    try:
        wait(made.is_well, "the workload is there")
        made.begin()
        yield made, for_good
    finally:
        made.end(wait)


def test_a_drill_that_makes_a_workload_multiply_ends_itself_and_names_it(
    shop: Shell,
    cluster: Cluster,
    multiplying: tuple[Multiplying, bool],
    restored_nodes: Look,
    wait: Callable[..., None],
    record_property: Callable[[str, object], None],
) -> None:
    workload, for_good = multiplying
    before = restored_nodes()

    code, out, said = shop.played("scenarios/drain-region.yaml", "--json")

    assert code in (4, 5), said
    result = json.loads(out)
    facts = [json.loads(line) for line in Path(result["timeline"]).read_text().splitlines()]
    (aborted,) = [f for f in facts if f["kind"] == Kind.RUN_ABORTED]
    (after,) = [f for f in facts if f["kind"] == Kind.SET_OFF]
    proven = [f for f in facts if f["kind"] == Kind.RECOVERY_PROVEN]
    first = min(made_at(pod) for pod in workload.let_go())
    noticed = datetime.fromisoformat(aborted["happened_at"]) - first
    taken_back = datetime.fromisoformat(proven[-1]["happened_at"]) - first
    print(f"{said}\nnoticed after {noticed}, taken back after {taken_back}: {aborted['data']}")
    record_property("noticed_s", noticed.total_seconds())

    reason = rf"Deployment shop/{NAME} makes pods without end: \d+ in \d+ s, it wants 2"
    assert re.fullmatch(reason, aborted["data"]["reason"])
    assert noticed < timedelta(seconds=10)
    assert result["verdict"] == "aborted"
    assert result["recovery"] == {"open": 0}
    assert before == restored_nodes()
    assert after["data"]["goes_on"] is for_good
    if for_good:
        assert code == 5
        command = f"kubectl -n shop scale deployment/{NAME} --replicas=0"
        assert f"Run `{command}`" in said
        run(["bash", "-c", command], shop.environment)
        there = len(workload.let_go())
        wait(lambda: len(workload.pods()) == len(workload.let_go()), "no pod of its own is left")
        assert len(workload.let_go()) <= there + 2
    else:
        assert code == 4
        assert "pods are left that it made and has no use for" in said
        assert sorted(after["data"]["left"]) == sorted(
            f"shop/{p['metadata']['name']}" for p in workload.let_go()
        )
    wait(lambda: everything_is_ready(cluster, but=NAME), "the shop's pods to be back")


def sentinel_of(process: subprocess.Popen[str]) -> psutil.Process:
    """Return the process that watches over a run."""
    children = psutil.Process(process.pid).children()
    (found,) = [c for c in children if "gameday.cli.sentinel" in " ".join(c.cmdline())]
    return found


def everything_is_ready(cluster: Cluster, *, but: str = "") -> bool:
    """Return whether every Deployment of the shop has all its pods."""
    return all(
        (d.get("status") or {}).get("availableReplicas", 0) == d["spec"]["replicas"]
        for d in cluster.list("deployments", "shop")
        if d["metadata"]["name"] != but
    )
