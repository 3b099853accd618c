"""``gameday postmortem check`` says what a postmortem lacks and what in it accuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gameday.cli.app import run

PARTS = ("Summary", "Impact", "Timeline", "Root cause", "What went well", "What went wrong")


def postmortem(path: Path, cause: str) -> Path:
    parts = [*(f"## {part}\n\nSaid.\n" for part in PARTS), "## Luck\n\nNone.\n"]
    text = "\n".join(["# The cache\n", *parts, f"## Action items\n\n{cause}\n"])
    path.write_text(text, encoding="utf-8")
    return path


def test_a_sentence_that_accuses_is_told_with_file_line_reason_and_another_wording(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = postmortem(tmp_path / "a.md", "The engineer forgot the index.")

    assert 1 == run(["postmortem", "check", str(path)])

    said = capsys.readouterr()
    first, second, third = said.out.splitlines()
    assert first == (
        f"{path}:33: “The engineer forgot” accuses: a person stands where the cause belongs"
    )
    assert "    in: The engineer forgot the index." == second
    assert third.startswith("    instead: say what the system let happen")
    assert "1 postmortem, 0 gaps, 1 accusation\n" == said.err


def test_a_postmortem_in_order_is_silent_and_passes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = postmortem(tmp_path / "a.md", "The index was missing.")

    assert 0 == run(["postmortem", "check", str(path)])

    said = capsys.readouterr()
    assert ("", "1 postmortem, 0 gaps, 0 accusations\n") == (said.out, said.err)


def test_as_json_every_file_has_its_gaps_and_its_accusations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = postmortem(tmp_path / "a.md", "TODO: she forgot the index.")
    good = postmortem(tmp_path / "b.md", "The index was missing.")

    assert 1 == run(["postmortem", "check", "--json", str(bad), str(good)])

    first, second = json.loads(capsys.readouterr().out)
    assert [(33, "Action items")] == [(g["line"], g["part"]) for g in first["gaps"]]
    assert [(33, "person", "she forgot")] == [
        (b["line"], b["kind"], b["said"]) for b in first["accusations"]
    ]
    whole = {"late": False, "due_at": None, "conflicts": [], "gaps": [], "accusations": []}
    assert {"file": str(good), **whole} == second


def test_a_file_that_is_not_there_is_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == run(["postmortem", "check", "nowhere.md"])

    assert "there is no such file" in capsys.readouterr().err
