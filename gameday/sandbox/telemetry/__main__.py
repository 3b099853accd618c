"""``python -m gameday.sandbox.telemetry --port N``: run the process, on loopback by default."""

from __future__ import annotations

import argparse
import os
import re
from datetime import timedelta

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours"}


def _duration(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,6})([smh])", text)
    if found is None or not int(found[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 20m, 90s or 1h")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def main() -> None:
    """Serve until a signal ends the process."""
    parser = argparse.ArgumentParser(prog="python -m gameday.sandbox.telemetry")
    parser.add_argument("--port", type=int, required=True)
    # What the shop tells about itself is for this machine only; in a pod, for its cluster.
    parser.add_argument("--host", default="127.0.0.1", help="where it listens")
    parser.add_argument("--retention", type=_duration, default=timedelta(minutes=20))
    parser.add_argument("--memory-mb", type=int, default=400)
    options = parser.parse_args()

    import uvicorn

    from gameday.http.guard import PYROSCOPE_READS
    from gameday.sandbox.guard import TOKEN, TokenGuard
    from gameday.sandbox.telemetry.app import create_app

    stores = create_app(retention=options.retention, memory_bytes=options.memory_mb * 1_000_000)
    app = TokenGuard(
        stores,
        token=os.environ.get(TOKEN, ""),
        is_readable=True,
        reads=PYROSCOPE_READS,
        pushes=("/v1/traces", "/push.v1.PusherService/"),
    )
    uvicorn.run(
        app,
        host=options.host,
        port=options.port,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    main()
