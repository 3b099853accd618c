"""``gameday runbooks`` as its user sees it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gameday.cli.app import run

pytestmark = pytest.mark.served

SOUND = """\
---
alert: Down
owner: {name: On-call, team: shop, contact: "#shop"}
reviewed: 2100-01-01
review_every: 90d
---
# Down

## Meaning

It is down; see [the other](other.md) and https://e.example/.

## First checks

1. Look.

## Likely causes

- A crash.

## Fixes

- Restart.
"""


def test_a_flaw_is_told_with_file_line_kind_and_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "down.md"
    path.write_text(SOUND.replace("reviewed: 2100-01-01\n", ""), encoding="utf-8")

    assert 1 == run(["runbooks", "lint", str(tmp_path)])

    said = capsys.readouterr()
    assert [
        f"{path}:1: review: it does not say when it was last reviewed"
        " (read it, then `gameday runbooks review --done down`)",
        f"{path}:10: link: other.md leads nowhere: there is no such file (correct the path)",
    ] == said.out.splitlines()
    assert (
        "not looked at: addresses on the web, 1: --online visits them\n1 runbook, 2 flaws\n"
        == said.err
    )


def test_as_json_a_program_gets_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "down.md"
    path.write_text(SOUND.replace("other.md", "down.md"), encoding="utf-8")

    assert 1 == run(["runbooks", "lint", "--json", str(path)])

    said = json.loads(capsys.readouterr().out)
    assert (1, 0) == (said["runbooks"], said["rules"])
    assert ["review", "link"] == [flaw["kind"] for flaw in said["flaws"]]
    assert {"kind", "file", "line", "what", "remedy"} == set(said["flaws"][0])


def test_the_shipped_runbooks_have_no_flaw_but_a_review_that_may_be_due(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shipped = Path(__file__).parents[2] / "runbooks"

    run(["runbooks", "lint", "--json", str(shipped)])

    flaws = json.loads(capsys.readouterr().out)["flaws"]
    assert [] == [flaw for flaw in flaws if flaw["kind"] != "review"]


def test_a_path_that_is_not_there_is_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == run(["runbooks", "lint", "nowhere"])

    assert "there is no file or folder 'nowhere'" in capsys.readouterr().err


def test_a_prometheus_that_does_not_answer_ends_with_6(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "down.md").write_text(SOUND, encoding="utf-8")

    assert 6 == run(["runbooks", "lint", "--prometheus", "http://127.0.0.1:1", str(tmp_path)])

    assert "Prometheus at http://127.0.0.1:1 does not answer" in capsys.readouterr().err


# --- coverage -----------------------------------------------------------------------------------

RULES = """\
groups:
- name: shop
  rules:
  - alert: Down
    expr: up == 0
    annotations: {runbook_url: "https://runbooks.example/down"}
  - alert: Full
    expr: full > 1
"""


def test_coverage_tells_how_every_alert_stands_and_which_was_never_exercised(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "down.md").write_text(SOUND, encoding="utf-8")
    (tmp_path / "old.md").write_text(SOUND.replace("Down", "Old"), encoding="utf-8")
    (tmp_path / "rules.yaml").write_text(RULES, encoding="utf-8")
    page = tmp_path / "coverage.html"

    assert 1 == run(["runbooks", "coverage", str(tmp_path), "--html", str(page)])

    said = capsys.readouterr()
    down, full = said.out.splitlines()[1:]
    assert ["Down", "covered"] == down.split()[:2]
    assert ["Full", "no", "runbook", "—", "—", "never"] == full.split()
    assert [
        f"{tmp_path / 'old.md'} is the runbook of no alert of these",
        "never exercised: Down, Full",
        "1 of 2 alerts have a runbook that can be opened and that somebody keeps; a drill made 0"
        " of them fire.",
    ] == said.err.splitlines()
    html = page.read_text(encoding="utf-8")
    assert "1 of 2" in html
    assert "<script" not in html


def test_coverage_as_json_has_a_line_for_each_alert(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "down.md").write_text(SOUND, encoding="utf-8")
    (tmp_path / "rules.yaml").write_text(RULES, encoding="utf-8")

    run(["runbooks", "coverage", "--json", str(tmp_path)])

    said = json.loads(capsys.readouterr().out)
    assert {
        "alert": "Full",
        "places": [f"{tmp_path / 'rules.yaml'}:7"],
        "standing": "no runbook",
        "runbook": None,
        "owner": None,
        "last_exercised": None,
    } == said["alerts"][1]
    assert (["Down", "Full"], []) == (said["never_exercised"], said["idle_runbooks"])


def test_coverage_without_rules_says_where_they_may_come_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "down.md").write_text(SOUND, encoding="utf-8")

    assert 2 == run(["runbooks", "coverage", str(tmp_path)])

    assert "give rule files, --prometheus URL or --system NAME" in capsys.readouterr().err


# --- review -------------------------------------------------------------------------------------


def test_a_review_that_is_due_is_listed_and_gone_once_it_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "down.md"
    text = SOUND.replace("2100-01-01", "2020-01-01")
    path.write_text(text, encoding="utf-8")

    assert 1 == run(["runbooks", "review", str(tmp_path)])
    listed = capsys.readouterr().out
    assert 0 == run(["runbooks", "review", str(tmp_path), "--done", "down", "--by", "On-call"])
    assert 0 == run(["runbooks", "review", str(tmp_path)])

    assert [str(path), "overdue", "2020-03-31", "2020-01-01", "—", "On-call"] == (
        listed.splitlines()[1].split()
    )
    today = datetime.now(UTC).date().isoformat()
    after = text.replace("2020-01-01", today).replace("d\n---", "d\nreviewed_by: On-call\n---")
    assert after == path.read_text(encoding="utf-8")


def test_a_review_of_a_runbook_that_is_not_there_names_the_nearest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "down.md").write_text(SOUND, encoding="utf-8")

    assert 2 == run(["runbooks", "review", str(tmp_path), "--done", "dwn"])

    assert "there is no runbook 'dwn' (did you mean 'down'?)" in capsys.readouterr().err


def test_a_review_cannot_have_been_done_tomorrow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "down.md").write_text(SOUND, encoding="utf-8")

    done = ["--done", "down", "--on", "2100-01-01"]
    assert 2 == run(["runbooks", "review", str(tmp_path), *done])

    assert "2100-01-01 is to come" in capsys.readouterr().err
