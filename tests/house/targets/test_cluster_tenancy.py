"""Whose the objects in a shop's namespace are."""

from __future__ import annotations

from typing import Any

import pytest

from gameday.errors import PermanentDriverError
from gameday.house.targets.cluster_tenancy import move_in, move_out
from gameday.shop import MADE, SERVICE
from gameday.testing.kubernetes import SimulatedApi

Object = dict[str, Any]
OURS = {SERVICE: "edge"}
DOCUMENTS: list[Object] = [
    {"kind": "Namespace", "metadata": {"name": "shop"}},
    {"kind": "ConfigMap", "metadata": {"name": "proxy"}},
    {
        "kind": "Deployment",
        "metadata": {"name": "edge"},
        "spec": {"selector": {"matchLabels": OURS}},
    },
]


@pytest.fixture
def api() -> SimulatedApi:
    return SimulatedApi(namespace="shop")


def put(api: SimulatedApi, resource: str, name: str, **labels: str) -> None:
    spec = {"selector": {"matchLabels": labels}}
    api.put(resource, name, "shop", metadata={"labels": labels}, spec=spec)


def made(api: SimulatedApi) -> bool:
    return MADE in (api.find("namespaces", "shop") or {})["metadata"].get("labels", {})


def test_a_namespace_that_was_not_there_is_made_and_taken_away_whole(api: SimulatedApi) -> None:
    move_in(api.cluster(), "shop", DOCUMENTS)
    was_made = made(api)
    put(api, "configmaps", "proxy", **OURS)

    said = move_out(api.cluster(), "shop", DOCUMENTS)

    assert was_made
    assert "the namespace shop is gone" == said
    assert ["kube-system"] == api.names("namespaces")


def test_a_namespace_of_somebody_else_stays_with_all_that_is_theirs(api: SimulatedApi) -> None:
    api.put("namespaces", "shop", metadata={"labels": {"app.kubernetes.io/part-of": "shop"}})
    put(api, "configmaps", "theirs", **{"app.kubernetes.io/part-of": "shop"})
    move_in(api.cluster(), "shop", DOCUMENTS)
    was_made = made(api)
    put(api, "configmaps", "proxy", **OURS)
    put(api, "deployments", "edge", **OURS)

    said = move_out(api.cluster(), "shop", DOCUMENTS)

    assert not was_made
    assert "the namespace stays" in said
    assert (["kube-system", "shop"], ["theirs"], []) == tuple(
        api.names(kind) for kind in ("namespaces", "configmaps", "deployments")
    )


def test_an_object_of_somebody_else_is_never_taken_over(api: SimulatedApi) -> None:
    api.put("namespaces", "shop")
    put(api, "configmaps", "proxy", app="nginx")

    with pytest.raises(PermanentDriverError, match=r"not the shop's.*: ConfigMap proxy; .*--names"):
        move_in(api.cluster(), "shop", DOCUMENTS)


def test_an_object_of_somebody_else_is_never_taken_away(api: SimulatedApi) -> None:
    api.put("namespaces", "shop")
    put(api, "configmaps", "proxy", app="nginx")

    said = move_out(api.cluster(), "shop", DOCUMENTS)

    assert ("there is no shop in shop", ["proxy"]) == (said, api.names("configmaps"))


def test_a_deployment_of_an_earlier_version_makes_way(api: SimulatedApi) -> None:
    """Its selector cannot be changed."""
    api.put("namespaces", "shop")
    put(api, "configmaps", "proxy", **{"app.kubernetes.io/part-of": "shop"})
    put(api, "deployments", "edge", **{"app.kubernetes.io/part-of": "shop"})

    move_in(api.cluster(), "shop", DOCUMENTS)

    assert (["proxy"], []) == (api.names("configmaps"), api.names("deployments"))


def test_a_shop_that_is_there_already_is_left_as_it_is(api: SimulatedApi) -> None:
    api.put("namespaces", "shop")
    put(api, "deployments", "edge", **OURS)

    move_in(api.cluster(), "shop", DOCUMENTS)

    assert ["edge"] == api.names("deployments")


def test_where_there_is_nothing_nothing_is_taken_away(api: SimulatedApi) -> None:
    assert "there was no shop" == move_out(api.cluster(), "shop", DOCUMENTS)
