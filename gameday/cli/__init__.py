"""The command line: reads argv, asks the house, prints. Stdout is data, stderr is talk.

Nothing heavy is imported here or at the top of the command modules, so that ``gameday --help``
answers at once. Exit codes are decided in `main` and nowhere else.
"""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Run the command line and exit with the code its outcome has."""
    try:
        from gameday.cli.app import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        # Before a run has begun there is nothing to recover; a run handles its own interruption.
        print("interrupted", file=sys.stderr)
        code = 130
    except Exception as defect:  # noqa: BLE001 - not even the commands could be loaded
        from gameday.cli.crash import crashed

        code = crashed(defect, sys.argv[1:])
    # What is left is the interpreter's own end: one more Ctrl-C there would kill it half-way and
    # take the exit code along.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(code)
