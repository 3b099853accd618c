"""What a document lets a responder do to objects of a cluster, and what takes it back."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gameday.drivers.kubernetes import acts, identity
from gameday.drivers.kubernetes.acts import NOTE, ClusterActs, UndoneActs
from gameday.errors import DriverError, PermanentDriverError, TemporaryDriverError
from gameday.model.cluster_act import ClusterAct
from gameday.ports import Undo
from gameday.testing.kubernetes import KINDS, SimulatedApi

BOOKS = "books"
WORKLOADS = ("deployments", "statefulsets", "daemonsets")


class ObedientApi(SimulatedApi):
    """A server whose controllers do at once what workloads say, unless they are told to stop."""

    is_stuck = False

    def _keep(self, event: str, resource: str, thing: dict[str, Any]) -> dict[str, Any]:
        if resource in WORKLOADS and not self.is_stuck:
            count = thing["spec"].get("replicas", 1)
            thing["status"] = {"replicas": count, "updatedReplicas": count}
            thing["status"]["availableReplicas"] = count
        return super()._keep(event, resource, thing)


def template(image: str, **env: str) -> dict[str, Any]:
    variables = [{"name": name, "value": value} for name, value in env.items()]
    container = {"name": "cart", "image": image, "env": variables}
    other = {"name": "sidecar", "image": "mesh:1"}
    return {"metadata": {"labels": {"app": "cart"}}, "spec": {"containers": [container, other]}}


@pytest.fixture
def api() -> ObedientApi:
    kinds = {**KINDS, "apps/v1": {**KINDS["apps/v1"], "daemonsets": "DaemonSet"}}
    api = ObedientApi(kinds={**kinds, "v1": {**KINDS["v1"], "services": "Service"}})
    live = template("cart:2", FIRST="1", CACHE="on", LAST="$(FIRST)")
    owner = api.put("deployments", "cart", BOOKS, spec={"replicas": 2, "template": live})
    for number, one in enumerate((template("cart:1", CACHE="on", OLD="x"), live), start=1):
        kept = copy.deepcopy(one)
        kept["metadata"]["labels"]["pod-template-hash"] = f"h{number}"
        api.put(
            "replicasets",
            f"cart-{number}",
            BOOKS,
            metadata={
                "annotations": {"deployment.kubernetes.io/revision": str(number)},
                "ownerReferences": [{"uid": owner["metadata"]["uid"]}],
            },
            spec={"template": kept},
        )
    api.put("statefulsets", "queue", BOOKS, spec={"replicas": 1, "template": template("q:1")})
    api.put("services", "cart", BOOKS, spec={"selector": {"app": "cart"}, "type": "ClusterIP"})
    api.node("node-a")
    return api


@pytest.fixture
def undoer(api: ObedientApi, monkeypatch: pytest.MonkeyPatch) -> UndoneActs:
    def connect(*_: object, **__: object) -> Any:
        return api.cluster(namespaces=(BOOKS,))

    monkeypatch.setattr(acts, "connect", connect)
    return UndoneActs()


def act(**said: Any) -> ClusterAct:
    return ClusterAct.model_validate(said)


ROLLBACK = act(rolloutUndo="deployment/cart")
SCALE = act(scale={"of": "deployment/cart", "replicas": 5})
CACHE_OFF = act(
    setEnv={"of": "deployment/cart", "container": "cart", "variables": {"CACHE": "off"}}
)
NEW = act(setEnv={"of": "deployment/cart", "variables": {"NEW": "1"}})
CORDON = act(cordon="node-a")
UNSELECT = act(
    patch={"of": "services/cart", "merge": {"spec": {"selector": {"app": None, "no": "one"}}}}
)


def doing(api: ObedientApi, *all_of_them: ClusterAct) -> ClusterActs:
    cluster = api.cluster(namespaces=(BOOKS,))
    return ClusterActs(
        cluster,
        all_of_them or (ROLLBACK, SCALE, CACHE_OFF, NEW, CORDON, UNSELECT),
        namespaces=(BOOKS,),
        identity=identity.identity_of(cluster),
        live_within=timedelta(0),
    )


def stored(undo: Undo) -> Undo:
    """Return an undo as it comes back from a store."""
    return replace(undo, data=json.loads(json.dumps(undo.data)))


def spec(api: SimulatedApi, resource: str = "deployments", name: str = "cart") -> dict[str, Any]:
    found = api.find(resource, name, "" if resource == "nodes" else BOOKS)
    assert found is not None
    return dict(found["spec"])


def env(api: SimulatedApi, container: int = 0) -> Mapping[str, str]:
    entries = spec(api)["template"]["spec"]["containers"][container].get("env") or ()
    return {e["name"]: e["value"] for e in entries}


DONE: list[tuple[ClusterAct, Callable[[SimulatedApi], object], object]] = [
    (ROLLBACK, lambda api: spec(api)["template"], template("cart:1", CACHE="on", OLD="x")),
    (SCALE, lambda api: spec(api)["replicas"], 5),
    (CACHE_OFF, env, {"FIRST": "1", "CACHE": "off", "LAST": "$(FIRST)"}),
    (NEW, lambda api: (env(api)["NEW"], env(api, 1)), ("1", {"NEW": "1"})),
    (CORDON, lambda api: spec(api, "nodes", "node-a"), {"unschedulable": True}),
    (
        UNSELECT,
        lambda api: spec(api, "services"),
        {"selector": {"no": "one"}, "type": "ClusterIP"},
    ),
]


@pytest.mark.parametrize(("one", "seen", "expected"), DONE, ids=[str(d[0]) for d in DONE])
async def test_an_act_is_done_and_what_was_before_the_run_is_put_back(
    api: ObedientApi,
    undoer: UndoneActs,
    one: ClusterAct,
    seen: Callable[[SimulatedApi], object],
    expected: object,
) -> None:
    before = copy.deepcopy([spec(api), spec(api, "services"), spec(api, "nodes", "node-a")])
    here = doing(api)
    undo = stored(here.undo("r1", "mend", one))
    was_there = await undoer.is_present(undo)

    said = here.do("r1", one)
    did, is_there = seen(api), await undoer.is_present(undo)
    await undoer.recover(undo)

    assert expected == did
    assert said
    assert (False, True, False) == (was_there, is_there, await undoer.is_present(undo))
    assert before == [spec(api), spec(api, "services"), spec(api, "nodes", "node-a")]
    for resource, name in (("deployments", "cart"), ("services", "cart"), ("nodes", "node-a")):
        found = api.find(resource, name, "" if resource == "nodes" else BOOKS) or {}
        assert NOTE not in (found["metadata"].get("annotations") or {})


async def test_a_sequence_of_acts_goes_back_to_what_was_before_the_run(
    api: ObedientApi, undoer: UndoneActs
) -> None:
    before = spec(api)
    here = doing(api)
    done = [ROLLBACK, CACHE_OFF, SCALE, act(scale={"of": "deployment/cart", "replicas": 1})]
    undos = []
    for one in done:
        undos.append(here.undo("r1", "mend", one))
        here.do("r1", one)

    for undo in reversed(undos):
        await undoer.recover(stored(undo))

    assert before == spec(api)


async def test_what_a_fault_broke_and_its_own_undo_mended_is_not_broken_again(
    api: ObedientApi, undoer: UndoneActs
) -> None:
    """The responder rolls back what a fault deployed; then the fault is taken back as well."""
    here = doing(api)
    before = spec(api)
    bad = template("cart:bad")
    api.edit("deployments", "cart", BOOKS, {"spec": {"template": bad}}, by="the fault")
    owner = api.find("deployments", "cart", BOOKS) or {}
    api.put(
        "replicasets",
        "cart-3",
        BOOKS,
        metadata={
            "annotations": {"deployment.kubernetes.io/revision": "3"},
            "ownerReferences": [{"uid": owner["metadata"]["uid"]}],
        },
        spec={"template": bad},
    )
    undo = here.undo("r1", "mend", ROLLBACK)
    here.do("r1", ROLLBACK)

    rolled_back = spec(api)
    await undoer.recover(stored(undo))

    assert before == rolled_back == spec(api)


async def test_what_somebody_changed_since_stays(api: ObedientApi, undoer: UndoneActs) -> None:
    here = doing(api)
    undos = [here.undo("r1", "mend", one) for one in (SCALE, ROLLBACK)]
    for one in (SCALE, ROLLBACK):
        here.do("r1", one)
    api.edit("deployments", "cart", BOOKS, {"spec": {"template": template("cart:3")}}, by="ann")

    for undo in reversed(undos):
        await undoer.recover(undo)

    assert (template("cart:3"), 2) == (spec(api)["template"], spec(api)["replicas"])
    assert not any([await undoer.is_present(undo) for undo in undos])


async def test_what_was_cut_short_before_it_was_noted_is_put_back(
    api: ObedientApi, undoer: UndoneActs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acts, "_digested", lambda *_: None)
    here = doing(api)
    undo = here.undo("r1", "mend", SCALE)
    here.do("r1", SCALE)

    await undoer.recover(undo)

    assert 2 == spec(api)["replicas"]


async def test_no_template_and_no_other_variable_is_written_into_an_undo(api: ObedientApi) -> None:
    here = doing(api)

    undos = [here.undo("r1", "mend", one) for one in (ROLLBACK, CACHE_OFF, SCALE)]

    assert not [u for u in undos if "$(FIRST)" in json.dumps(u.data)]


async def test_an_object_made_anew_from_a_copy_is_not_taken_for_the_changed_one(
    api: ObedientApi, undoer: UndoneActs
) -> None:
    here = doing(api)
    undo = here.undo("r1", "mend", SCALE)
    here.do("r1", SCALE)
    copied = api.find("deployments", "cart", BOOKS) or {}
    api.remove("deployments", "cart", BOOKS)
    notes = copied["metadata"]["annotations"]
    api.put("deployments", "cart", BOOKS, metadata={"annotations": notes}, spec=copied["spec"])

    with pytest.raises(PermanentDriverError, match="made anew from a copy: put it right by hand"):
        await undoer.is_present(undo)


async def test_a_deployment_that_is_gone_holds_nothing(
    api: ObedientApi, undoer: UndoneActs
) -> None:
    here = doing(api)
    undo = here.undo("r1", "mend", SCALE)
    here.do("r1", SCALE)
    api.remove("deployments", "cart", BOOKS)

    assert not await undoer.is_present(undo)


async def test_another_cluster_at_the_address_proves_nothing(
    api: ObedientApi, undoer: UndoneActs, monkeypatch: pytest.MonkeyPatch
) -> None:
    undo = doing(api).undo("r1", "mend", SCALE)
    other = SimulatedApi(uid="another")
    monkeypatch.setattr(acts, "connect", lambda *_, **__: other.cluster(namespaces=(BOOKS,)))

    with pytest.raises(DriverError, match="another cluster answers"):
        await undoer.is_present(undo)


async def test_what_ran_before_and_is_kept_no_more_is_said(
    api: ObedientApi, undoer: UndoneActs
) -> None:
    here = doing(api)
    undo = here.undo("r1", "mend", ROLLBACK)
    here.do("r1", ROLLBACK)
    api.remove("replicasets", "cart-2", BOOKS)

    with pytest.raises(PermanentDriverError, match="is not kept any more"):
        await undoer.recover(undo)

    assert await undoer.is_present(undo)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (act(scale={"of": "deployment/basket", "replicas": 1}), "there is no deployment/basket"),
        (act(scale={"of": "deployment/Cart!", "replicas": 1}), "is no name of an object"),
        (act(rolloutUndo="deployment/none"), "there is no deployment/none in 'books'"),
    ],
)
def test_what_was_not_there_when_the_run_began_is_not_acted_on(
    api: ObedientApi, one: ClusterAct, said: str
) -> None:
    with pytest.raises(PermanentDriverError, match=said):
        doing(api, one).undo("r1", "mend", one)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (act(scale={"of": "deployment/cart", "replicas": "many{x}"}), "is not a number up to"),
        (act(rolloutUndo="deployment/alone"), "has no revision to go back to"),
        (
            act(setEnv={"of": "deployment/cart", "container": "kart", "variables": {"A": "1"}}),
            "has no container 'kart'",
        ),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    api: ObedientApi, one: ClusterAct, said: str
) -> None:
    api.put("deployments", "alone", BOOKS, spec={"template": template("one:1")})
    before = spec(api)

    with pytest.raises(PermanentDriverError, match=said):
        doing(api, one).do("r1", one)

    assert before == spec(api)


def test_what_another_run_changed_is_left_to_its_undo(api: ObedientApi) -> None:
    doing(api).do("r1", SCALE)

    with pytest.raises(PermanentDriverError, match="`gameday recover r1` takes that back"):
        doing(api).do("r2", CACHE_OFF)


@pytest.mark.parametrize(
    ("resource", "status", "expected"),
    [
        # As real servers say it: what is none is left out.
        ("daemonsets", {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2}, False),
        (
            "daemonsets",
            {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2},
            True,
        ),
        ("statefulsets", {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1}, True),
        ("statefulsets", {"replicas": 1, "updatedReplicas": 1}, False),
        ("deployments", {"observedGeneration": 0}, False),
    ],
)
def test_a_workload_is_live_when_every_pod_runs_what_it_says(
    api: ObedientApi, resource: str, status: dict[str, Any], expected: bool
) -> None:
    api.is_stuck = True
    api.put(resource, "one", BOOKS, spec={"replicas": 1}, status=status)
    cluster = api.cluster(namespaces=(BOOKS,))

    def wait() -> None:
        one = act(setEnv={"of": f"{resource}/one", "variables": {"A": "1"}})
        acts.until_live(cluster, one, BOOKS, within=timedelta(0))

    if expected:
        wait()
    else:
        with pytest.raises(TemporaryDriverError, match="is not rolled out"):
            wait()


def test_what_is_not_live_in_time_is_said(api: ObedientApi) -> None:
    here = doing(api)
    api.is_stuck = True

    with pytest.raises(TemporaryDriverError, match="deployment/cart is not rolled out"):
        here.do("r1", SCALE)
