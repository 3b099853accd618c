"""What gameday keeps is its owner's alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from gameday import private
from gameday.drivers.database import Database
from gameday.house.run.announcement import announced
from gameday.house.run.opening import only_run, open_store
from gameday.settings import Settings


def mode(path: Path) -> str:
    return oct(stat.S_IMODE(path.stat().st_mode))


@pytest.fixture(autouse=True)
def _open_handed() -> Iterator[None]:
    """Have this process make files as most do: for everybody to read."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_a_folder_is_made_for_its_owner_with_every_parent_it_lacked(tmp_path: Path) -> None:
    private.folder(tmp_path / "a/b/c")

    assert ["0o700"] * 3 == [mode(tmp_path / p) for p in ("a", "a/b", "a/b/c")]


def test_a_folder_others_may_enter_is_closed_with_all_in_it_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "state"
    (folder / "inner").mkdir(parents=True, mode=0o755)
    (folder / "inner/file").write_text("x")
    (folder / "run").write_text("#!")
    (folder / "run").chmod(0o755)
    (folder / "link").symlink_to(tmp_path)
    before = mode(tmp_path)

    private.folder(folder)

    assert ["0o700", "0o700", "0o600", "0o700"] == [
        mode(folder / p) for p in (".", "inner", "inner/file", "run")
    ]
    assert before == mode(tmp_path)
    assert [f"{folder} could be entered by others: it is its owner's alone now"] == caplog.messages


def test_a_folder_that_is_closed_already_is_not_spoken_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    private.folder(tmp_path / "state")

    private.folder(tmp_path / "state")

    assert [] == caplog.messages


def test_everybodys_folder_stays_everybodys_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tmp_path.chmod(0o1777)

    private.folder(tmp_path)

    assert "0o1777" == mode(tmp_path)
    assert [
        f"{tmp_path} is not a folder of yours alone: set GAMEDAY_STATE to one that is"
    ] == caplog.messages


def test_a_file_is_its_owners_also_where_it_was_open_before(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("x")

    private.write_text(tmp_path / "old", "y")
    private.write_text(tmp_path / "new", "y")

    assert ["0o600", "0o600"] == [mode(tmp_path / n) for n in ("old", "new")]
    assert "y" == (tmp_path / "old").read_text()


def test_a_database_and_what_sqlite_puts_beside_it_are_their_owners(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/kept/gameday.db")
    try:
        found = {p.name: mode(p) for p in (tmp_path / "kept").iterdir()}
    finally:
        database.close()

    assert {"0o600"} == set(found.values())
    assert "gameday.db-wal" in found
    assert "0o700" == mode(tmp_path / "kept")


def test_a_run_leaves_nothing_in_the_state_folder_that_others_read(tmp_path: Path) -> None:
    settings = Settings.from_environment({"GAMEDAY_STATE": str(tmp_path / "state")})

    with (
        open_store(settings),
        only_run(settings, "sandbox"),
        announced(settings, "r1", "http://127.0.0.1:1", token="secret"),
    ):
        found = {p.name: mode(p) for p in (tmp_path / "state").rglob("*")}

    assert "0o700" == mode(tmp_path / "state")
    assert {"incidents": "0o700"} == {n: m for n, m in found.items() if m != "0o600"}
    assert {"gameday.db", "r1.json", "run-sandbox.lock"} <= set(found)
