"""``python -m gameday.cli.sentinel``: the process that watches over a run; a run starts it."""

import sys

from gameday.house.processes.sentinel import Ends, main
from gameday.house.run.endings import end, prepare
from gameday.house.run.opening import open_store

if __name__ == "__main__":
    sys.exit(main(Ends(open_store=open_store, prepare=prepare, end=end)))
