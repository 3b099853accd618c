"""``gameday postmortem draft|publish|list|show|near-miss``, as their user sees them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from closed_incident import closed_incident

from gameday.cli.app import run
from gameday.house.run.opening import open_store
from gameday.testing.virtual import VirtualClock

HOUR = timedelta(hours=1)

Said = Callable[[], tuple[str, str]]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    def read() -> tuple[str, str]:
        captured = capsys.readouterr()
        return captured.out, captured.err

    return read


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "postmortems"


def incident(*, hours_ago: float = 1, severity: str = "SEV-2") -> str:
    with open_store() as store:
        clock = VirtualClock(datetime.now(UTC) - hours_ago * HOUR)
        return asyncio.run(closed_incident(store, clock, severity=severity))


def finished(path: Path) -> None:
    """Answer every question of a draft, as a person does."""
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text(
        "\n".join("Said." if "To be answered" in line else line for line in lines) + "\n",
        encoding="utf-8",
    )


def test_from_an_incident_to_a_published_postmortem(folder: Path, said: Said) -> None:
    id = incident()
    path = folder / f"{id}.md"

    assert 0 == run(["postmortem", "draft", id])
    assert f"postmortems/{id}.md: drafted\n" == said()[1]
    assert 3 == run(["postmortem", "publish", id])
    assert "waits for an answer" in said()[1]
    finished(path)
    assert 0 == run(["postmortem", "check", id])
    assert "1 postmortem, 0 gaps, 0 accusations\n" == said()[1]
    with path.open("a", encoding="utf-8") as file:
        file.write("\n- Watch the replication lag\n")
    assert 0 == run(["postmortem", "publish", id, "--url", "https://wiki.example/1"])
    assert "filed: " in said()[1]

    assert 0 == run(["incident", "list", "--all", "--json"])
    said()
    assert 0 == run(["postmortem", "show", id])
    assert path.read_text(encoding="utf-8") == said()[0]
    assert 0 == run(["postmortem", "list", "--json"])
    (listed,) = json.loads(said()[0])
    assert ("https://wiki.example/1", True) == (listed["url"], listed["published_at"] is not None)
    assert 0 == run(["postmortem", "check"])
    assert said()[1].endswith("1 postmortem owed, 0 not published, 0 late\n")
    assert 3 == run(["postmortem", "draft", id])
    assert "stays as it is" in said()[1]
    assert 3 == run(["postmortem", "publish", id])
    assert "published already" in said()[1]


def test_drafted_again_it_keeps_what_was_written_and_marks_what_both_changed(
    folder: Path, said: Said
) -> None:
    id = incident()
    path = folder / f"{id}.md"
    run(["postmortem", "draft", id])
    finished(path)
    written = path.read_text(encoding="utf-8")
    said()

    assert 0 == run(["postmortem", "draft", id])
    assert f"postmortems/{id}.md: drafted anew, with what you wrote\n" == said()[1]
    assert written == path.read_text(encoding="utf-8")

    path.write_text(written.replace("SEV-2 |", "SEV-1 |"), encoding="utf-8")
    with open_store() as store:
        from dataclasses import replace

        known = store.postmortem(id)
        assert known is not None
        older = replace(
            known, draft=known.draft.replace("| Severity | SEV-2 |", "| Severity | — |")
        )
        store.put_postmortem(older, known=known)
    assert 1 == run(["postmortem", "draft", id])
    assert "you and the newer draft changed this: keep one" in said()[1]
    assert 1 == run(["postmortem", "check", id])
    assert "two versions of one place: keep one" in said()[0]


def test_a_file_that_is_no_draft_of_the_store_is_left_alone(folder: Path, said: Said) -> None:
    id = incident()
    folder.mkdir()
    path = folder / f"{id}.md"
    path.write_text("mine\n", encoding="utf-8")

    assert 2 == run(["postmortem", "draft", id])

    assert "give --file another name" in said()[1]
    assert "mine\n" == path.read_text(encoding="utf-8")
    assert 0 == run(["postmortem", "draft", id, "--file", "other.md", "--json"])
    assert "other.md" == json.loads(said()[0])["file"]


def test_without_a_name_check_lists_who_owes_one_and_what_is_late(said: Said) -> None:
    late, due = incident(hours_ago=60), incident(hours_ago=2, severity="SEV-1")

    assert 1 == run(["postmortem", "check", "--json"])

    assert [(late, True, "not drafted"), (due, False, "not drafted")] == [
        (one["incident"], one["late"], one["state"]) for one in json.loads(said()[0])
    ]
    assert 1 == run(["postmortem", "check"])
    assert said()[1].endswith("2 postmortems owed, 2 not published, 1 late\n")


def test_a_late_draft_says_so(folder: Path, said: Said) -> None:
    id = incident(hours_ago=60)
    run(["postmortem", "draft", id])
    finished(folder / f"{id}.md")
    said()

    assert 1 == run(["postmortem", "check", id])

    out, err = said()
    assert "late: it was to be published by " in out
    assert "1 postmortem, 0 gaps, 0 accusations, 1 late\n" == err


def test_a_near_miss_is_noted_drafted_and_published(folder: Path, said: Said) -> None:
    asked = ["postmortem", "near-miss", "The disk was full by one percent"]

    assert 0 == run([*asked, "--service", "inventory", "--json"])
    found = json.loads(said()[0])
    finished(folder / f"{found['id']}.md")

    assert 0 == run(["postmortem", "publish", found["id"]])
    assert 2 == run([*asked, "--severity", "bad"])
    assert "there is no severity 'bad': SEV-1" in said()[1]


@pytest.mark.parametrize("command", ["publish", "show", "check"])
def test_what_is_not_there_is_told_in_words(command: str, said: Said) -> None:
    assert 2 == run(["postmortem", command, "nope"])

    assert "'nope'" in said()[1]
