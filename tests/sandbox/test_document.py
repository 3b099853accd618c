"""The sandbox is described as any system is, by a document that holds no secret."""

from __future__ import annotations

from pathlib import Path

import yaml
from test_state import a_state

from gameday.diagnosis.conventions import DEFAULT
from gameday.house.targets.declared_system import absent_steps, queries_of
from gameday.house.targets.sandbox import sandbox_document
from gameday.sandbox import document
from gameday.sandbox.supervisor.monitoring import alertmanager_settings
from gameday.spec import read_system

SECRET = "token-that-opens-everything"


def test_what_is_written_is_a_system_that_is_read_as_any_other(tmp_path: Path) -> None:
    found = a_state(tmp_path, time_scale=30.0)

    path = document.write(found)

    system = read_system(path)
    assert tmp_path / "sandbox.yaml" == path
    assert ("sandbox", 30.0, True) == (
        system.metadata.name,
        system.spec.time_scale,
        system.spec.disposable,
    )
    assert system.spec.regions is not None
    assert found.regions == system.spec.regions.names
    assert () == absent_steps(system.spec)
    assert [path] == list(tmp_path.iterdir())


def test_it_holds_no_token_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = document.write(a_state(tmp_path, token=SECRET))

    assert SECRET not in path.read_text(encoding="utf-8")
    assert 0o600 == path.stat().st_mode & 0o777


def test_its_red_is_read_as_where_nobody_says_how(tmp_path: Path) -> None:
    system = read_system(document.write(a_state(tmp_path)))

    assert DEFAULT == queries_of(system.spec)


def test_what_somebody_adds_to_it_counts(tmp_path: Path) -> None:
    found = a_state(tmp_path)
    path = document.write(found)
    path.write_text(path.read_text(encoding="utf-8").replace("us-east", "us-west"))

    regions = sandbox_document(found).spec.regions

    assert regions is not None
    assert ("eu-west", "us-west") == regions.names


def test_a_sandbox_of_an_older_gameday_gets_one(tmp_path: Path) -> None:
    assert "sandbox" == sandbox_document(a_state(tmp_path)).metadata.name


def test_pages_go_to_the_receiver_that_it_names_whomever_that_tells(tmp_path: Path) -> None:
    named = read_system(document.write(a_state(tmp_path))).spec.pages.receiver
    nobody, somebody = map(
        yaml.safe_load, (alertmanager_settings(None), alertmanager_settings("http://127.0.0.1:1/p"))
    )

    assert nobody["route"] == somebody["route"]
    assert {named} == {route["receiver"] for route in nobody["route"]["routes"]}
    assert [{"name": "nobody"}, {"name": named}] == nobody["receivers"]
