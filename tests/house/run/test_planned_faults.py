"""What a plan says of each fault: where it is, what its recovery does, whether it fits."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from gameday.drivers.chaostoolkit import ChaosToolkit
from gameday.errors import PlanRefused
from gameday.house.run.judgement import overridden
from gameday.house.run.misfits import experiment_notices, misfits
from gameday.house.run.planning import described
from gameday.house.run.stories import Story, read_story
from gameday.house.targets.reach import reach
from gameday.ports import PlannedFault
from gameday.spec import Catalogue


def said(story: Story) -> str:
    """Return why a story cannot be played on its target, a reason a line."""
    return "\n".join(str(refusal) for refusal in misfits(story))


def prepared(path: Path, **configuration: Any) -> PlannedFault:
    return ChaosToolkit().prepare(
        path.stem,
        path=str(path),
        configuration=configuration,
        at=timedelta(0),
        duration=timedelta(minutes=5),
        run="r7",
        number=1,
    )


def ours(name: str, **configuration: Any) -> PlannedFault:
    return prepared(Catalogue.around().experiment(name), **configuration)


def theirs(folder: Path, **parts: Any) -> Path:
    file = folder / "theirs.yaml"
    file.write_text(yaml.safe_dump({"title": "t", "description": "d", "method": [], **parts}))
    return file


def action(module: str, func: str, **arguments: Any) -> dict[str, Any]:
    provider = {"type": "python", "module": module, "func": func, "arguments": arguments}
    return {"type": "action", "name": func, "provider": provider}


def story_of(path: Path, *, target: str = "sandbox", **given: Any) -> Story:
    """Return slow-db with another experiment in the place of its own."""
    story = read_story("slow-db")
    scenario = overridden(story.scenario, {"target": target})
    fault = scenario.spec.faults[0].model_copy(update={"experiment": path.stem, "with_": given})
    spec = scenario.spec.model_copy(update={"faults": (fault,)})
    scenario = scenario.model_copy(update={"spec": spec})
    return type(story)(scenario, story.slo, (path,), story.documents)


# --- in words -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "configuration", "where", "recovers"),
    [
        (
            "slow-downstream",
            {"regions": ["eu-west", "us-east"]},
            "slow-downstream: inventory → db in eu-west, us-east",
            "removes its toxics from the proxies of the hop",
        ),
        (
            "scale-to-zero",
            {"workload": "statefulset/db"},
            "scale-to-zero: statefulset/db in shop",
            "asks for as many pods as before, if the workload still asks for none",
        ),
        (
            "drain-region",
            {"region": "", "zone": "eu-1a"},
            "drain-region: zone eu-1a",
            "uncordons the nodes it cordoned, and no other",
        ),
        (
            "kill-service",
            {},
            "kill-service: inventory in eu-west",
            "is nothing: the supervisor starts the process again",
        ),
    ],
)
def test_a_planned_fault_says_where_it_is_and_what_its_recovery_does(
    name: str, configuration: dict[str, Any], where: str, recovers: str
) -> None:
    fault = described(ours(name, **configuration))

    assert (where, recovers) == (fault.undo.description, fault.recovers)


def test_somebody_elses_experiment_is_planned_as_it_is(tmp_path: Path) -> None:
    fault = prepared(theirs(tmp_path, method=[action("os", "getpid")]))

    assert fault == described(fault)
    assert ("'getpid' (os.getpid) is no fault of gameday's: how far it reaches is unknown",) == (
        reach(fault).uncounted
    )


def test_a_fault_that_cannot_be_counted_is_refused_in_its_own_words(tmp_path: Path) -> None:
    kill = action("gameday.chaos.pods", "kill_pods", namespace="shop", context="nowhere")
    fault = prepared(theirs(tmp_path, method=[kill]))

    with pytest.raises(PlanRefused, match="theirs: there is no kubeconfig at"):
        reach(fault)


# --- fitting --------------------------------------------------------------------------------------


def test_an_action_of_ours_is_known_in_a_copy_that_calls_its_parameters_otherwise(
    tmp_path: Path,
) -> None:
    kill = action("gameday.chaos.pods", "kill_pods", namespace="${where}", count="${how_many}")
    copy = theirs(tmp_path, method=[kill], configuration={"where": "shop", "how_many": 1})

    assert re.search("theirs acts on kubernetes, and not on sandbox; kill-se", said(story_of(copy)))
    assert () == misfits(story_of(copy, target="kubernetes"))
    assert re.search(
        "theirs: count must be a number, not 'many'",
        said(story_of(copy, target="kubernetes", how_many="many")),
    )


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"latency": "fast"}, "slow-downstream: latency: "),
        ({"toxicity": 7}, "slow-downstream: toxicity: "),
        ({"stream": "sideways"}, "stream must be one of downstream, upstream, not 'sideways'"),
    ],
)
def test_a_value_that_its_parameter_cannot_have_is_refused_before_anything_is_injected(
    given: dict[str, Any], why: str
) -> None:
    story = story_of(Catalogue.around().experiment("slow-downstream"), **given)

    assert re.search(f"slow-db: .*{why}", said(story))


def test_every_wrong_value_is_said_at_once() -> None:
    path = Catalogue.around().experiment("slow-downstream")

    found = misfits(story_of(path, latency="fast", toxicity=7))

    assert ["change it under `with`"] * 2 == [refusal.remedy for refusal in found]


@pytest.mark.parametrize(
    ("parameters", "target"), [({"context": None}, "kubernetes"), ({"control_url": "x"}, "sandbox")]
)
def test_somebody_elses_experiment_acts_where_its_parameters_show(
    tmp_path: Path, parameters: dict[str, Any], target: str
) -> None:
    file = theirs(tmp_path, method=[action("os", "getpid")], configuration=parameters)
    other = {"kubernetes": "sandbox", "sandbox": "kubernetes"}[target]

    assert () == misfits(story_of(file, target=target))
    assert re.search(
        f"theirs acts on {target}, and not on {other}", said(story_of(file, target=other))
    )


def test_a_value_that_only_the_target_gives_is_no_misfit(tmp_path: Path) -> None:
    unknown = {"context": "${context}", "selector": "${selector}"}
    kill = action("gameday.chaos.pods", "kill_pods", namespace="shop", **unknown)
    unset = {"type": "env", "key": "NOBODY_SET_THIS"}
    declared = dict.fromkeys(("context", "selector"), unset)
    file = theirs(tmp_path, method=[kill], configuration=declared)

    assert () == misfits(story_of(file, target="kubernetes"))
    assert "theirs: in shop" == described(prepared(file)).undo.description


def test_somebody_elses_experiment_with_neither_acts_anywhere(tmp_path: Path) -> None:
    file = theirs(tmp_path, method=[action("os", "getpid")])

    for target in ("sandbox", "kubernetes"):
        assert () == misfits(story_of(file, target=target))


# --- what should be known -------------------------------------------------------------------------


def test_a_plan_says_that_controls_do_not_span_the_fault(tmp_path: Path) -> None:
    control = {"name": "guard", "provider": {"type": "python", "module": "logging"}}
    file = theirs(tmp_path, method=[action("time", "sleep")], controls=[control])

    (notice,) = experiment_notices(story_of(file))

    assert notice.startswith("theirs: controls (guard) are called around the injection")
    assert "not while the fault lasts" in notice


def test_a_plan_says_what_of_an_experiment_is_not_followed_and_not_there(tmp_path: Path) -> None:
    lost = action("no_such.module", "f")
    runtime = {"rollbacks": {"strategy": "never"}}
    file = theirs(tmp_path, method=[lost], runtime=runtime)

    runtime_notice, absence = experiment_notices(story_of(file))

    assert runtime_notice.startswith("theirs: its runtime (rollbacks) is not followed")
    assert "this machine has no Python module 'no_such.module'" in absence


def test_a_runtime_that_asks_for_what_is_done_anyway_is_no_news(tmp_path: Path) -> None:
    always = {"rollbacks": {"strategy": "always"}}
    rest = {"hypothesis": {"strategy": "continuously"}}
    waits = action("time", "sleep")

    as_here = theirs(tmp_path, method=[waits], runtime=always)
    assert () == tuple(experiment_notices(story_of(as_here)))

    (notice,) = experiment_notices(
        story_of(theirs(tmp_path, method=[waits], runtime=always | rest))
    )
    assert notice.startswith("theirs: its runtime (hypothesis) is not followed")


def test_a_fault_without_an_action_is_refused_before_anything_is_played(tmp_path: Path) -> None:
    probe = {**action("os", "getcwd"), "type": "probe"}

    assert "'theirs' has no action: it would do nothing" in said(
        story_of(theirs(tmp_path, method=[probe]))
    )
