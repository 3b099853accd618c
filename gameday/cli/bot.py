"""``python -m gameday.cli.bot``: the process of the reference responder; a run starts it."""

import sys

from gameday.house.processes.bot import main

if __name__ == "__main__":
    sys.exit(main())
