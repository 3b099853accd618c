"""Bash's own judgement of a script: it reads it and runs nothing of it (``bash -n``)."""

from __future__ import annotations

import re
import shutil
import subprocess

from gameday.errors import PermanentDriverError

__all__ = ["Bash"]

_SAID = re.compile(r"line (?P<line>\d+): (?P<what>.*)")
_LONGEST_WAIT_SECONDS = 10


class Bash:
    """The bash that is installed."""

    def __init__(self, program: str = "bash") -> None:
        self._program = shutil.which(program)

    def is_installed(self) -> bool:
        """Return whether there is one."""
        return self._program is not None

    def fault(self, script: str) -> tuple[int, str] | None:
        """Return the line (1-based) that bash cannot read and what it says; None: it can.

        Raises:
            PermanentDriverError: there is no bash, or it cannot be run.
        """
        if self._program is None:
            raise PermanentDriverError("bash is not installed; commands cannot be read without it")
        try:
            done = subprocess.run(
                [self._program, "--noprofile", "--norc", "-n"],
                input=script.encode("utf-8", "replace"),
                capture_output=True,
                # Nothing of the environment: BASH_ENV names a file that would be run.
                env={"LC_ALL": "C"},
                timeout=_LONGEST_WAIT_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise PermanentDriverError(f"bash cannot be run: {error}") from error
        if not done.returncode:
            return None
        said = done.stderr.decode("utf-8", "replace").strip().split("\n")
        found = next((m for line in said if (m := _SAID.search(line))), None)
        if found is None:
            return 1, said[0] or "it says nothing"
        last = script.count("\n") + 1
        return min(int(found["line"]), last), found["what"]
