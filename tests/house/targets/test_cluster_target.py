"""What the house decides about clusters: whether time may be compressed, what fits where."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gameday.drivers.chaostoolkit import ChaosToolkit
from gameday.drivers.chaostoolkit import experiment as experiments
from gameday.drivers.kubernetes.identity import identity_of
from gameday.errors import PermanentDriverError, PlanRefused
from gameday.house.processes.undoers import Undoers
from gameday.house.run.judgement import overridden
from gameday.house.run.misfits import misfits
from gameday.house.run.stories import Story, read_story
from gameday.house.targets.cluster import check_scale, is_disposable
from gameday.house.targets.cluster_faults import ClusterFaults, Place, PlacedExperiments
from gameday.model.programme import Programme
from gameday.ports import MITIGATIONS, Undo
from gameday.settings import Settings
from gameday.spec import Catalogue
from gameday.testing.kubernetes import SimulatedApi

PLACE = Place("kind-gameday", "shop", "/a/kubeconfig")


def said(story: Story) -> str:
    """Return why a story cannot be played on its target, a reason a line."""
    return "\n".join(str(refusal) for refusal in misfits(story))


def programme(**targets: Mapping[str, Any]) -> Programme:
    return Programme.model_validate(
        {
            "metadata": {"name": "p", "owner": "o"},
            "spec": {
                "targets": {f"kubernetes/{n.replace('_', '-')}": t for n, t in targets.items()}
            },
        }
    )


# --- disposable -----------------------------------------------------------------------------------


def test_the_programme_says_which_clusters_nobody_depends_on() -> None:
    settings = Settings.from_environment({})
    said = programme(kind_gameday={"disposable": True}, staging={})

    assert is_disposable(PLACE, said, settings)
    assert not is_disposable(Place("staging", "shop"), said, settings)
    assert not is_disposable(Place("unheard-of", "shop"), said, settings)


def test_a_programme_that_lists_targets_stands_above_the_settings() -> None:
    settings = Settings.from_environment({"GAMEDAY_KUBE_DISPOSABLE": "staging"})

    assert not is_disposable(Place("staging", "shop"), programme(staging={}), settings)


def test_without_a_programme_the_settings_say_and_by_default_only_our_own_kind_cluster() -> None:
    settings = Settings.from_environment({})

    assert is_disposable(PLACE, None, settings)
    assert not is_disposable(Place("staging", "shop"), None, settings)


def test_time_runs_faster_only_where_nobody_depends_on_it() -> None:
    settings = Settings.from_environment({})
    staging = Place("staging", "shop")

    check_scale(PLACE, 60, programme=None, settings=settings)
    check_scale(staging, 1, programme=None, settings=settings)
    with pytest.raises(PlanRefused, match="for a disposable cluster only"):
        check_scale(staging, 60, programme=None, settings=settings)


# --- undos ----------------------------------------------------------------------------------------


def prepared() -> Undo:
    cluster = SimulatedApi(namespace="shop").cluster()
    faults = ClusterFaults(
        ChaosToolkit(toxiproxy_url="http://127.0.0.1:9"),
        PLACE,
        cluster,
        identity=identity_of(cluster),
    )
    return faults.prepare(
        "slow-downstream",
        path=str(Catalogue.around().experiment("slow-downstream")),
        configuration={"service": "inventory", "downstream": "db", "regions": ["region-a"]},
        at=timedelta(0),
        duration=timedelta(minutes=5),
        run="r1",
        number=1,
    ).undo


def test_a_fault_in_a_cluster_knows_its_cluster() -> None:
    known = prepared().data

    assert (PLACE.to_json(), "uid-of-sim") == (known["cluster"], known["identity"]["uid"])


async def test_a_door_that_is_gone_is_no_proof_that_its_toxics_are(tmp_path: Path) -> None:
    # The run's own door closed with the run; the undo must not go by its address.
    kubeconfig = tmp_path / "none"
    data = {**prepared().data, "cluster": {**PLACE.to_json(), "kubeconfig": str(kubeconfig)}}
    undo = Undo("gd-r1-1", "experiment", "r1", "slow", "gameday recover r1", data)

    with pytest.raises(PermanentDriverError, match="no kubeconfig"):
        await PlacedExperiments(ChaosToolkit()).is_present(undo)


async def test_mitigations_in_a_cluster_are_asked_of_the_cluster(tmp_path: Path) -> None:
    data = {"context": "c", "kubeconfig": str(tmp_path / "none"), "namespace": "shop", "before": {}}
    undo = Undo("gd-r1-mitigations", MITIGATIONS, "r1", "m", "gameday recover r1", data)

    with pytest.raises(PermanentDriverError, match="no kubeconfig"):
        await Undoers().is_present(undo)


class Gone(ChaosToolkit):
    """Says of everything that it is taken back."""

    async def is_present(self, undo: Undo) -> bool:
        return False

    async def recover(self, undo: Undo) -> None: ...


@pytest.mark.parametrize(
    ("configuration", "still"), [({"context": "c"}, True), ({"toxiproxy_url": "u"}, False)]
)
async def test_a_fault_that_took_pods_is_over_when_they_are_back(
    configuration: dict[str, str], still: bool
) -> None:
    waited: list[timedelta] = []

    def pods_back(within: timedelta) -> bool:
        waited.append(within)
        return False

    undo = Undo("u", "experiment", "r", "d", "c", {"configuration": configuration})
    cluster = SimulatedApi(namespace="shop").cluster()
    faults = ClusterFaults(
        Gone(), PLACE, cluster, identity=identity_of(cluster), pods_back=pods_back
    )
    await faults.recover(undo)

    assert still == await faults.is_present(undo)
    assert ([timedelta(seconds=20), timedelta(0)] if still else []) == waited


# --- fitting --------------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", ["kill-pod", "drain-region"])
def test_a_fault_of_a_cluster_is_refused_on_the_sandbox_with_what_it_has_instead(
    scenario: str,
) -> None:
    story = read_story(scenario)
    moved = overridden(story.scenario, {"target": "sandbox"})

    assert re.search(
        r"acts on kubernetes, and not on sandbox; .* there",
        said(replace(story, scenario=moved)),
    )


@pytest.mark.parametrize("rule", ["podsAbove", "restartsAbove", "evictionsAbove", "waitingAbove"])
def test_a_limit_on_pods_is_refused_where_there_are_none(rule: str) -> None:
    story = read_story("slow-db")
    limited = story.scenario.model_dump(by_alias=True)
    limited["spec"]["abort"] = [{rule: 20}]
    moved = type(story.scenario).model_validate(limited)

    assert re.search(
        r"are read on kubernetes, and not on sandbox",
        said(replace(story, scenario=moved)),
    )


@pytest.mark.parametrize("target", ["sandbox", "kubernetes"])
def test_a_slow_database_fits_both(target: str) -> None:
    story = read_story("slow-db")
    moved = overridden(story.scenario, {"target": target})

    assert () == misfits(replace(story, scenario=moved))


@pytest.mark.parametrize(
    ("experiment", "from_start"), [("drain-region", True), ("kill-pod", False)]
)
def test_a_fault_that_takes_long_to_be_in_place_counts_from_its_start(
    experiment: str, from_start: bool
) -> None:
    document = experiments.read(str(Catalogue.around().experiment(experiment)))

    assert from_start == experiments.works_from_start(document)
