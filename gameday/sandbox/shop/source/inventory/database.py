"""Connections to the stock database."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from chassis import telemetry
from chassis.errors import Unavailable

TIMEOUT_SECONDS = 4.0

T = TypeVar("T")


class Connection(psycopg.Connection[Any]):
    """A connection whose every answer has to come within `TIMEOUT_SECONDS`."""

    def wait(
        self, gen: Generator[Any, Any, T], interval: float = 0.0, timeout: float | None = None
    ) -> T:
        deadline = time.monotonic() + (timeout or TIMEOUT_SECONDS)
        fileno = self.pgconn.socket
        try:
            wanted = next(gen)
            while True:
                poller = select.poll()
                poller.register(
                    fileno,
                    (select.POLLIN if wanted & 1 else 0) | (select.POLLOUT if wanted & 2 else 0),
                )
                events = poller.poll(max(0.0, deadline - time.monotonic()) * 1000)
                if not events:
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"no answer within {TIMEOUT_SECONDS:g} s")
                seen = events[0][1]
                ready = (1 if seen & ~select.POLLOUT else 0) | (2 if seen & select.POLLOUT else 0)
                wanted = gen.send(ready & wanted or wanted)
        except StopIteration as done:
            result: T = done.value
            return result


def open_pool(url: str) -> ConnectionPool[Connection]:
    """Return a pool of connections that is ready to use or gets ready by itself."""
    return ConnectionPool(
        url,
        connection_class=Connection,
        kwargs={"autocommit": True, "connect_timeout": 4},
        # A pool grows by one connection at a time, each of which takes a round trip: too late
        # for those who wait when the database takes longer to answer.
        min_size=24,
        max_size=32,
        timeout=TIMEOUT_SECONDS,
        num_workers=6,
        reconnect_timeout=20,
        max_idle=120,
        open=True,
    )


class Database:
    """The database in use: the primary or the standby."""

    def __init__(self, urls: Mapping[str, str], role: str) -> None:
        self._urls = dict(urls)
        self._lock = threading.Lock()
        self._role = role
        self._pool = open_pool(self._urls[role])
        for code in ("ok", "none"):
            telemetry.CALLED.labels("db", code)

    def wait_ready(self, seconds: float) -> None:
        """Return when the first connections are open, or after this long."""
        # Not the pool's own wait: that closes the pool for good when its time is over.
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._pool.get_stats().get("pool_available", 0) >= self._pool.min_size:
                return
            time.sleep(0.05)

    def use(self, role: str) -> str:
        """Send everything from now on to the database in this role; return the role."""
        if role not in self._urls:
            raise ValueError(f"role {role!r} is not one of {sorted(self._urls)}")
        with self._lock:
            if role == self._role:
                return role
            pool = open_pool(self._urls[role])
            try:
                with pool.connection(timeout=TIMEOUT_SECONDS):
                    pass
            except PoolTimeout:
                pool.close(timeout=0)
                raise ValueError(f"the {role} does not answer") from None
            old, self._pool, self._role = self._pool, pool, role
        # Requests under way keep their connections; those still waiting for one come back
        # with an error, which is as good an answer as they would have got.
        threading.Thread(target=old.close, kwargs={"timeout": 0}, daemon=True).start()
        return role

    def fetch(self, name: str, query: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        """Return the rows of one statement; `Unavailable` where the database does not answer."""
        watch = telemetry.Stopwatch()
        code = "none"
        attributes = {"db.system.name": "postgresql", "db.namespace": "shop"}
        with telemetry.calling(name, "db", **attributes, **{"db.query.text": query}) as span:
            try:
                with self._pool.connection() as connection:
                    rows = connection.execute(query, parameters).fetchall()
                code = "ok"
                return rows
            except psycopg.Error as error:
                span.set_attribute("error.type", type(error).__name__)
                raise Unavailable(f"no answer from the database: {error}") from error
            finally:
                telemetry.CALLED.labels("db", code).observe(
                    watch.seconds(), {"trace_id": telemetry.current_trace_id()}
                )

    def close(self) -> None:
        """Close all connections."""
        self._pool.close(timeout=1)
