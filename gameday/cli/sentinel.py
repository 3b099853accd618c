"""``python -m gameday.cli.sentinel``: the process that watches over a run; a run starts it."""

import sys

from gameday.house.processes.sentinel import main

if __name__ == "__main__":
    sys.exit(main())
