"""Start a part of the shop in a pod: ``python -m gameday.sandbox.pods PART [OPTIONS]``."""

from __future__ import annotations

import importlib
import sys

from gameday.errors import GamedayError

PARTS = ("service", "database", "mailbox", "discovery", "releases")


def main() -> int:
    """Read the command line and become the part it names."""
    name, *options = sys.argv[1:] or [""]
    if name not in PARTS:
        print(f"no part {name!r}: choose one of {', '.join(PARTS)}", file=sys.stderr)
        return 2
    try:
        # Only the one: a service has no use for what the mailbox needs, and starts in a hurry.
        importlib.import_module(f"gameday.sandbox.pods.{name}").main(options)
    except GamedayError as error:
        print(str(error), file=sys.stderr)
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
