"""``gameday faults`` lists what can be broken, tells one, and writes its experiment."""

from __future__ import annotations

import json

import pytest
import yaml

from gameday.chaos.registry import known
from gameday.cli.app import run


def test_every_fault_is_listed_with_where_it_acts_and_what_its_recovery_does(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert 0 == run(["faults"])

    shown = capsys.readouterr().out
    for fault in known():
        assert fault.name in shown
        assert fault.title in shown
        assert fault.undo in shown


def test_as_json_a_fault_tells_its_parameters_marks_and_rights(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert 0 == run(["faults", "--json"])

    said = {fault["name"]: fault for fault in json.loads(capsys.readouterr().out)}
    assert {f.name for f in known()} == set(said)
    drain = said["drain-region"]
    assert ("cluster", ["nodes"], True) == (
        drain["acts_on"],
        drain["marks"],
        drain["is_counted"],
    )
    assert {"resource": "pods/eviction", "verbs": ["create"], "everywhere": False} in drain[
        "rights"
    ]
    assert {
        "name": "within_s",
        "type": "whole number",
        "choices": [],
        "unit": "seconds",
        "default": 120,
        "meaning": "then it must be done",
    } in drain["parameters"]
    assert (False, []) == (said["kill-pod"]["has_recovery"], said["kill-pod"]["marks"])
    assert ["toxics"] == said["slow-downstream"]["marks"]
    assert ["records"] == said["deploy-change"]["marks"]


def test_one_fault_is_told_with_its_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == run(["faults", "slow-network"])

    shown = capsys.readouterr().out
    assert "slow-network: The network of pods is slow" in shown
    assert "ends by itself: after ttl_s" in shown
    assert "bears its mark: networkchaos, labelled gameday.dev/fault=slow-network" in shown
    assert "$GAMEDAY_KUBE_CONTEXT" in shown


def test_the_experiment_of_a_fault_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == run(["faults", "slow-downstream", "--experiment"])

    printed = yaml.safe_load(capsys.readouterr().out)
    assert "slow the downstream" == printed["method"][0]["name"]


def test_the_page_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == run(["faults", "--page"])

    assert capsys.readouterr().out.startswith("# Faults\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["faults", "slow-downstraem"], "did you mean 'slow-downstream'?"),
        (["faults", "--experiment"], "gameday faults NAME --experiment"),
    ],
)
def test_what_is_not_there_is_named(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 2 == run(arguments)

    assert said in capsys.readouterr().err
