"""A mistake in gameday itself, as whoever typed the command sees it."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gameday.cli.app import app, run
from gameday.cli.crash import crashed


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def breaking() -> Iterator[None]:
    """Have a command that does what nobody thought of."""
    commands = list(app.registered_commands)

    def breaks(word: str = "") -> None:
        raise KeyError("a key")

    app.command("breaks")(breaks)
    yield
    app.registered_commands[:] = commands


@pytest.mark.usefixtures("breaking")
def test_a_crash_is_one_sentence_and_70(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["breaks", "--word", "hunter2"])

    said = capsys.readouterr()
    [file] = (state / "crashes").iterdir()
    assert 70 == code
    assert "" == said.out
    assert said.err == (
        "gameday: a mistake in gameday ended `gameday breaks`: KeyError: 'a key'. To report it,"
        f" send {file} to https://github.com/gameday-dev/gameday/issues\n"
    )


@pytest.mark.usefixtures("breaking")
def test_the_traceback_is_for_its_owner_and_holds_no_argument(state: Path) -> None:
    run(["breaks", "--word", "hunter2"])

    [file] = (state / "crashes").iterdir()
    text = file.read_text(encoding="utf-8")
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    assert text.startswith("gameday breaks\n")
    assert 'raise KeyError("a key")' in text
    assert "hunter2" not in text


def test_without_a_state_folder_the_traceback_goes_to_the_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    assert 70 == crashed(ValueError("no"), ["runs"])

    assert f"send {tmp_path}/gameday-" in capsys.readouterr().err


def test_where_no_file_can_be_written_the_sentence_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file"))

    assert 70 == crashed(ValueError("no"), ["runs"])

    assert "no file could be written, so send this sentence" in capsys.readouterr().err


def test_commands_that_cannot_even_be_loaded_are_a_crash_too(state: Path) -> None:
    script = (
        "import sys; sys.modules['gameday.cli.app'] = None; sys.argv = ['gameday', 'runs'];"
        "from gameday.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert 70 == done.returncode
    assert done.stderr.startswith("gameday: a mistake in gameday ended `gameday runs`: ")
    assert "Traceback" not in done.stderr
