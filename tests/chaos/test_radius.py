"""What an experiment would touch is counted, or it is said that nobody counts it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from chaoslib.exceptions import ActivityFailed

from gameday.chaos import radius
from gameday.chaos.clusters import Touched
from gameday.chaos.declaration import Nothing
from gameday.chaos.radius import CountedReach
from gameday.chaos.registry import FaultRegistry, known


def touches(
    namespace: str,
    selector: str = "",
    name: str = "",
    count: int | str = 1,
    context: str | None = None,
) -> Touched:
    """Count as many pods as asked for."""
    pods = tuple(f"{namespace}/{selector}{number}" for number in range(int(count)))
    return Touched(pods=pods, of=9, namespaces=(namespace,), nodes=("n1",))


REGISTRY = FaultRegistry(
    replace(f, touches=touches) if f.name == "kill-pod" else f for f in known()
)
KILL = {
    "namespace": "${namespace}",
    "selector": "${service}-",
    "count": "${count}",
    "at_most": "50%",
}


def python(name: str, module: str, func: str, **arguments: Any) -> dict[str, Any]:
    provider = {"type": "python", "module": module, "func": func, "arguments": arguments}
    return {"type": "action", "name": name, "provider": provider}


def counted(
    *method: dict[str, Any], given: dict[str, Any] | None = None, **declared: Any
) -> CountedReach:
    experiment = {"configuration": declared, "method": list(method)}
    return radius.count(experiment, given or {}, registry=REGISTRY)


def test_a_fault_counts_for_itself_with_the_values_it_would_be_given() -> None:
    kill = python("kill", "gameday.chaos.pods", "kill_pods", **KILL)

    found = counted(kill, given={"count": 2}, namespace="shop", service="checkout", count=1)

    assert found == CountedReach(
        pods=("shop/checkout-0", "shop/checkout-1"), of=9, namespaces=("shop",), nodes=("n1",)
    )


def test_two_faults_touch_the_pods_of_both_and_each_pod_once() -> None:
    one = python("one", "gameday.chaos.pods", "kill_pods", namespace="shop", count=2)
    other = python("other", "gameday.chaos.pods", "kill_pods", namespace="bank", count=1)

    found = counted(one, one, other)

    assert (("bank/0", "shop/0", "shop/1"), 18, ("bank", "shop")) == (
        found.pods,
        found.of,
        found.namespaces,
    )


def test_a_value_out_of_the_environment_is_counted_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEAM_NAMESPACE", "books")
    kill = python("kill", "gameday.chaos.pods", "kill_pods", namespace="${namespace}")

    found = counted(kill, namespace={"type": "env", "key": "TEAM_NAMESPACE"})

    assert ("books",) == found.namespaces


def test_a_value_that_the_environment_has_not_got_is_named() -> None:
    kill = python("kill", "gameday.chaos.pods", "kill_pods", namespace="${namespace}")

    with pytest.raises(ActivityFailed, match="TEAM_NAMESPACE"):
        counted(kill, namespace={"type": "env", "key": "TEAM_NAMESPACE"})


def test_an_argument_that_is_missing_is_named() -> None:
    with pytest.raises(ActivityFailed, match="'kill': missing a required argument: 'namespace'"):
        counted(python("kill", "gameday.chaos.pods", "kill_pods", count=2))


def test_an_action_that_another_one_refers_to_is_counted() -> None:
    kill = python("kill", "gameday.chaos.pods", "kill_pods", namespace="shop")

    experiment = {"method": [{"ref": "kill"}], "rollbacks": [kill]}

    assert 1 == len(radius.count(experiment, {}, registry=REGISTRY).pods)


@pytest.mark.parametrize(
    ("activity", "said"),
    [
        (
            python("stop", "chaosaws.ec2.actions", "stop_instances"),
            "'stop' (chaosaws.ec2.actions.stop_instances) is no fault of gameday's:"
            " how far it reaches is unknown",
        ),
        (
            {
                "type": "action",
                "name": "fill",
                "provider": {"type": "process", "path": "fallocate", "arguments": "-l 1G x"},
            },
            "'fill' (fallocate) is no fault of gameday's: how far it reaches is unknown",
        ),
        (
            {
                "type": "action",
                "name": "call",
                "provider": {"type": "http", "url": "http://x/break"},
            },
            "'call' (http://x/break) is no fault of gameday's: how far it reaches is unknown",
        ),
        (
            python("slow", "gameday.chaos.downstream", "slow_downstream"),
            "slow-downstream is not counted in pods: it touches connections of a hop, and not pods",
        ),
        (
            python("kill", "gameday.chaos.pods", "kill_pods", namespace="${secret}"),
            "kill-pod cannot be counted: its namespace is found out only when it is played",
        ),
    ],
)
def test_what_is_counted_by_nobody_is_said(activity: dict[str, Any], said: str) -> None:
    kill = python("kill", "gameday.chaos.pods", "kill_pods", namespace="shop")

    found = counted(kill, activity)

    assert (("shop/0",), (said,)) == (found.pods, found.uncounted)


def test_a_value_that_a_probe_will_tell_is_not_counted_with() -> None:
    kill = python("kill", "gameday.chaos.pods", "kill_pods", namespace="${namespace}")

    found = counted(kill, namespace={"type": "probe", "provider": {}})

    assert (0, 1) == (found.of, len(found.uncounted))


def test_probes_in_the_method_touch_nothing() -> None:
    probe = {**python("look", "os.path", "exists", path="x"), "type": "probe"}

    assert CountedReach() == counted(probe)


def test_taking_back_in_the_method_touches_nothing_new() -> None:
    assert CountedReach() == counted(
        python("back", "gameday.chaos.workloads", "recover_scale", namespace="shop")
    )


@pytest.mark.parametrize("fault", tuple(known()), ids=lambda f: f.name)
def test_each_fault_counts_pods_or_says_why_not(fault: Any) -> None:
    assert callable(fault.touches) or isinstance(fault.touches, Nothing)
