"""One more file among the faults, and nothing else: it is planned, counted, marked and the rest."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import pytest

import gameday
from gameday.chaos import faults
from gameday.chaos.declaration import DeclaredFault
from gameday.chaos.experiment_file import experiment_file
from gameday.chaos.page import page
from gameday.chaos.registry import known
from gameday.chaos.shipped import shipped
from gameday.drivers.chaostoolkit import ChaosToolkit
from gameday.errors import PlanRefused, SteadyStateNotMet
from gameday.house.run.judgement import overridden
from gameday.house.run.misfits import misfits
from gameday.house.run.planning import described, make_plan
from gameday.house.run.stories import Story, read_story
from gameday.house.targets.open_system import OpenSystem
from gameday.house.targets.reach import reach
from gameday.incidents import deeplinks
from gameday.ports import PlannedFault
from gameday.testing.burning import SimulatedPrometheus
from gameday.testing.gate import kubeconfig, serving
from gameday.testing.kubernetes import SimulatedApi
from gameday.testing.machine import Machine
from gameday.testing.world import SimulatedTarget, World

pytestmark = pytest.mark.served  # processes of their own, and an API server

T = TypeVar("T")

FILE = Path(__file__).with_name("forget_setting.py")
MODULE = "gameday.chaos.faults.forget_setting"
MARK = "gd-r7-1"


def said(story: Story) -> str:
    """Return why a story cannot be played on its target, a reason a line."""
    return "\n".join(str(refusal) for refusal in misfits(story))


@dataclass
class Stage:
    """A cluster with settings and three pods, two of which read them."""

    api: SimulatedApi
    driver: ChaosToolkit
    experiment: Path

    @property
    def settings(self) -> dict[str, Any]:
        found = self.api.find("configmaps", "settings", "shop")
        assert found is not None
        return found

    def prepared(self, **configuration: Any) -> PlannedFault:
        fault = self.driver.prepare(
            "forget-setting",
            path=str(self.experiment),
            configuration={"at_most": "100%", **configuration},
            at=timedelta(0),
            duration=timedelta(minutes=5),
            run="r7",
            number=1,
        )
        return described(fault)


def one_more_file(folder: Path) -> Path:
    """Return a folder with gameday in it, where one file more stands among the faults."""
    source, top = Path(gameday.__file__).parent, folder / "gameday"
    inner = top
    for part in ("", "chaos", "faults"):
        source, inner = source / part, inner / part
        inner.mkdir()
        for entry in source.iterdir():
            if entry.name not in ("chaos", "faults", "__pycache__") or part == "faults":
                (inner / entry.name).symlink_to(entry)
    shutil.copy(FILE, inner)
    return folder


@pytest.fixture
def fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DeclaredFault]:
    """The made-up fault, as every process finds it once its file is there."""
    folder = one_more_file(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(folder))  # for the processes that are started,
    monkeypatch.chdir(folder)  # some of which look here first
    added = str(folder / "gameday" / "chaos" / "faults")
    monkeypatch.setattr(faults, "__path__", [*faults.__path__, added])  # and for this one
    known.cache_clear()
    yield import_module(MODULE).FAULT
    known.cache_clear()
    del sys.modules[MODULE]


@pytest.fixture
def place(fault: DeclaredFault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    api = SimulatedApi(namespace="shop")
    api.put("configmaps", "settings", "shop", data={"currency": "EUR", "language": "en"})
    for number, app in enumerate(("checkout", "checkout", "inventory")):
        api.pod(f"p{number}", "n1", app=app)
    experiment = tmp_path / "forget-setting.yaml"
    experiment.write_text(experiment_file(*shipped([fault])), encoding="utf-8")
    with serving(api) as url:
        config = kubeconfig(tmp_path, url)
        monkeypatch.setenv("KUBECONFIG", config)
        monkeypatch.setenv("GAMEDAY_KUBE_CONTEXTS", "sim")
        monkeypatch.setenv("GAMEDAY_KUBE_NAMESPACES", "shop")
        yield Stage(api, ChaosToolkit(context="sim", kubeconfig=config), experiment)


def do(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def story_with(place: Stage, **radius: Any) -> Story:
    """Return a scenario on a cluster that plays the made-up fault."""
    story = read_story("slow-db")
    scenario = overridden(story.scenario, {"target": "kubernetes"})
    changed = scenario.spec.faults[0].model_copy(
        update={"experiment": "forget-setting", "with_": {}}
    )
    allowed = scenario.spec.blast_radius.model_copy(
        update={"regions": None, "pods": None, "namespaces": (), **radius}
    )
    spec = scenario.spec.model_copy(
        update={"faults": (changed,), "regions": (), "blast_radius": allowed}
    )
    scenario = scenario.model_copy(update={"spec": spec})
    return type(story)(scenario, story.slo, (place.experiment,), story.documents)


def planned(place: Stage, **radius: Any) -> dict[str, Any]:
    machine = Machine()
    world = World(machine)
    story = story_with(place, **radius)
    system = OpenSystem(
        target=SimulatedTarget(world, time_scale=60),
        alerts=SimulatedPrometheus(
            world,
            story.slo,
            time_scale=60,
            evaluation=timedelta(seconds=1),
            notify=lambda state: None,
        ),
        faults=place.driver,
        deploys=None,
        tools=deeplinks.Tools("http://p.invalid", "http://t.invalid", "http://f.invalid"),
        regions=(),
        count=reach,
    )
    try:
        return do(make_plan(story, system, run="r7")).record().to_json()
    finally:
        machine.close()


def test_it_is_planned_and_counted(place: Stage) -> None:
    made = planned(place)

    (fault,) = made["faults"]
    assert ("forget-setting: currency of settings in shop", "puts the value back as it was") == (
        fault["undo"],
        fault["recovers"],
    )
    assert [{"pods": ["shop/p0", "shop/p1"], "of": 3}] == made["reaches"]
    assert [] == fault["uncounted"]


def test_it_is_refused_beyond_the_blast_radius_by_the_plan_and_by_itself(place: Stage) -> None:
    with pytest.raises(PlanRefused, match=r"touch 2 of 3 pods, blastRadius\.pods allows 1"):
        planned(place, pods=0.5)

    with pytest.raises(Exception, match="2 of 3 pods in shop would be touched"):
        do(place.driver.inject(place.prepared(at_most="50%")))
    assert {"currency": "EUR", "language": "en"} == place.settings["data"]


def test_it_is_refused_where_it_cannot_act(place: Stage) -> None:
    story = story_with(place)
    assert () == misfits(story)

    moved = overridden(story.scenario, {"target": "sandbox"})
    spec = moved.spec.model_copy(update={"faults": story.scenario.spec.faults})
    moved = moved.model_copy(update={"spec": spec})
    assert re.search(
        "forget-setting acts on kubernetes, and not on sandbox",
        said(replace(story, scenario=moved)),
    )


def test_it_is_injected_marked_seen_and_recovered(place: Stage) -> None:
    before = place.settings
    fault = place.prepared()
    assert not do(place.driver.is_present(fault.undo))

    do(place.driver.inject(fault))

    assert {"language": "en"} == place.settings["data"]
    assert {"gameday.dev/mark": MARK, "gameday.dev/fault": "forget-setting"} == (
        place.settings["metadata"]["labels"]
    )
    assert do(place.driver.is_present(fault.undo))

    do(place.driver.recover(fault.undo))

    assert not do(place.driver.is_present(fault.undo))
    assert before["data"] == place.settings["data"]
    assert {} == place.settings["metadata"]["labels"]


def test_its_steady_state_is_asked_before_it_goes_in(place: Stage) -> None:
    place.api.edit("configmaps", "settings", "shop", {"data": {"currency": None}}, "somebody")

    with pytest.raises(SteadyStateNotMet, match="the setting is known"):
        do(place.driver.inject(place.prepared()))


def test_it_is_found_astray_without_a_store_and_taken_out(place: Stage) -> None:
    do(place.driver.inject(place.prepared()))

    (stray,) = do(place.driver.strays())

    assert (MARK, "configmaps shop/settings in sim") == (stray.id, stray.description)
    do(place.driver.recover(stray))
    assert {"currency": "EUR", "language": "en"} == place.settings["data"]
    assert [] == list(do(place.driver.strays()))


def test_it_is_documented(fault: DeclaredFault) -> None:
    said = page(shipped(known()))

    assert "| [`forget-setting`](#forget-setting) | A setting is gone | a cluster |" in said
    assert "| `key` | text | `currency` | which of its values |" in said
    assert "configmaps, labelled `gameday.dev/fault=forget-setting`" in said
    assert "get, list, patch `configmaps`; list `pods`" in said


def test_the_command_line_lists_it_and_prints_its_experiment(fault: DeclaredFault) -> None:
    listed = json.loads(command("faults", "--json"))
    printed = command("faults", "forget-setting", "--experiment")

    assert ["forget-setting"] == [f["name"] for f in listed if f["title"] == fault.title]
    assert experiment_file(*shipped([fault])) == printed


def test_chaos_toolkit_plays_its_experiment_alone(place: Stage, tmp_path: Path) -> None:
    before = place.settings["data"]

    done = subprocess.run(
        [
            *(str(Path(sys.executable).parent / "chaos"), "--no-version-check", "run"),
            *("--var", "hold:float=0", "--var", "at_most=100%", str(place.experiment)),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert 0 == done.returncode, done.stderr
    journal = json.loads((tmp_path / "journal.json").read_text())
    assert ("completed", False) == (journal["status"], journal["deviated"])
    assert [{"settings": "settings", "key": "currency"}] == [r["output"] for r in journal["run"]]
    assert before == place.settings["data"]


def test_a_package_brings_it_by_an_entry_point(tmp_path: Path) -> None:
    install(tmp_path, "our_faults", (FILE.read_text(encoding="utf-8")))

    listed = json.loads(command("faults", "--json", PYTHONPATH=str(tmp_path)))

    found = {fault["name"]: fault for fault in listed}
    assert "our_faults.forget_setting" == found["forget-setting"]["action"]
    assert len(known_names()) + 1 == len(found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("FAULT = 7\n", "our_faults:FAULT, of the package our-faults declares no fault"),
        ("import nowhere\n", "take it out: pip uninstall our-faults"),
        (
            "from gameday.chaos.declaration import DeclaredFault\n"
            "FAULT = DeclaredFault(name='half')\n",
            "the fault 'half' (our_faults:FAULT, of the package our-faults) cannot be registered:"
            " `recover` is left out",
        ),
    ],
)
def test_a_package_with_half_a_fault_is_refused_by_name(
    tmp_path: Path, text: str, said: str
) -> None:
    install(tmp_path, "our_faults", text)

    assert said in command("faults", expect=2, PYTHONPATH=str(tmp_path))


def known_names() -> set[str]:
    return {f.name for f in known()}


def install(folder: Path, module: str, text: str) -> None:
    """Lay a package there as pip would."""
    (folder / f"{module}.py").write_text(text, encoding="utf-8")
    noted = folder / "our_faults-1.dist-info"
    noted.mkdir()
    (noted / "METADATA").write_text("Metadata-Version: 2.1\nName: our-faults\nVersion: 1\n")
    (noted / "entry_points.txt").write_text(f"[gameday.faults]\nx = {module}:FAULT\n")


def command(*arguments: str, expect: int = 0, **environment: str) -> str:
    """Return what a command says, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "gameday", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert expect == done.returncode, done.stderr
    return done.stdout if expect == 0 else done.stderr
