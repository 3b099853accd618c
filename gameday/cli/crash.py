"""What a command says when something happens that nobody thought of: a crash.

The traceback is for whoever mends it, and goes to a file; the terminal gets a sentence.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import traceback
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from gameday.errors import ExitCode, GamedayError

ISSUES = "https://github.com/gameday-dev/gameday/issues"
FOLDER = "crashes"


def crashed(defect: Exception, arguments: Sequence[str]) -> int:
    """Say what failed, where its traceback is kept and how to report it; return the exit code.

    Args:
        arguments: the command line; only the name of the command is told and kept, for the rest of
            it may be anybody's secret.
    """
    words = " ".join(["gameday", *(word for word in arguments[:1] if word.isalpha())])
    kept = _keep(defect, words)
    first = str(defect).strip().split("\n", 1)[0]
    what = f"{type(defect).__name__}: {first}" if first else type(defect).__name__
    where = f"send {kept}" if kept else "no file could be written, so send this sentence"
    with suppress(OSError, ValueError):  # nobody may be listening
        print(
            f"gameday: a mistake in gameday ended `{words}`: {what}. To report it, {where} to"
            f" {ISSUES}",
            file=sys.stderr,
        )
    return int(ExitCode.CRASHED)


def _keep(defect: Exception, words: str) -> Path | None:
    """Write the traceback where only its owner reads it; return the file, None where none can be.

    It stands in the state folder, or where that is not to be had, among the temporary files.
    """
    now = datetime.now(UTC)
    text = "".join(
        [
            f"{words}\n{now.isoformat()}\nPython {platform.python_version()}, {sys.platform}\n\n",
            *traceback.format_exception(defect),
        ]
    )
    for folder in (_state, lambda: Path(tempfile.gettempdir())):
        with suppress(OSError, GamedayError):
            place = folder()
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, path = tempfile.mkstemp(
                prefix=f"gameday-{now:%Y%m%d-%H%M%S}-", suffix=".txt", dir=place
            )
            with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
            return Path(path)
    return None


def _state() -> Path:
    from gameday.settings import Settings

    return Settings.from_environment().state / FOLDER
