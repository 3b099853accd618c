"""Start PostgreSQL with the shop's stock in a pod: ``python -m gameday.sandbox.pods database``.

It lets in whoever reaches it: the stock is invented, lives as long as the pod, and a cluster's own
network is where it listens.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Callable, Sequence
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
    ensure(chosen.folder)
    server = database.server("database", chosen.folder, chosen.port, host="*")
    os.chdir(chosen.folder)
    os.execv(server.argv[0], server.argv)


def ensure(folder: Path, *, make: Callable[..., Sequence[Path]] = database.make) -> None:
    """Make a data folder where there is none; what has its name is whole.

    The volume outlives a container that is ended while it makes one, or whose initdb takes too
    long: with half of one, no later container would ever start.

    Raises:
        PermanentDriverError: PostgreSQL is missing, or refuses.
    """
    if folder.exists():
        return
    begun = folder.with_name(f"{folder.name}.begun")
    shutil.rmtree(begun, ignore_errors=True)
    (made,) = make(begun.parent, (begun.name,), password="")
    made.rename(folder)
