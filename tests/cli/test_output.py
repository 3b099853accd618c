"""What a command prints, and who reads it."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE

import pytest

from gameday.cli.output import Unwritable, lasting_streams, print_table, say

pytestmark = pytest.mark.served  # processes, pipes

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


def test_a_table_prints_what_stands_in_brackets(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("what",), [("gameday[sandbox]",), ("[red]",)], empty="")

    assert ["what", "gameday[sandbox]", "[red]"] == [
        line.strip() for line in capsys.readouterr().out.splitlines()
    ]
