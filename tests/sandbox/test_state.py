"""The file that says where the sandbox is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from gameday.process import ProcessId
from gameday.sandbox import state
from gameday.sandbox.state import SandboxState


def a_state(folder: Path, **changes: object) -> SandboxState:
    values: dict[str, object] = {
        **ProcessId.own().to_json(),
        "started_at": datetime(2026, 5, 1, tzinfo=UTC),
        "time_scale": 60.0,
        "folder": str(folder),
        "token": "t",
        "repository": str(folder / "repository"),
    }
    for name in ("edge", "prometheus", "alertmanager", "store", "proxy", "control"):
        values[f"{name}_url"] = f"http://127.0.0.1/{name}"
    return SandboxState.model_validate(values | changes)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    expected = a_state(tmp_path)

    path = state.write(expected)

    assert tmp_path / "sandbox.json" == path
    assert expected == state.read(tmp_path)
    assert [path] == list(tmp_path.iterdir())


def test_where_no_sandbox_was_there_is_no_state(tmp_path: Path) -> None:
    assert state.read(tmp_path) is None
    assert state.read(tmp_path / "nowhere") is None


def test_a_removed_state_is_gone_and_removing_again_is_fine(tmp_path: Path) -> None:
    state.write(a_state(tmp_path))

    state.remove(tmp_path)
    state.remove(tmp_path)

    assert state.read(tmp_path) is None


def test_a_file_of_another_version_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "sandbox.json").write_text('{"pid": 1}')

    assert state.read(tmp_path) is None


def test_a_process_that_took_over_the_number_is_not_the_supervisor(tmp_path: Path) -> None:
    assert a_state(tmp_path).is_alive()
    assert not a_state(tmp_path, born="an hour ago").is_alive()


def test_the_folder_comes_from_the_environment(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}

    assert tmp_path / "sandbox" == state.default_folder({"GAMEDAY_STATE": str(tmp_path)})
    assert tmp_path / "gameday" / "sandbox" == state.default_folder(
        {"XDG_STATE_HOME": str(tmp_path)} | home
    )
    assert ("gameday", "sandbox") == state.default_folder(home).parts[-2:]
