"""Which labels may tell regions apart: by what they are called, and by what they hold."""

from __future__ import annotations

import pytest

from gameday.drafts.regions import apart, may_tell_regions

TWO = ("eu", "us")
MANY = tuple(f"r{number:02}" for number in range(13))

CALLED_SO = (
    "region", "cloud_region", "topology_kubernetes_io_zone", "availability_zone", "az", "dc",
    "datacenter", "data_center", "DataCenter", "cluster", "k8s_cluster_name", "site", "location",
    "destination_cluster",
)  # fmt: skip
CALLED_OTHERWISE = (
    "instance", "job", "method", "code", "data", "center", "zoned", "source_cluster",
    "client_region", "cloud.region", "",
)  # fmt: skip


@pytest.mark.parametrize("label", CALLED_SO)
def test_a_label_that_is_called_as_a_place_may_tell_regions_apart(label: str) -> None:
    assert may_tell_regions(label)


@pytest.mark.parametrize("label", CALLED_OTHERWISE)
def test_any_other_label_may_not(label: str) -> None:
    assert not may_tell_regions(label)


@pytest.mark.parametrize(
    "values",
    [("eu",), MANY, ("", "eu", "us")],
    ids=["of one place", "of more than there are places", "that some requests lack"],
)
def test_a_label_that_tells_no_regions_apart_is_none(values: tuple[str, ...]) -> None:
    assert {} == apart({"region": values})


def test_the_likeliest_label_comes_first() -> None:
    found = {"zone": ("a", "b", "c"), "cluster": ("c1", "c2"), "region": TWO}

    assert ["region", "cluster", "zone"] == list(apart(found))


def test_of_two_labels_that_hold_the_same_one_is_enough() -> None:
    assert {"region": TWO} == apart({"cluster": TWO, "region": TWO, "cloud_region": TWO})


def test_a_label_that_holds_what_the_nodes_are_in_is_taken_before_all_others() -> None:
    found = {"region": TWO, "zone": ("a", "b", "c"), "cluster": ("c1", "c2")}

    assert {"zone": ("a", "b", "c")} == apart(found, [("somewhere",), ("a", "b", "c")])
    assert {"region": TWO} == apart(found, [TWO, ("a", "b", "c")])
