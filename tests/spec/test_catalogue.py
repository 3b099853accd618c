"""Files are found where people put them, the user's before ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from gameday.errors import SpecError, UsageError
from gameday.spec import Catalogue, read_scenario

HERE = Path(__file__).parent
SLO = (HERE / "catalogue/slos/checkout.yaml").read_text(encoding="utf-8")
SCENARIO = """\
apiVersion: gameday/v1
kind: Scenario
metadata: {name: x}
spec:
  slo: mine
  faults: [{experiment: own, duration: 5m}]
  runbook: own.md
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A user's folder with one of everything; the working directory is elsewhere."""
    for name, text in {
        "scenarios/x.yaml": SCENARIO,
        "slos/any-file-name.yaml": SLO.replace("checkout-latency", "mine"),
        "experiments/own.yaml": "title: t\ndescription: d\nmethod: []\n",
        "runbooks/own.md": "# Own\n",
        "rubrics/strict.yaml": "{}\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def test_what_a_scenario_refers_to_is_found_beside_it(project: Path) -> None:
    scenario = read_scenario(project / "scenarios/x.yaml")
    around = Catalogue.around(project / "scenarios/x.yaml")

    assert "mine" == around.slo(scenario.spec.slo).id
    assert project / "experiments/own.yaml" == Catalogue.around(scenario.path).experiment("own")
    assert project / "rubrics/strict.yaml" == Catalogue.around(scenario.path).rubric("strict")
    assert {"own", "slow-downstream"} <= set(around.experiments())
    assert {"mine", "checkout-latency"} <= set(around.slos())
    assert {"x", "slow-db"} <= set(around.scenarios())
    assert {"own", "checkout-latency"} <= set(around.runbooks())
    assert {"default", "strict"} <= set(around.rubrics())


def test_an_slo_is_found_by_the_path_of_its_file_too(project: Path) -> None:
    assert "mine" == Catalogue.around().slo(str(project / "slos/any-file-name.yaml")).id


def test_a_file_of_several_slos_asks_for_one_of_them(project: Path) -> None:
    path = project / "slos/two.yaml"
    path.write_text(SLO + "---\n" + SLO.replace("checkout-latency", "other"), encoding="utf-8")

    with pytest.raises(UsageError, match="holds 2 SLOs: name one of checkout-latency, other"):
        Catalogue.around().slo(str(path))


def test_a_broken_slo_file_is_mentioned_where_an_slo_is_missing(project: Path) -> None:
    (project / "slos/any-file-name.yaml").write_text("a: [", encoding="utf-8")

    with pytest.raises(SpecError, match=r"any-file-name\.yaml cannot be read: gameday validate"):
        read_scenario(project / "scenarios/x.yaml")


def test_problems_of_the_files_a_scenario_names_stand_with_its_own(project: Path) -> None:
    (project / "slos/any-file-name.yaml").write_text(
        SLO.replace("checkout-latency", "mine").replace("0.99", "99"), encoding="utf-8"
    )
    (project / "runbooks/own.md").write_text("---\nreviewed: soon\n---\n", encoding="utf-8")
    (project / "experiments/own.yaml").write_text("a: b: c\n", encoding="utf-8")

    with pytest.raises(SpecError) as caught:
        read_scenario(project / "scenarios/x.yaml")

    assert {"any-file-name.yaml", "own.md", "own.yaml"} == {
        Path(p.file).name for p in caught.value.problems
    }


def test_an_empty_catalogue_says_that_there_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="known scenarios: none at all"):
        Catalogue((tmp_path,)).scenario("x")
