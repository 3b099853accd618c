"""What is in force: the environment over the nearest gameday.toml over the page's defaults."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from gameday.errors import SpecError, UsageError
from gameday.settings import (
    FILE_VARIABLE,
    KubeSettings,
    RunSettings,
    Settings,
    find,
    handed_down,
)

REPOSITORY_ROOT = Path(__file__).parents[2]


def write(folder: Path, text: str) -> Path:
    path = folder / "gameday.toml"
    path.write_text(text, encoding="utf-8")
    return path


def complaints(text: str, folder: Path, **environment: str) -> list[str]:
    """Return what is said about a file, a line each, with the file's own folder left out."""
    path = write(folder, text)
    with pytest.raises(SpecError) as caught:
        find(environment, folder=folder)
    return str(caught.value).replace(str(path), "gameday.toml").splitlines()


def test_without_a_word_from_anybody_the_defaults_are_in_force(tmp_path: Path) -> None:
    found = find({}, folder=tmp_path)

    assert RunSettings() == found.settings.run
    assert KubeSettings() == found.settings.kube
    assert {} == found.origins
    assert found.file.path is None


def test_the_environment_wins_over_the_file_and_the_file_over_the_defaults(tmp_path: Path) -> None:
    path = write(tmp_path, '[kube]\ncontexts = ["a", "b"]\nnamespaces = ["n"]\n[run]\nlease="8s"\n')

    found = find({"GAMEDAY_KUBE_CONTEXTS": "c"}, folder=tmp_path)

    assert KubeSettings(contexts=("c",), namespaces=("n",)) == found.settings.kube
    assert timedelta(seconds=8) == found.settings.run.lease
    assert {
        ("kube", "contexts"): "environment",
        ("kube", "namespaces"): f"{path}:3",
        ("run", "lease"): f"{path}:5",
    } == found.origins


def test_an_empty_variable_says_nothing_but_an_empty_list_allows_nothing(tmp_path: Path) -> None:
    found = find({"GAMEDAY_RUN_POLL": " ", "GAMEDAY_KUBE_CONTEXTS": " , "}, folder=tmp_path)

    assert RunSettings() == found.settings.run
    assert () == found.settings.kube.contexts


# --- where the file is ------------------------------------------------------------------------


def test_the_file_is_looked_for_upwards_to_the_top_of_the_repository(tmp_path: Path) -> None:
    (tmp_path / "repository/.git").mkdir(parents=True)
    below = tmp_path / "repository/a/b"
    below.mkdir(parents=True)
    write(tmp_path, '[run]\nlease = "1s"\n')
    assert find({}, folder=below).file.path is None

    top = write(tmp_path / "repository", '[run]\nlease = "2s"\n')
    assert top == find({}, folder=below).file.path

    nearer = write(below.parent, '[run]\nlease = "3s"\n')
    assert nearer == find({}, folder=below).file.path


def test_outside_of_a_repository_only_the_folder_itself_counts(tmp_path: Path) -> None:
    write(tmp_path, '[run]\nlease = "2s"\n')
    (tmp_path / "below").mkdir()

    assert find({}, folder=tmp_path / "below").file.path is None
    assert find({}, folder=tmp_path).file.path is not None


def test_a_file_that_is_named_is_read_wherever_one_is(tmp_path: Path) -> None:
    write(tmp_path, '[run]\nlease = "2s"\n')
    named = tmp_path / "ours.toml"
    named.write_text('[run]\nlease = "9s"\n')

    assert timedelta(seconds=9) == find({FILE_VARIABLE: str(named)}, folder=tmp_path).settings.lease
    assert RunSettings() == find({FILE_VARIABLE: os.devnull}, folder=tmp_path).settings.run
    with pytest.raises(UsageError, match="No such file"):
        find({FILE_VARIABLE: str(tmp_path / "nowhere.toml")}, folder=tmp_path)


def test_a_file_that_anybody_can_write_is_not_believed_unless_it_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, '[run]\nlease = "2s"\n')
    path.chmod(0o666)

    with pytest.raises(UsageError, match="can be written by anybody"):
        find({}, folder=tmp_path)
    assert timedelta(seconds=2) == find({FILE_VARIABLE: str(path)}, folder=tmp_path).settings.lease


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a file away needs root")
def test_a_file_of_somebody_else_is_not_believed_unless_it_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, '[run]\nlease = "2s"\n')
    os.chown(path, 12345, 12345)

    with pytest.raises(UsageError, match="belongs to somebody else"):
        find({}, folder=tmp_path)
    assert timedelta(seconds=2) == find({FILE_VARIABLE: str(path)}, folder=tmp_path).settings.lease


# --- what is wrong ----------------------------------------------------------------------------


def test_everything_that_is_wrong_is_said_at_once_with_its_line_or_variable(tmp_path: Path) -> None:
    said = complaints(
        """# our settings
[kube]
contets = ["prod"]
namespaces = [
  "a",  # two
  7,
]

[runs]
lease = "5s"

[run]
poll = 5
recovery_budget = "2h"
""",
        tmp_path,
        GAMEDAY_STOP_DRILLS="perhaps",
        GAMEDAY_PUBLIC_URL="gameday.example",
    )

    assert [
        "gameday.toml:3: kube.contets: there is no such setting (did you mean 'contexts'?)",
        "gameday.toml:4: kube.namespaces: '['a', 7]' is no list of names (write"
        ' ["one", "another"])',
        "gameday.toml:9: runs: there is no such setting (did you mean [run]?)",
        "gameday.toml:13: run.poll: '5' has no unit (write one of ms, s, m, h, d or w after the"
        " number: 5s, 5ms)",
        "gameday.toml:14: run.recovery_budget: '2h' is not within its limits (from 1s to 1h)",
        "environment: GAMEDAY_PUBLIC_URL: 'gameday.example' is no web address (it begins with"
        " http:// or https:// and names a host)",
        "environment: GAMEDAY_STOP_DRILLS: 'perhaps' is neither yes nor no (write true or false)",
    ] == said


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("lease = '5s'", "did you mean lease under [run]?"),
        ("kube_contexts = ['a']", "did you mean contexts under [kube]?"),
        ("GAMEDAY_KUBE_CONTEXTS = 'a'", "did you mean contexts under [kube]?"),
        ("kube = 'a'", "write [kube] above it"),
        ("[pagers]", "did you mean [pager]?"),
        (
            "zebra = 1",
            "tables: store, retention, run, kube, tools, service, links, pager, drill_pager, hook, "
            "drill",
        ),
    ],
)
def test_a_stranger_at_the_top_of_the_file_gets_the_nearest_name(
    tmp_path: Path, line: str, hint: str
) -> None:
    (said,) = complaints(f"\n{line}\n", tmp_path)

    assert said.startswith("gameday.toml:2: ")
    assert hint in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[run]\nlease = 5s\n", "gameday.toml:2: this is not TOML"),
        ("[run]\nlease = '5s'\nlease = '6s'\n", "gameday.toml:3: this is not TOML"),
        ('[run]\nlease = """5s\n', "this is not TOML"),
    ],
)
def test_what_is_not_toml_is_said_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    assert said in complaints(text, tmp_path)[0]


def test_what_is_not_text_is_said_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "gameday.toml").write_bytes(b"[run]\nlease = '\xff'\n")

    with pytest.raises(SpecError, match=r"gameday.toml:2: this is not UTF-8"):
        find({}, folder=tmp_path)


def test_no_complaint_repeats_a_secret(tmp_path: Path) -> None:
    said = "\n".join(
        complaints(
            "[client]\ntoken = 1234567\n[pager]\nslack_url = ['hush-hush']\n",
            tmp_path,
            GAMEDAY_DATABASE_URL="postgresql://me:hush-hush@host:port/db",
            GAMEDAY_PROMETHEUS_URL="ftp://me:hush-hush@host/?password=hush-hush",
        )
    )

    assert 4 == len(said.splitlines())
    assert "hush" not in said
    assert "1234567" not in said


def test_a_strange_variable_is_no_error_and_gets_the_nearest_name(tmp_path: Path) -> None:
    found = find({"GAMEDAY_KUBE_CONTEXS": "a", "GAMEDAY_SANDBOX_FOLDER": "x"}, folder=tmp_path)

    assert {"GAMEDAY_KUBE_CONTEXS": "did you mean 'GAMEDAY_KUBE_CONTEXTS'?"} == found.unknown


# --- the state folder -------------------------------------------------------------------------


def test_a_tilde_is_the_home_folder_in_environment_and_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    write(tmp_path, '[store]\nstate = "~/drills"\n')

    assert tmp_path / "home/drills" == find({}, folder=tmp_path).settings.state
    assert tmp_path / "home/x" == find({"GAMEDAY_STATE": "~/x"}, folder=tmp_path).settings.state
    assert tmp_path / "home/.local/state/gameday" == Settings.from_environment({}).state


def test_a_relative_folder_counts_from_the_file_that_says_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "below").mkdir()
    write(tmp_path, '[store]\nstate = "drills"\n')
    monkeypatch.chdir(tmp_path / "below")

    assert tmp_path / "drills" == Settings.from_environment({}).state
    assert tmp_path / "below/x" == Settings.from_environment({"GAMEDAY_STATE": "x"}).state


@pytest.mark.parametrize("name", ["a?b", "a%41", "a b", "a#b", "a@b:c", "100%", "ä?x=%2F&y"])
def test_the_store_is_in_the_state_folder_whatever_that_is_called(
    tmp_path: Path, name: str
) -> None:
    from gameday.drivers.database import Database

    settings = Settings.from_environment({"GAMEDAY_STATE": str(tmp_path / name)})
    Database(settings.database_url).close()

    assert [tmp_path / name] == list(tmp_path.iterdir())
    assert (tmp_path / name / "gameday.db").is_file()
    assert str(tmp_path / name / "gameday.db") == sa.make_url(settings.database_url).database


# --- handed down ------------------------------------------------------------------------------


def test_a_process_of_ours_gets_the_very_same_settings(tmp_path: Path) -> None:
    write(
        tmp_path,
        """
[store]
state = "drills"
[run]
lease = "2500ms"
[kube]
contexts = []
namespaces = ["a", "b*"]
[service]
stop_drills = true
pagerduty_webhook_secret = ["one", "two"]
[drill_pager]
slack_url = "https://hooks.example/secret"
""",
    )
    found = find({"GAMEDAY_KUBE_CONTEXT": "staging"}, folder=tmp_path).settings

    told = handed_down(found)
    write(tmp_path, "no toml at all")

    assert found == find(told, folder=tmp_path).settings


def test_reading_the_page_loads_no_library_until_settings_are_read() -> None:
    script = "import gameday.settings, sys; print('pydantic_settings' in sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=REPOSITORY_ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert "False" == done.stdout.strip()
