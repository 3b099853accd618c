"""An API server in trouble, or not there: a retry or a clear error, and never a fault left behind.

A gate stands in front of the real API server and lets things go wrong on demand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from chaoslib.exceptions import ActivityFailed

from gameday.chaos import networks, pods, pressure, regions, strays, workloads
from gameday.drivers.kubernetes import access
from gameday.drivers.kubernetes.transport import NetworkTransport
from gameday.testing.gate import Trouble, Troubled, kubeconfig, serving, status

REGION = "topology.kubernetes.io/region"
REGION_C = "region-c"
"""The region that is drained; kind-config.yaml calls one of its own so as well."""

FOREVER = 10**6


@dataclass
class Gate:
    """The gate, and the context that leads through it."""

    troubles: list[Trouble]
    where: dict[str, Any]
    asked: list[str]


@pytest.fixture
def gate(
    live: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _settings: Mapping[str, str]
) -> Iterator[Gate]:
    client = access.client_of(live.kubeconfig, live.context)
    troubled = Troubled(NetworkTransport(client), [])
    with serving(troubled) as url:
        path = kubeconfig(tmp_path, url, context="gated")
        monkeypatch.setenv("GAMEDAY_KUBE_CONTEXTS", f"{live.context},gated")
        yield Gate(troubled.troubles, {"context": "gated", "kubeconfig": path}, troubled.asked)
    client.close()


@dataclass(frozen=True)
class Fault:
    """One fault, as it is put in and taken out.

    Attributes:
        write: the request that makes the change.
    """

    write: str
    inject: Callable[[str, dict[str, Any]], Any]
    recover: Callable[[str, dict[str, Any]], Any]


def _drain(namespace: str, where: dict[str, Any]) -> Any:
    # A kubelet of 1.20 now and then takes a minute to remove a pod that has ended.
    return regions.drain_region(
        region=REGION_C, foreign="leave", within_s=90, mark="gd-gate-1", **where
    )


FAULTS = {
    "drain": Fault(
        "PATCH .*/nodes/",
        _drain,
        lambda namespace, where: regions.recover_region(mark="gd-gate-1", **where),
    ),
    "scale": Fault(
        "PATCH .*/deployments/",
        lambda namespace, where: workloads.scale_to_zero(
            namespace, "deployment/shop", mark="gd-gate-1", **where
        ),
        lambda namespace, where: workloads.recover_scale(
            namespace, "deployment/shop", mark="gd-gate-1", **where
        ),
    ),
    "deploy": Fault(
        "PATCH .*/deployments/",
        lambda namespace, where: workloads.change_workload(
            namespace, "deployment/shop", env="BAD=1", mark="gd-gate-1", **where
        ),
        lambda namespace, where: workloads.recover_change(
            namespace, "deployment/shop", mark="gd-gate-1", **where
        ),
    ),
    "isolate": Fault(
        "POST .*/networkpolicies",
        lambda namespace, where: networks.isolate_pods(
            namespace, "app=shop", mark="gd-gate-1", **where
        ),
        lambda namespace, where: networks.recover_isolation(namespace, mark="gd-gate-1", **where),
    ),
    "press": Fault(
        "POST .*/jobs",
        lambda namespace, where: pressure.press(
            namespace, "app=shop", ttl_s=60, mark="gd-gate-1", **where
        ),
        lambda namespace, where: pressure.recover_pressure(namespace, mark="gd-gate-1", **where),
    ),
    "kill": Fault(
        "DELETE .*/pods/",
        lambda namespace, where: pods.kill_pods(namespace, "app=shop", **where),
        lambda namespace, where: None,
    ),
}

PASSING: dict[str, Trouble] = {
    "409": Trouble("", status(409, "modified", reason="Conflict")),
    "429": Trouble("", status(429, "busy", retry_after=1), times=2),
    "500": Trouble("", status(500, "etcd leader changed"), times=2),
    "answer lost": Trouble("", None, is_late=True),
    "connection refused": Trouble("", None, times=2),
}


@pytest.fixture
def shop(workload: Any) -> Any:
    """Two pods, one of them in the region that is drained."""
    apart = {
        "topologyKey": "kubernetes.io/hostname",
        "labelSelector": {"matchLabels": {"app": "shop"}},
    }
    here = {"matchExpressions": [{"key": REGION, "operator": "In", "values": [REGION_C]}]}
    workload.deploy(
        "shop",
        2,
        pod={
            "affinity": {
                "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [apart]},
                "nodeAffinity": {
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        {"weight": 100, "preference": here}
                    ]
                },
            }
        },
    )
    return workload


@pytest.mark.parametrize("name", FAULTS)
def test_trouble_that_passes_is_sat_out(
    shop: Any, gate: Gate, restored_nodes: Any, wait: Any, name: str
) -> None:
    fault = FAULTS[name]
    before = restored_nodes()
    for trouble, model in PASSING.items():
        if trouble == "409" and not fault.write.startswith("PATCH"):
            continue  # these requests carry no version that could be outdated
        wait(lambda: len(shop.ready("shop")) == 2, "the shop is there")
        met = Trouble(fault.write, model.answer, times=model.times, is_late=model.is_late)
        gate.troubles.append(met)

        fault.inject(shop.namespace, gate.where)
        fault.recover(shop.namespace, gate.where)

        assert 0 == met.times, f"{trouble} was never met"
        assert before == restored_nodes(), trouble
        wait(lambda: not strays.is_astray("gd-gate-1"), f"nothing is left after {trouble}")


REFUSALS = {
    "403": (status(403, 'User "drill" cannot do this'), "'drill' lacks the verb"),
    "401": (status(401, "Unauthorized"), "log in again"),
    "422": (status(422, "invalid"), "answers 422"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_no_that_stays_one_is_said_clearly_and_leaves_no_fault(
    shop: Any, gate: Gate, restored_nodes: Any, name: str
) -> None:
    fault = FAULTS[name]
    before = restored_nodes()
    for answer, words in REFUSALS.values():
        gate.troubles[:] = [Trouble(fault.write, answer, times=FOREVER)]

        with pytest.raises(ActivityFailed, match=words) as failed:
            fault.inject(shop.namespace, gate.where)

        assert "Traceback" not in str(failed.value)
        assert before == restored_nodes()
        assert not strays.is_astray("gd-gate-1")
        assert 2 == len(shop.pods("shop"))


def test_a_server_that_is_not_there_is_named(gate: Gate, shop: Any, restored_nodes: Any) -> None:
    before = restored_nodes()
    gate.troubles.append(Trouble("", None, times=FOREVER))

    with pytest.raises(ActivityFailed, match=r"the API server of 'gated' at .* does not answer"):
        FAULTS["drain"].inject(shop.namespace, gate.where)

    assert before == restored_nodes()


def test_a_server_that_goes_in_the_middle_of_a_drain_leaves_what_recovery_finds_by_its_mark(
    gate: Gate, shop: Any, restored_nodes: Any
) -> None:
    before = restored_nodes()
    # Cordons go in, and from the first eviction on nothing is answered any more.
    gone = Trouble("", None, times=0)
    gate.troubles += [
        gone,
        Trouble("POST .*/eviction", None, then=lambda: setattr(gone, "times", FOREVER)),
    ]
    with pytest.raises(ActivityFailed, match="does not answer"):
        FAULTS["drain"].inject(shop.namespace, gate.where)
    assert before != restored_nodes()
    gone.times = 0
    FAULTS["drain"].recover(shop.namespace, gate.where)

    assert before == restored_nodes()
    assert not strays.is_astray("gd-gate-1")


def test_a_watch_that_comes_too_late_lists_again(
    gate: Gate, shop: Any, restored_nodes: Any
) -> None:
    before = restored_nodes()
    gate.troubles.append(Trouble("WATCH .*/pods", status(410, "too old"), times=2))

    FAULTS["drain"].inject(shop.namespace, gate.where)
    FAULTS["drain"].recover(shop.namespace, gate.where)

    assert 0 == gate.troubles[0].times
    assert before == restored_nodes()


def test_a_pod_that_goes_while_it_is_killed_is_dead_enough(gate: Gate, shop: Any) -> None:
    (victim, _) = shop.pods("shop")
    name = victim["metadata"]["name"]

    def somebody_else() -> None:
        shop.cluster.delete("pods", name, shop.namespace, grace_period_s=0)

    gone = status(404, "not found", reason="NotFound")
    gate.troubles.append(Trouble("DELETE .*/pods/", gone, then=somebody_else))

    done = pods.kill_pods(shop.namespace, name=name, **gate.where)

    assert [name] == done["gone_before"]
