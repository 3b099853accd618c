"""Start PostgreSQL with the shop's stock in a pod: ``python -m gameday.sandbox.pods database``.

It lets in whoever reaches it: the stock is invented, lives as long as the pod, and a cluster's own
network is where it listens.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from gameday.sandbox.supervisor import database


def main(options: Sequence[str]) -> None:
    """Make the data folder where it is missing, and become the server.

    Raises:
        PermanentDriverError: PostgreSQL is missing, or refuses.
    """
    parser = argparse.ArgumentParser(prog="python -m gameday.sandbox.pods database")
    parser.add_argument("--folder", type=Path, default=Path("/data/stock"))
    parser.add_argument("--port", type=int, default=5432)
    chosen = parser.parse_args(options)
    if not chosen.folder.exists():
        database.make(chosen.folder.parent, (chosen.folder.name,), password="")
    server = database.server("database", chosen.folder, chosen.port, host="*")
    os.chdir(chosen.folder)
    os.execv(server.argv[0], server.argv)
