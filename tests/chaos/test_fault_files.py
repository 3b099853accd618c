"""Experiments and the docs say what the faults declare, word for word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from chaoslib.experiment import ensure_experiment_is_valid

from gameday.chaos.declaration import Activity, DeclaredFault
from gameday.chaos.experiment_file import experiment_file, scalar
from gameday.chaos.page import page
from gameday.chaos.parameters import OF_SYSTEM
from gameday.chaos.registry import own
from gameday.chaos.shipped import shipped
from gameday.drafts.blanks import blanks
from gameday.drivers.chaostoolkit import experiment as experiments

ROOT = Path(__file__).parents[2]
FAULTS = tuple(shipped(own()))

by_name = pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.name)


@by_name
def test_the_shipped_experiment_is_what_the_fault_declares(fault: DeclaredFault) -> None:
    shipped = (ROOT / "experiments" / f"{fault.name}.yaml").read_text(encoding="utf-8")

    assert experiment_file(fault) == shipped, "`make faults` writes it anew"


def test_the_page_of_faults_is_up_to_date() -> None:
    written = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")

    assert page(FAULTS) == written, "`make faults` writes it anew"


def test_there_is_an_experiment_for_every_fault_and_no_other() -> None:
    shipped = {path.stem for path in (ROOT / "experiments").glob("*.yaml")}

    assert {fault.name for fault in FAULTS} == shipped


@by_name
def test_an_experiment_is_valid_and_no_line_of_it_is_too_long(fault: DeclaredFault) -> None:
    text = experiment_file(fault)

    ensure_experiment_is_valid(yaml.safe_load(text))
    assert [] == [line for line in text.splitlines() if len(line) > 100]


@by_name
def test_an_experiment_starts_with_the_defaults_that_are_declared(fault: DeclaredFault) -> None:
    declared = yaml.safe_load(experiment_file(fault))["configuration"]

    held = {"hold": 5} if isinstance(fault.recover, Activity) else {}
    defaults = {
        p.name: getattr(p.default, "to_json", lambda p=p: p.default)() for p in fault.parameters
    }
    assert {**defaults, **held} == declared


def test_no_fault_names_anything_of_a_system_until_it_is_shipped_for_one() -> None:
    left = {p.name for fault in own() for p in fault.parameters if p.default == OF_SYSTEM}

    assert {
        "beside",
        "downstream",
        "namespace",
        "region",
        "regions",
        "selector",
        "service",
        "workload",
    } == left
    assert [] == [p for fault in FAULTS for p in fault.parameters if p.default == OF_SYSTEM]


def test_an_experiment_of_no_system_leaves_its_names_to_the_author() -> None:
    written = experiment_file(own().named("scale-to-zero"))

    left = {yaml.safe_load(line.strip()).popitem()[0] for line in _blank_lines(written)}
    assert {"namespace", "workload"} == left
    assert '  workload: "FILL IN: deployment/NAME or statefulset/NAME"' in written.splitlines()


def _blank_lines(text: str) -> list[str]:
    lines = text.splitlines()
    return [lines[blank.line - 1] for blank in blanks(text)]


@by_name
def test_gameday_reads_from_the_experiment_what_the_fault_declares(fault: DeclaredFault) -> None:
    document = yaml.safe_load(experiment_file(fault))
    probe = experiments.present_probe(document)

    assert isinstance(fault.is_present, Activity) == (probe is not None)
    assert fault.works_from_start == experiments.works_from_start(document)
    assert isinstance(fault.recover, Activity) == bool(document.get("rollbacks"))


@by_name
def test_the_page_tells_every_parameter_of_a_fault(fault: DeclaredFault) -> None:
    chapter = page([fault])

    for parameter in fault.parameters:
        assert f"| `{parameter.name}` | {parameter.type.name} | `" in chapter


@pytest.mark.parametrize(
    "value",
    [None, True, 1, 0.5, "plain", "", "a: b", "a #b", "yes", "0", "50%", "a, b", [1, "x: y"], "→"],
)
def test_a_value_in_an_experiment_is_read_back_as_it_was(value: Any) -> None:
    assert [value] == yaml.safe_load(f"[{scalar(value)}]")
