"""What is in force as people and programs read it."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
from given import Given

from gameday.cli.app import run
from gameday.settings import FILE_VARIABLE, PLUMBING, find, variable
from gameday.settings.reading import names
from gameday.settings.shown import about, notes, page, rows
from gameday.settings.values import covered

REPOSITORY_ROOT = Path(__file__).parents[2]
DOCUMENT = REPOSITORY_ROOT / "docs/settings.md"


def test_every_setting_is_shown_with_its_value_and_where_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gameday.toml").write_text('[run]\n\nlease = "8s"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GAMEDAY_KUBE_NAMESPACES", "a,b")

    code = run(["settings", "--json"])

    printed = json.loads(capsys.readouterr().out)
    by_name = {row["name"]: (row["value"], row["from"]) for row in printed["settings"]}
    assert 0 == code
    assert str(tmp_path / "gameday.toml") == printed["file"]
    assert [".".join(name) for name in names()] == list(by_name)
    assert ("8s", "gameday.toml:3") == by_name["run.lease"]
    assert ("a,b", "environment") == by_name["kube.namespaces"]
    assert ("1s", "default") == by_name["run.poll"]


def test_a_bad_value_is_a_sentence_and_exit_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GAMEDAY_RUN_LEASE", "soon")

    codes = [run(["settings"]), run(["runs"]), run(["doctor"])]

    said = capsys.readouterr().err
    assert [2, 2, 6] == codes
    assert 3 == said.count("environment: GAMEDAY_RUN_LEASE: 'soon' is not a duration")
    assert "Traceback" not in said


def test_the_table_is_for_people_and_what_they_should_know_is_talk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "gameday.toml"
    path.write_text('[client]\ntoken = "gd_hush"\n')
    path.chmod(0o644)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GAMEDAY_LEASE", "8s")

    run(["settings"])

    printed = capsys.readouterr()
    (row,) = [line for line in printed.out.splitlines() if line.startswith("client.token")]
    assert ["client.token", "GAMEDAY_TOKEN", "•••", "gameday.toml:2"] == row.split()
    assert "hush" not in printed.out + printed.err
    assert "GAMEDAY_LEASE is in the environment, and no setting of gameday" in printed.err
    assert "did you mean 'GAMEDAY_RUN_LEASE'?" in printed.err
    assert "gameday.toml:2: client.token is secret, and others can read the file" in printed.err


def test_a_private_file_may_hold_secrets(tmp_path: Path) -> None:
    path = tmp_path / "gameday.toml"
    path.write_text('[client]\ntoken = "gd_hush"\n')
    path.chmod(0o600)

    assert [] == list(notes(find({}, folder=tmp_path)))


def test_no_secret_is_shown(tmp_path: Path) -> None:
    hush = {
        variable(*name): "hush-hush"
        for name in names()
        if "Secret" in str(type(getattr(getattr(find({}).settings, name[0]), name[1])))
    }
    hush |= {
        "GAMEDAY_DATABASE_URL": "postgresql+psycopg://me:hush-hush@host/db?password=hush-hush",
        "GAMEDAY_PAGERDUTY_WEBHOOK_SECRET": "hush-hush,hush-hush",
        "GAMEDAY_PROMETHEUS_URL": "https://me:hush-hush@host/?api_key=hush-hush",
    }

    found = find(hush, folder=tmp_path)

    assert 15 == len(hush)
    assert "hush" not in "".join(str(row) for row in rows(found))
    assert "hush" not in repr(found.settings.pager) + repr(found.settings.client)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql+psycopg://me:p%40ss@h:5432/db", "postgresql+psycopg://me:•••@h:5432/db"),
        ("postgresql://h/db?user=me&password=x", "postgresql://h/db?user=me&password=•••"),
        ("postgresql://me@/db?host=%2Ftmp%2Fx", "postgresql://me@/db?host=%2Ftmp%2Fx"),
        ("sqlite:////tmp/a.db", "sqlite:////tmp/a.db"),
        ("sqlite:///a.db", "sqlite:///a.db"),
        ("sqlite://", "sqlite://"),
        ("https://h/x?X-Amz-Signature=abc&q=1", "https://h/x?X-Amz-Signature=•••&q=1"),
        ("https://:p@h/", "https://:•••@h/"),
        ("https://tok@h/", "https://•••@h/"),
        ("postgresql://me:x@h:port/db", "•••"),
        ("postgresql://me:x/db", "•••"),
        ("postgresql://me:x/y?z#@h/db", "postgresql://me:•••@h/db"),
        ("postgresql://me:x@y@h/db", "postgresql://me:•••@h/db"),
        ("https://h/?mail=me@here", "https://h/?mail=me@here"),
        ("https://[::1]:80/a?b=c", "https://[::1]:80/a?b=c"),
        ("me:x@h/db", "•••"),
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str, expected: str) -> None:
    assert expected == covered(url)


# --- the page and what is written about it ----------------------------------------------------


def test_every_setting_has_its_meaning_and_the_reason_for_its_default() -> None:
    lacking = [
        f"{table}.{key}" for table, key in names() if "Default: " not in about(table).get(key, "")
    ]

    assert [] == lacking


def test_no_two_settings_share_a_variable() -> None:
    every = [variable(*name) for name in names()]

    assert sorted(set(every)) == sorted(every)


def test_the_document_holds_the_page() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")

    made = text[text.index("\n## `[") :]
    assert page() == made, "make it anew with: .venv/bin/python tools/settings_page.py"


def test_the_example_in_the_document_is_valid(tmp_path: Path) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    example = text.partition("```toml\n")[2].partition("```")[0]
    (tmp_path / "gameday.toml").write_text(example)

    assert [] != list(find({}, folder=tmp_path).origins)


def test_nobody_else_reads_a_variable_of_ours() -> None:
    """A module that holds a variable's very name reads it by itself; messages hold sentences."""
    package = REPOSITORY_ROOT / "gameday"
    found = [
        f"{path.relative_to(REPOSITORY_ROOT)}:{node.lineno} {node.value}"
        for path in sorted(package.rglob("*.py"))
        if package / "settings" not in path.parents
        if "GAMEDAY_" in (text := path.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"GAMEDAY_[A-Z_]*", node.value)
        and node.value not in PLUMBING
    ]

    assert [] == found


def test_every_variable_that_is_written_about_exists() -> None:
    known = {FILE_VARIABLE, *PLUMBING, *(variable(*name) for name in names())}
    known |= {f"GAMEDAY_TEST_{field.name.upper()}" for field in fields(Given)}
    beginnings = {"GAMEDAY_DRILL_", "GAMEDAY_LINK_", "GAMEDAY_KUBE_", "GAMEDAY_"}
    places = ["gameday", "docs", "experiments", "deploy", "changelog.d", "README.md", ".github"]
    tops = [REPOSITORY_ROOT / place for place in places]
    files = [
        path
        for top in tops
        for path in (top, *top.rglob("*"))
        if path.suffix in {".py", ".md", ".yaml", ".yml", ".html"}
    ]

    strange = {
        f"{path.relative_to(REPOSITORY_ROOT)}: {name}"
        for path in files
        for name in re.findall(r"GAMEDAY_[A-Z_]*", path.read_text(encoding="utf-8"))
        if name not in known | beginnings
    }

    assert set() == strange
