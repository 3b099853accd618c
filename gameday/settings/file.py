"""``gameday.toml``: where it is looked for, what stands in it, and on which line."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from gameday.errors import Problem, SpecError, UsageError

NAME = "gameday.toml"
LARGEST = 1 << 18
"""Bytes of a file that is read; no page of settings is that long."""

_AT_LINE = re.compile(r"at line ([0-9]+)")


@dataclass(frozen=True)
class SettingsFile:
    """One file of settings as it was read.

    Attributes:
        path: absolute; None where there is no file.
        tables: what it says, by table.
    """

    path: Path | None = None
    text: str = field(default="", repr=False)  # may hold secrets
    tables: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def shown(self) -> str:
        """Return its path as messages show it: relative where that is shorter to read."""
        if self.path is None:
            return NAME
        here = Path.cwd()
        return str(self.path.relative_to(here) if self.path.is_relative_to(here) else self.path)

    def line(self, *keys: str) -> int:
        """Return the 1-based line where a table or a key of a table begins; 0 where it is not."""
        return self._lines.get(keys, 0)

    @cached_property
    def _lines(self) -> Mapping[tuple[str, ...], int]:
        """Return where every table and every key of a table begins.

        The standard library's parser tells no positions. Statement by statement it does: the lines
        from one statement's beginning to the first end at which they can be read are a statement.
        """
        found: dict[tuple[str, ...], int] = {}
        lines = self.text.splitlines(keepends=True)
        header, start = "", 0
        while start < len(lines):
            for end in range(start + 1, len(lines) + 1):
                statement = "".join(lines[start:end])
                try:
                    said = tomllib.loads(header + statement)
                except tomllib.TOMLDecodeError:
                    continue
                if statement.lstrip().startswith("["):
                    header = statement
                for table, keys in said.items():
                    found.setdefault((table,), start + 1)
                    for key in keys if isinstance(keys, dict) else ():
                        found.setdefault((table, key), start + 1)
                start = end
                break
            else:
                break
        return found


def found_from(folder: Path) -> Path | None:
    """Return the nearest gameday.toml: in this folder, else upwards to the top of its repository.

    Outside of a repository only the folder itself is looked into, so that nobody's settings come
    from a folder that others can write to, such as the one above a home.
    """
    above = [folder, *folder.parents]
    top = next((place for place, at in enumerate(above) if (at / ".git").exists()), 0)
    return next((at / NAME for at in above[: top + 1] if (at / NAME).is_file()), None)


def read(path: Path, *, is_chosen: bool) -> SettingsFile:
    """Return what a file says.

    Args:
        is_chosen: whether somebody named this very file; one that was only found is believed only
            where nobody else can have written it.

    Raises:
        UsageError: it cannot be read, is too long, or is somebody else's.
        SpecError: it is no TOML.
    """
    try:
        if not is_chosen:
            _check_owner(path)
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(f"the settings {str(path)!r} cannot be read: {error.strerror}") from error
    if len(raw) > LARGEST:
        raise UsageError(f"the settings {str(path)!r} are longer than {LARGEST >> 10} KiB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        problem = Problem(str(path), line, "", "this is not UTF-8", "save it as UTF-8")
        raise SpecError([problem]) from error
    # Windows' ends of lines are the parser's business, and only one kind is a new line to us.
    text = text.replace("\r\n", "\n")
    found = SettingsFile(path, text)
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = _AT_LINE.search(str(error))
        line = int(at.group(1)) if at else text.count("\n") + 1
        said = str(error).partition(" (at ")[0]
        problem = Problem(found.shown, line, "", f"this is not TOML: {said}", "see toml.io")
        raise SpecError([problem]) from error
    return SettingsFile(path, text, tables)


def _check_owner(path: Path) -> None:
    about = path.stat()
    is_open = bool(about.st_mode & stat.S_IWOTH)
    if about.st_uid in (os.geteuid(), 0) and not is_open:
        return
    raise UsageError(
        f"the settings {str(path)!r} were found here, and the file"
        f" {'can be written by anybody' if is_open else 'belongs to somebody else'}: if you trust"
        f" it, say so with GAMEDAY_SETTINGS_FILE={path}, else go elsewhere or make it your own"
    )
