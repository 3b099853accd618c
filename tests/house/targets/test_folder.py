"""Files that are written together stand there together, or none does."""

from __future__ import annotations

from pathlib import Path

import pytest

from gameday.errors import UsageError
from gameday.house.targets.folder import write_all

TEXTS = {"systems/a.yaml": "one\n", "slos/b.yaml": "two\n"}


def everything(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text() if path.is_file() else ""
        for path in sorted(folder.rglob("*"))
    }


def test_all_are_written_with_the_folders_they_need(tmp_path: Path) -> None:
    write_all(tmp_path / "new", TEXTS)

    assert {"slos": "", "slos/b.yaml": "two\n", "systems": "", "systems/a.yaml": "one\n"} == (
        everything(tmp_path / "new")
    )


def test_a_file_that_is_there_keeps_all_from_being_written(tmp_path: Path) -> None:
    (tmp_path / "slos").mkdir()
    (tmp_path / "slos/b.yaml").write_text("mine\n")

    with pytest.raises(UsageError, match=r"slos/b\.yaml is there already; --force"):
        write_all(tmp_path, TEXTS)

    assert {"slos": "", "slos/b.yaml": "mine\n"} == everything(tmp_path)


def test_a_link_that_leads_nowhere_is_there_too(tmp_path: Path) -> None:
    (tmp_path / "slos").mkdir()
    (tmp_path / "slos/b.yaml").symlink_to("nowhere")

    with pytest.raises(UsageError, match="there already"):
        write_all(tmp_path, TEXTS)

    assert not (tmp_path / "slos/nowhere").exists()


def test_by_force_what_is_there_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "slos").mkdir()
    (tmp_path / "slos/b.yaml").write_text("mine\n")

    write_all(tmp_path, TEXTS, force=True)

    assert "two\n" == (tmp_path / "slos/b.yaml").read_text()


@pytest.mark.parametrize("force", [False, True])
def test_where_one_cannot_be_written_all_is_as_before(tmp_path: Path, force: bool) -> None:
    (tmp_path / "systems").mkdir()
    if force:
        (tmp_path / "systems/a.yaml").write_text("mine\n")
    (tmp_path / "slos").write_text("a file where a folder should be\n")
    before = everything(tmp_path)

    with pytest.raises(UsageError, match="nothing was written"):
        write_all(tmp_path, TEXTS, force=force)

    assert before == everything(tmp_path)


def test_folders_that_were_made_go_again_where_nothing_was_written(tmp_path: Path) -> None:
    texts = {**TEXTS, f"runbooks/{'x' * 300}.md": "a name that no file may have"}

    with pytest.raises(UsageError, match="nothing was written"):
        write_all(tmp_path / "new", texts)

    assert not (tmp_path / "new").exists()
