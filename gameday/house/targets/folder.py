"""Files that are written all together or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from gameday.errors import UsageError

__all__ = ["write_all"]


def write_all(folder: Path, texts: Mapping[str, str], *, force: bool = False) -> None:
    """Write these files below a folder; where one of them cannot be, none is, and all is as before.

    Args:
        texts: by path below the folder; folders that are missing are made.
        force: write over files that are there.

    Raises:
        UsageError: a file is there already, or cannot be written.
    """
    paths = {folder / name: text for name, text in texts.items()}
    there = [path for path in paths if path.exists() or path.is_symlink()]
    if there and not force:
        raise UsageError(
            f"{', '.join(map(str, there))} {'is' if len(there) == 1 else 'are'} there already;"
            " --force writes over what is there, --dir names another folder"
        )
    made: list[Path] = []
    written: dict[Path, bytes | None] = {}
    try:
        for path, text in paths.items():
            made += _missing(path.parent)
            path.parent.mkdir(parents=True, exist_ok=True)
            before = path.read_bytes() if path.exists() else None
            _write(path, text, is_new=not force)
            written[path] = before
    except BaseException as error:
        _take_back(written, made)
        if isinstance(error, OSError):
            raise UsageError(
                f"nothing was written: {error.filename or folder}:"
                f" {error.strerror or type(error).__name__}"
            ) from error
        raise


def _missing(folder: Path) -> list[Path]:
    """Return the folders that have to be made for this one, the outermost first."""
    return [path for path in (folder, *folder.parents) if not path.exists()][::-1]


def _write(path: Path, text: str, *, is_new: bool) -> None:
    """Write a file whole: under another name, which then takes the place of the file's own."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with aside.open("x", encoding="utf-8") as file:
            file.write(text)
        if is_new:
            os.link(aside, path)  # fails where somebody was quicker
        else:
            aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _take_back(written: Mapping[Path, bytes | None], made: list[Path]) -> None:
    for path, before in written.items():
        with suppress(OSError):
            if before is None:
                path.unlink()
            else:
                path.write_bytes(before)
    for folder in reversed(made):
        with suppress(OSError):
            folder.rmdir()
