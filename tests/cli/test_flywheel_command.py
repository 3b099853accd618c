"""`gameday flywheel` on files that others wrote."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from gameday.cli.app import run
from gameday.model.past_incident import Chronicle
from gameday.testing.past_years import PLANTED, planted_year


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """Return a folder with the planted year as a log, its action items and its exposures."""
    write_year(planted_year(3), tmp_path)
    return tmp_path


def write_year(year: Chronicle, folder: Path) -> None:
    names = ("team", "service", "cause", "trigger", "pipeline", "region", "severity")
    instants = ("began_at", "detected_at", "acked_at", "cleared_at", "closed_at")
    rows = [[getattr(one, n) for n in ("id", *instants, *names)] for one in year.incidents]
    _write(folder / "log.csv", ("id", *instants, *names), rows)
    _write(
        folder / "items.csv",
        ("incident", "wording", "component", "state"),
        [
            (incident, wording, theme.component, "open")
            for theme in year.themes
            for incident, wording in zip(theme.incidents, theme.wordings, strict=True)
        ],
    )
    _write(
        folder / "deploys.csv",
        ("dimension", "value", "amount"),
        [(d, v, a) for d, values in year.exposures.items() for v, a in values.items()],
    )


def _write(path: Path, header: tuple[str, ...], rows: list[list[object]] | list[tuple]) -> None:  # type: ignore[type-arg]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def test_what_is_planted_is_said_and_the_innocent_team_stands_nowhere_in_it(
    history: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == run(["flywheel", str(history)])

    said = capsys.readouterr().out
    assert "120 incidents, 2025-01-11 to 2025-12-28" in said
    assert f"72 of 120 incidents (60 %) are from the pipeline {PLANTED.pipeline}" in said
    assert f"The same SEV-1, {PLANTED.cause}, four times in three months" in said
    assert "asked for by 6 incidents in 6 wordings, 6 of them still open" in said
    assert f"of team {PLANTED.innocent}" not in said


def test_as_json_it_is_one_object(history: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == run(["flywheel", "--json", str(history)])

    said = json.loads(capsys.readouterr().out)
    assert 120 == said["incidents"]
    assert [PLANTED.pipeline] == [p["value"] for p in said["patterns"]]
    assert 0.0 < said["patterns"][0]["adjusted_p"] < 0.00125
    assert [set(PLANTED.wordings)] == [set(t["wordings"]) for t in said["recurring"]]
    recover = said["times"][2]
    assert ("to recover", 120) == (recover["time"], recover["spread"]["count"])
    assert 0.0 < recover["change"]["smallest_visible_ratio"] < 1.0


def test_of_one_team_only_its_incidents_count(
    history: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == run(["flywheel", "--json", "--team", "fauna", str(history)])

    said = json.loads(capsys.readouterr().out)
    assert ["fauna"] == list(said["teams"])
    assert 0 < said["incidents"] < 120


def test_the_page_needs_nothing_else(history: Path, tmp_path: Path) -> None:
    page = tmp_path / "wheel.html"

    assert 0 == run(["flywheel", str(history), "--html", str(page)])

    text = page.read_text(encoding="utf-8")
    assert 2 == text.count("<svg")
    assert PLANTED.pipeline in text
    for outside in ("<script", "http://", "https://", "<link", "<img"):
        assert outside not in text.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_what_files_say_is_shown_and_never_obeyed(tmp_path: Path) -> None:
    log, page = tmp_path / "log.csv", tmp_path / "wheel.html"
    log.write_text(
        "id,started,resolved,duration_minutes\n"
        '"<script>alert(1)</script>",2026-01-31 14:00,2026-01-31 15:00,600\n',
        encoding="utf-8",
    )

    assert 0 == run(["flywheel", str(log), "--html", str(page)])

    assert "<script>" not in page.read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;: it states 10 h" in page.read_text("utf-8")


def test_no_incident_is_a_usage_error(history: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == run(["flywheel", "--team", "nobody", str(history)])

    assert "there is no incident of team 'nobody'" in capsys.readouterr().err


def test_a_path_that_is_not_there_says_what_to_give(capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == run(["flywheel", "nowhere.csv"])

    assert "give incidents as CSV, JSON or Markdown" in capsys.readouterr().err


def test_rows_that_cannot_be_read_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log.csv"
    log.write_text("id,started\nA,whenever\nB,2026-01-31 14:00\n", encoding="utf-8")

    assert 0 == run(["flywheel", str(log)])

    assert f"not read: {log}:2: started 'whenever' is no instant" in capsys.readouterr().err


def test_what_is_kept_is_there_without_its_files(
    history: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path / "state"))
    run(["flywheel", "--json", str(history)])
    from_files = json.loads(capsys.readouterr().out)

    assert 0 == run(["flywheel", "--keep", str(history)])
    capsys.readouterr()
    assert 0 == run(["flywheel", "--json"])

    from_store = json.loads(capsys.readouterr().out)
    for part in ("incidents", "patterns", "repeats", "returns"):
        assert from_files[part] == from_store[part]
    assert {frozenset(t["wordings"]) for t in from_files["recurring"]} == {
        frozenset(t["wordings"]) for t in from_store["recurring"]
    }


def test_an_empty_store_says_what_to_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path / "state"))

    assert 2 == run(["flywheel"])

    assert "there is no incident in the store; give files of others' as PATH" in (
        capsys.readouterr().err
    )
    assert 2 == run(["flywheel", "--keep"])


def test_a_month_is_reviewed_by_each_team_or_by_one(
    history: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == run(["flywheel", str(history), "--review", "2025-04"])
    pages = capsys.readouterr().out
    assert 6 == pages.count(", April 2025\n")

    assert 0 == run(["flywheel", str(history), "--review", "2025-04", "--team", "atlas", "--json"])
    (review,) = json.loads(capsys.readouterr().out)
    assert ("atlas", "2025-04") == (review["team"], review["month"])

    assert 2 == run(["flywheel", str(history), "--review", "2025-04", "--team", "nobody"])
    assert "teams are atlas, boreas" in capsys.readouterr().err
    assert 2 == run(["flywheel", str(history), "--review", "2025-04", "--zone", "Atlantis"])
