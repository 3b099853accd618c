"""The Services of a cluster that are reached through its API server."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gameday.errors import DriverError

if TYPE_CHECKING:
    # The client library takes a moment to load, and most systems need none.
    from gameday.drivers.kubernetes import Cluster
    from gameday.drivers.kubernetes.door import ServiceDoor

__all__ = ["Doors", "named_in_errors"]


class Doors:
    """Services of one cluster, each behind a loopback address from its first use until `close`."""

    def __init__(self, cluster: Cluster) -> None:
        """Open nothing yet."""
        self._cluster = cluster
        self._open: dict[tuple[str, bool], ServiceDoor] = {}
        # One for all of them: a browser keeps one for the whole host, whatever the port.
        self._token = secrets.token_hex(32)

    def url(self, service: str, *, is_readable: bool) -> str:
        """Return the address of a Service, ``NAMESPACE/NAME:PORT``.

        Args:
            is_readable: whether a responder and a browser get to what only reads there. They must
                not where a fault could be read.
        """
        from gameday.drivers.kubernetes.door import ServiceDoor
        from gameday.http.guard import PROMETHEUS_READS, PYROSCOPE_READS

        key = (service, is_readable)
        if key not in self._open:
            namespace, _, rest = service.partition("/")
            name, _, port = rest.partition(":")
            self._open[key] = ServiceDoor(
                self._cluster,
                namespace=namespace,
                service=name,
                port=port,
                token=self._token,
                reads=(*PROMETHEUS_READS, *PYROSCOPE_READS) if is_readable else (),
                is_readable=is_readable,
            )
        return self._open[key].url

    def close(self) -> None:
        """Close all of them; blocks for a moment."""
        if not self._open:
            return
        with ThreadPoolExecutor(len(self._open)) as closing:  # each of them takes its moment
            for door in self._open.values():
                closing.submit(door.close)
        self._open.clear()


@contextmanager
def named_in_errors(service: str | None, url: str) -> Iterator[None]:
    """Let an error that comes of this context name a Service, and not the door to it.

    That address is for this process alone, and nothing at which anybody could look.
    """
    try:
        yield
    except DriverError as error:
        if service and url:
            # In place: what else an error of its kind carries stays with it.
            error.args = (str(error).replace(url, f"the Service {service}"), *error.args[1:])
        raise
