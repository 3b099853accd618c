"""What a command prints, and who reads it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from subprocess import PIPE

import pytest

from gameday.cli.output import Unwritable, lasting_streams, print_table, say
from gameday.house.run.opening import open_store
from gameday.settings import Settings, StoreSettings
from gameday.testing.results import run_result
from scoring.verdict import RunVerdict

pytestmark = pytest.mark.served  # processes, pipes

RUN = "20261123-1000-aaaa"
FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="no disk is always full here")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "gameday", *arguments]


def test_a_reader_that_has_enough_changes_neither_the_code_nor_what_is_said(
    tmp_path: Path,
) -> None:
    for number in range(200):
        (tmp_path / f"{number}.yaml").write_text("kind: Scenario\n")
    with subprocess.Popen(
        command("validate", str(tmp_path)), stdout=PIPE, stderr=PIPE, text=True
    ) as asked:
        assert asked.stdout is not None and asked.stderr is not None
        asked.stdout.close()
        said = asked.stderr.read()

    assert asked.returncode == 2
    assert said.startswith("200 files, ") and len(said.splitlines()) == 1


def test_nobody_has_to_listen() -> None:
    with subprocess.Popen(command("validate", "nowhere.yaml"), stdout=PIPE, stderr=PIPE) as asked:
        assert asked.stdout is not None and asked.stderr is not None
        asked.stdout.close()
        asked.stderr.close()

    assert asked.returncode == 2


@needs_full
def test_data_that_could_not_be_written_is_an_error() -> None:
    with FULL.open("w") as full:
        asked = subprocess.run(command("schema", "scenario"), stdout=full, stderr=PIPE, text=True)

    assert asked.returncode == 6
    assert asked.stderr == (
        "gameday: what it prints cannot be written: [Errno 28] No space left on device\n"
    )


@needs_full
def test_talk_goes_on_to_nowhere_and_data_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    out, talk = FULL.open("w"), FULL.open("w")
    with suppress(OSError), out, talk:
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", talk)

        with pytest.raises(Unwritable), lasting_streams():
            say("hello")
            print("data")


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}


def in_ascii(state: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Play a command on a terminal that knows only ASCII, where a run with an é is stored."""
    told = run_result(RunVerdict.PASSED, run=RUN, scenario="les clés … ✓")
    settings = Settings(store=StoreSettings(state=state))
    with open_store(settings) as store:
        store.open_run(RUN, scenario="é", target="t", started_at=datetime.now(UTC), documents={})
        store.close_run(RUN, ended_at=datetime.now(UTC), result=told)
    environment = {**os.environ, **ASCII, "GAMEDAY_STATE": str(state)}
    return subprocess.run(command(*arguments), capture_output=True, env=environment)


@pytest.mark.parametrize("arguments", [("show",), ("runs",)])
def test_a_terminal_that_knows_only_ascii_shows_every_letter_somehow(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    done = in_ascii(tmp_path, *arguments)

    assert (0, b"") == (done.returncode, done.stderr)
    assert done.stdout.isascii()
    assert b"\\xe9" in done.stdout


def test_json_is_json_in_ascii_as_well(tmp_path: Path) -> None:
    done = in_ascii(tmp_path, "show", "--json")

    assert "les clés … ✓" == json.loads(done.stdout)["scenario"]


def test_a_table_prints_what_stands_in_brackets(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("what",), [("gameday[sandbox]",), ("[red]",)], empty="")

    assert ["what", "gameday[sandbox]", "[red]"] == [
        line.strip() for line in capsys.readouterr().out.splitlines()
    ]
