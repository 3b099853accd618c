"""Free loopback ports."""

from __future__ import annotations

import random
import socket

from gameday.errors import PermanentDriverError

# Below the ports that Linux (32768–60999) and macOS (49152–65535) give to outgoing connections:
# a service that is down for a moment must find its port free when it comes back.
LOWEST, HIGHEST = 18000, 32000


def free_ports(count: int, *, rng: random.Random | None = None) -> list[int]:
    """Return different loopback ports that nobody listens on.

    Raises:
        PermanentDriverError: there are not that many.
    """
    candidates = list(range(LOWEST, HIGHEST))
    (rng or random.SystemRandom()).shuffle(candidates)
    ports: list[int] = []
    for port in candidates:
        if len(ports) == count:
            return ports
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
    raise PermanentDriverError(
        f"fewer than {count} free ports on 127.0.0.1 between {LOWEST} and {HIGHEST}:"
        " end what listens there and try again"
    )
