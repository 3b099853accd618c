"""Runs one command, and ends it with all that it started when whoever asked for it is gone.

A program of its own, run by its path with nothing but the standard library, so that it is there in
a moment: ``python -I -S _command_guard.py REPORT PROGRAM ARGUMENT…``. Its standard input is a pipe
that only gameday's end keeps open. When that is killed, whatever it had under way must not go on
while the sentinel takes it back; what a command has left running when it ended well is its work,
and stays.

It ends as the command ended, or by the command's own signal. Where the command cannot be run at
all, the reason goes to the file descriptor REPORT.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress


def main(report: int, command: list[str]) -> int:
    """Run a command to its end, or until standard input ends; return its exit code."""
    os.set_inheritable(report, False)
    try:
        # A session of its own: what ends it ends all that it started.
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    except (OSError, ValueError) as error:
        os.write(report, str(error).encode(errors="replace"))
        return 1
    os.close(report)
    threading.Thread(target=_end_with, args=(process,), daemon=True).start()
    code = process.wait()
    if code < 0:
        with suppress(OSError, ValueError):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


def _end_with(process: subprocess.Popen[bytes]) -> None:
    # Not through sys.stdin: its lock would be held when the interpreter ends.
    while os.read(0, 4096):
        pass
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]), sys.argv[2:]))
