"""Every fault on a cluster keeps what it declares, played with its own defaults.

A fault that is added is played here as well, without a word about it: its defaults must fit the
shop below. What it does to the API server is compared with what it says of itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
import yaml
from chaoslib.exceptions import ActivityFailed

from gameday.chaos import strays
from gameday.chaos.declaration import (
    Activity,
    ActsOn,
    DeclaredFault,
    Hypothesis,
    Nothing,
    Objects,
    Right,
)
from gameday.chaos.parameters import FromEnvironment
from gameday.chaos.registry import own
from gameday.chaos.shipped import shipped
from gameday.drivers.kubernetes import marks
from gameday.testing.gate import Troubled, kubeconfig, serving
from gameday.testing.kubernetes import KINDS, SimulatedApi

pytestmark = pytest.mark.served  # an API server over HTTP

RBAC = Path(__file__).parents[2] / "deploy" / "rbac"
MARK = "gd-r7-1"
REGION = "topology.kubernetes.io/region"
CHANGES = ("POST", "PATCH", "DELETE")
WATCHED = {("list", "pods", False), ("watch", "pods", False), ("list", "replicasets.apps", False)}
"""Rights of the guard, which watches what a drill sets off; granted with those of faults."""

VERBS = {"GET": "get", "WATCH": "watch", "POST": "create", "PATCH": "patch", "DELETE": "delete"}


def made_up() -> DeclaredFault:
    """Return the fault that the tests made up: what holds for ours holds for any."""
    file = Path(__file__).parents[1] / "chaos" / "forget_setting.py"
    spec = spec_from_file_location("forget_setting", file)
    assert spec and spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    found: DeclaredFault = module.FAULT
    return found


OURS = tuple(f for f in shipped(own()) if f.acts_on is ActsOn.CLUSTER)
FAULTS = (*OURS, *shipped([made_up()]))
MARKING = tuple(f for f in FAULTS if isinstance(f.marks, Objects))

every_fault = pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.name)
every_marking_fault = pytest.mark.parametrize("fault", MARKING, ids=lambda f: f.name)


@dataclass
class Shop:
    """Checkout and inventory in two regions, on an API server that remembers what it was asked."""

    api: SimulatedApi
    gate: Troubled

    def everything(self) -> dict[str, Any]:
        """Return all objects without what changes with every write."""
        found = {}
        for (resource, namespace, name), _ in sorted(self.api._objects.items()):
            thing = self.api.find(resource, name, namespace)
            assert thing is not None
            for key in ("resourceVersion", "managedFields", "uid"):
                thing["metadata"].pop(key, None)
            for key in ("labels", "annotations"):  # empty is as good as none
                if not thing["metadata"].get(key):
                    thing["metadata"].pop(key, None)
            found[f"{resource}/{name}"] = thing
        return found

    def asked(self) -> set[tuple[str, str, bool]]:
        """Return what rights were used: verb, resource, and whether in the whole cluster."""
        return {right for request in self.gate.asked if (right := _right(request)) is not None}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    api = SimulatedApi(
        namespace="shop",
        kinds={**KINDS, "chaos-mesh.org/v1alpha1": {"networkchaos": "NetworkChaos"}},
    )
    for node, region in (("a1", "region-a"), ("b1", "region-b")):
        api.node(node, **{REGION: region})
    for app in ("checkout", "inventory"):
        owner = {"kind": "Deployment", "name": app, "controller": True}
        container = {"name": "c", "image": f"{app}:1", "env": []}
        api.put(
            "replicasets",
            f"{app}-1",
            "shop",
            metadata={"ownerReferences": [owner]},
            spec={"replicas": 4},
        )
        api.put(
            "deployments",
            app,
            "shop",
            spec={"replicas": 4, "template": {"spec": {"containers": [container]}}},
        )
        for number in range(4):
            api.pod(
                f"{app}-{number}",
                ("a1", "b1")[number % 2],
                app=app,
                owner=("ReplicaSet", f"{app}-1"),
            )
    api.put("configmaps", "settings", "shop", data={"currency": "EUR"})
    gate = Troubled(api, api.troubles)
    with serving(gate) as url:
        monkeypatch.setenv("KUBECONFIG", kubeconfig(tmp_path, url))
        monkeypatch.setenv("GAMEDAY_KUBE_CONTEXTS", "sim")
        monkeypatch.setenv("GAMEDAY_KUBE_NAMESPACES", "shop")
        yield Shop(api, gate)


def play(fault: DeclaredFault, activity: Activity | Nothing, **given: Any) -> Any:
    """Call a activity of a fault as its experiment would, with the defaults it declares."""
    assert isinstance(activity, Activity)
    values = {
        p.name: None if isinstance(p.default, FromEnvironment) else p.default
        for p in fault.parameters
    }
    if fault.mark:
        values[fault.mark] = MARK
    values.update(given)
    return activity.does(**{a: values[p] for a, p in activity.arguments(fault.parameters).items()})


def count(fault: DeclaredFault) -> Any:
    assert not isinstance(fault.touches, Nothing)
    return play(fault, Activity("count", fault.touches))


def marked(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: thing for name, thing in found.items() if marks.mark_of(thing) == MARK}


@every_fault
def test_its_defaults_hold_its_own_steady_state(shop: Shop, fault: DeclaredFault) -> None:
    assert isinstance(fault.steady, Hypothesis)
    assert play(fault, fault.steady.probe) is True


@every_fault
def test_counting_changes_nothing_and_finds_pods(shop: Shop, fault: DeclaredFault) -> None:
    touched = count(fault)

    assert 0 < len(touched.pods) <= touched.of == 8
    assert not [r for r in shop.gate.asked if r.startswith(CHANGES)]


@every_fault
def test_beyond_its_blast_radius_it_changes_nothing(shop: Shop, fault: DeclaredFault) -> None:
    before = shop.everything()

    with pytest.raises(ActivityFailed, match="the blast radius allows 0"):
        play(fault, fault.inject, at_most="0%")

    assert before == shop.everything()


@every_fault
def test_it_touches_no_other_pods_than_it_counts(shop: Shop, fault: DeclaredFault) -> None:
    counted = set(count(fault).pods)
    before = {name for name in shop.everything() if name.startswith("pods/")}

    play(fault, fault.inject)

    gone = before - set(shop.everything())
    assert {name.replace("pods/", "shop/") for name in gone} <= counted


@every_fault
def test_whatever_it_adds_or_changes_bears_its_mark_and_is_declared(
    shop: Shop, fault: DeclaredFault
) -> None:
    before = shop.everything()

    play(fault, fault.inject)

    after = shop.everything()
    changed = {name for name, thing in after.items() if thing != before.get(name)}
    assert changed == set(marked(after))
    resources = fault.marks.resources if isinstance(fault.marks, Objects) else ()
    assert {name.partition("/")[0] for name in changed} <= set(resources)
    labels = {marks.label_of(after[name], "fault") for name in changed}
    assert labels <= ({fault.marks.fault} if isinstance(fault.marks, Objects) else set())


@every_fault
def test_what_goes_away_for_good_is_pods_alone(shop: Shop, fault: DeclaredFault) -> None:
    before = shop.everything()

    play(fault, fault.inject)

    assert {"pods"} >= {name.partition("/")[0] for name in before.keys() - shop.everything().keys()}


@every_marking_fault
def test_it_is_seen_until_it_is_taken_back_which_may_be_repeated(
    shop: Shop, fault: DeclaredFault
) -> None:
    before = shop.everything()
    assert play(fault, fault.is_present) is False

    play(fault, fault.inject)
    assert play(fault, fault.is_present) is True
    assert isinstance(fault.steady, Hypothesis)
    steady = "ignore" in fault.steady.probe.binds
    assert not steady or play(fault, fault.steady.probe) is True  # its own mark does not count

    for _ in range(2):
        play(fault, fault.recover)
        assert play(fault, fault.is_present) is False
        assert _without_pods(before) == _without_pods(shop.everything())


@every_marking_fault
def test_it_takes_back_nothing_of_another_mark(shop: Shop, fault: DeclaredFault) -> None:
    play(fault, fault.inject)
    after = shop.everything()

    play(fault, fault.recover, **{fault.mark: "gd-r7-2"})

    assert after == shop.everything()


@every_marking_fault
def test_injecting_it_again_is_one_fault(shop: Shop, fault: DeclaredFault) -> None:
    before = shop.everything()
    play(fault, fault.inject)

    try:
        play(fault, fault.inject)
    except ActivityFailed:
        pass  # saying that it is there already is as good

    play(fault, fault.recover)
    assert _without_pods(before) == _without_pods(shop.everything())


@pytest.mark.parametrize("fault", [f for f in MARKING if f in OURS], ids=lambda f: f.name)
def test_it_is_found_astray_and_taken_out_by_its_mark_alone(
    shop: Shop, fault: DeclaredFault
) -> None:
    before = shop.everything()
    play(fault, fault.inject)
    bearing = marked(shop.everything())

    found = strays.find_strays("gd-")

    assert {MARK: len(bearing)} == {mark: len(things) for mark, things in found.items()}
    assert strays.is_astray(MARK)
    assert found[MARK] == strays.recover_stray(MARK)
    assert not strays.is_astray(MARK)
    assert _without_pods(before) == _without_pods(shop.everything())


@every_fault
def test_it_needs_the_rights_it_declares_and_no_other(shop: Shop, fault: DeclaredFault) -> None:
    assert isinstance(fault.steady, Hypothesis)
    play(fault, fault.steady.probe)
    count(fault)
    play(fault, fault.inject)
    for activity in (fault.is_present, fault.recover):
        if isinstance(activity, Activity):
            play(fault, activity)

    needed = {r for r in shop.asked() if not _is_granted(r, fault.rights)}

    assert set() == needed


def test_a_mark_of_a_fault_that_nobody_declares_is_named_and_left(shop: Shop) -> None:
    labels = {marks.MARK: MARK, marks.FAULT: "of-tomorrow"}
    shop.api.put("networkpolicies", "theirs", "shop", metadata={"labels": labels}, spec={})

    with pytest.raises(ActivityFailed) as refused:
        strays.recover_stray(MARK)

    said = str(refused.value)
    assert "networkpolicies shop/theirs (of the fault 'of-tomorrow')" in said
    assert "this gameday knows no such fault" in said
    assert ["theirs"] == shop.api.names("networkpolicies")


def test_every_right_of_ours_is_granted_by_what_is_shipped_and_no_more_is() -> None:
    granted = {
        (verb, resource, everywhere)
        for file, everywhere in (("faults.yaml", False), ("drain.yaml", True))
        for rule in _rules(file)
        for resource in _resources(rule)
        for verb in rule["verbs"]
    }
    needed = {
        (verb, right.resource, right.everywhere)
        for fault in OURS
        for right in fault.rights
        for verb in right.verbs
    }
    # What bears a mark is listed everywhere it may be.
    listed = {
        ("list", resource, resource == "nodes")
        for fault in OURS
        if isinstance(fault.marks, Objects)
        for resource in map(_with_group, fault.marks.resources)
    }

    assert set() == (needed | listed) - granted, "grant it in deploy/rbac"
    assert set() == granted - needed - listed - WATCHED, (
        "no fault needs it: take it out of deploy/rbac"
    )


# --- how ------------------------------------------------------------------------------------------


def _without_pods(found: Mapping[str, Any]) -> dict[str, Any]:
    # Pods that are gone stay so: nothing runs here that would start new ones.
    return {name: thing for name, thing in found.items() if not name.startswith("pods/")}


def _right(request: str) -> tuple[str, str, bool] | None:
    """Return the right that a request uses; None for what everybody may ask."""
    method, _, target = request.partition(" ")
    found = re.match(
        r"/(?:api/v1|apis/(?P<group>[\w.-]+)/\w+)"
        r"(?P<namespace>/namespaces/[\w.-]+)?/(?P<resource>[a-z]+)"
        r"(?P<name>/[\w.-]+)?(?:/(?P<sub>[a-z]+))?(?:\?|$)",
        target,
    )
    if found is None:
        return None
    resource = found["resource"] + (f"/{found['sub']}" if found["sub"] else "")
    if found["group"]:
        resource += f".{found['group']}"
    verb = VERBS[method]
    if verb == "get" and not found["name"]:
        verb = "list"
    return verb, resource, found["namespace"] is None


def _is_granted(right: tuple[str, str, bool], rights: tuple[Right, ...]) -> bool:
    verb, resource, everywhere = right
    return any(
        r.resource == resource and verb in r.verbs and (r.everywhere or not everywhere)
        for r in rights
    )


def _rules(file: str) -> Iterator[dict[str, Any]]:
    for document in yaml.safe_load_all((RBAC / file).read_text(encoding="utf-8")):
        yield from document.get("rules") or ()


def _resources(rule: Mapping[str, Any]) -> Iterator[str]:
    for group in rule["apiGroups"]:
        for resource in rule["resources"]:
            yield f"{resource}.{group}" if group else resource


def _with_group(resource: str) -> str:
    from gameday.drivers.kubernetes.resources import GROUPS

    return f"{resource}.{GROUPS[resource]}" if GROUPS[resource] else resource
