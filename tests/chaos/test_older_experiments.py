"""Experiments as earlier releases shipped them, in people's copies and in stored undos, still work.

``golden/v1`` holds what was shipped before faults declared themselves. Nothing there is changed.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from gameday.chaos.radius import actions
from gameday.chaos.registry import known
from gameday.drivers.chaostoolkit import experiment as experiments

FILES = sorted((Path(__file__).parent / "golden").glob("*/*.yaml"))

every_file = pytest.mark.parametrize("file", FILES, ids=lambda f: f"{f.parent.name}-{f.stem}")


def activities(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from document["method"]
    yield from document.get("rollbacks") or ()
    yield from document["steady-state-hypothesis"]["probes"]
    probe = experiments.present_probe(document)
    if probe is not None:
        yield probe


def test_there_are_older_experiments() -> None:
    assert 11 == len(FILES)


@every_file
def test_every_function_it_names_is_there_and_takes_its_arguments(file: Path) -> None:
    for activity in activities(experiments.read(str(file))):
        provider = activity["provider"]
        function = getattr(import_module(provider["module"]), provider["func"])

        inspect.signature(function).bind(**provider["arguments"])


@every_file
def test_its_action_is_known_as_the_fault_it_is(file: Path) -> None:
    (action,) = actions(experiments.read(str(file)), {})

    assert action.fault is known().named(file.stem)


@every_file
def test_its_values_are_values_of_the_parameters_today(file: Path) -> None:
    (action,) = actions(experiments.read(str(file)), {})

    assert action.fault is not None
    problems = [
        parameter.problem(action.values.get(parameter.name))
        for parameter in action.fault.parameters
    ]
    assert [None] * len(problems) == problems


@every_file
def test_its_parameters_are_still_parameters(file: Path) -> None:
    older = set(experiments.declared(experiments.read(str(file)))) - {"hold"}

    assert older <= {p.name for p in known().named(file.stem).parameters}


@every_file
def test_its_recovery_goes_by_the_same_short_way(file: Path) -> None:
    older = experiments.read(str(file))
    today = experiments.read(str(Path(__file__).parents[2] / "experiments" / file.name))

    assert (file.stem in ("slow-downstream", "broken-downstream")) is (
        experiments.is_toxics_only(older)
    )
    assert experiments.is_toxics_only(older) == experiments.is_toxics_only(today)
