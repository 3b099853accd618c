"""What each type of toxic does to the bytes of one direction of one connection.

A stage gets bytes (`feed`) and the end of the stream (`end`), and passes both to ``next``, later
or changed. The rules every stage keeps: order is kept; nothing is dropped that the toxic does not
drop by its nature; `release` (the toxic is removed) passes on at once whatever is held and never
waits; after `stop` (the connection is gone) nothing more happens.

Durations are milliseconds in attributes and seconds on the loop's clock.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping
from random import Random
from typing import ClassVar, Protocol

MEBIBYTE = 1 << 20


class Flow(Protocol):
    """Somewhere bytes can go."""

    def feed(self, data: bytes) -> None:
        """Take bytes."""

    def end(self) -> None:
        """Take note that no more bytes come."""


class Host(Protocol):
    """What a stage may ask of the connection it works on."""

    loop: asyncio.AbstractEventLoop
    rng: Random

    def cut(self, *, reset: bool) -> None:
        """End the connection on both sides; ``reset`` sends RST instead of FIN."""

    def settle(self) -> None:
        """Look again at how much is held: reading may pause or go on."""


class Stage(ABC):
    """One toxic at work."""

    capacity: ClassVar[int] = 64 * 1024
    """Bytes held beyond which the sender is made to wait, as a full socket buffer would."""

    next: Flow

    def __init__(self, attributes: Mapping[str, int], host: Host) -> None:
        self.attributes = attributes
        self.host = host
        self.held = 0
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False

    @abstractmethod
    def feed(self, data: bytes) -> None:
        """Take bytes."""

    def end(self) -> None:
        """Take note that no more bytes come."""
        self.next.end()

    def retune(self, attributes: Mapping[str, int]) -> None:
        """Go on with other attributes."""
        self.attributes = attributes

    def release(self) -> None:
        """Pass on whatever is held, now: the toxic has been removed."""
        self._disarm()

    def stop(self) -> None:
        """Do nothing any more: the connection is gone."""
        self._stopped = True
        self._disarm()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wake_at(self, instant: float) -> None:
        self._disarm()
        if not self._stopped:
            self._timer = self.host.loop.call_at(instant, self._awake)

    def _awake(self) -> None:
        self._timer = None
        self._due()
        self.host.settle()

    def _due(self) -> None:  # noqa: B027  # most stages set no timer
        """Do what the timer was set for."""


class Queue(Stage):
    """A stage that sends chunks at instants of its own choosing, in order."""

    def __init__(self, attributes: Mapping[str, int], host: Host) -> None:
        super().__init__(attributes, host)
        self._queue: deque[tuple[float, float, bytes | None]] = deque()  # arrived, due, data
        self._last_due = 0.0

    def _put(self, arrived: float, due: float, data: bytes | None) -> None:
        # Never before an earlier chunk: TCP keeps order whatever the jitter says.
        self._last_due = max(due, self._last_due)
        self._queue.append((arrived, self._last_due, data))
        self.held += len(data or b"")
        if len(self._queue) == 1:
            self._due()

    def end(self) -> None:
        now = self.host.loop.time()
        self._put(now, now, None)

    def _due(self) -> None:
        while self._queue and self._queue[0][1] <= self.host.loop.time():
            self._send()
        if self._queue and self._timer is None:
            self._wake_at(self._queue[0][1])

    def _send(self) -> None:
        _, _, data = self._queue.popleft()
        if data is None:
            self.next.end()
        else:
            self.held -= len(data)
            self.next.feed(data)

    def release(self) -> None:
        super().release()
        while self._queue:
            self._send()

    def stop(self) -> None:
        super().stop()
        self._queue.clear()

    def _take_back(self) -> deque[tuple[float, float, bytes | None]]:
        """Return everything held and hold nothing, so that it can be planned anew."""
        waiting, self._queue = self._queue, deque()
        self.held = 0
        self._last_due = 0.0
        self._disarm()
        return waiting


class Latency(Queue):
    """Delays every chunk by ``latency`` ± ``jitter``, pipelined: chunks wait side by side."""

    capacity = 16 * MEBIBYTE  # what is under way in a long pipe is not a full buffer

    def _delay(self) -> float:
        jitter = self.attributes["jitter"]
        offset = self.host.rng.uniform(-jitter, jitter) if jitter else 0.0
        return max(0.0, self.attributes["latency"] + offset) / 1000

    def feed(self, data: bytes) -> None:
        now = self.host.loop.time()
        self._put(now, now + self._delay(), data)

    def retune(self, attributes: Mapping[str, int]) -> None:
        super().retune(attributes)
        for arrived, _, data in self._take_back():
            due = arrived if data is None else arrived + self._delay()
            self._put(arrived, due, data)


class Bandwidth(Queue):
    """Lets ``rate`` × 1000 bytes per second through, in pieces of at most a tenth of a second."""

    def feed(self, data: bytes) -> None:
        now = self.host.loop.time()
        rate = self.attributes["rate"] * 1000
        if rate == 0:
            self._put(now, now, data)
            return
        piece = max(1, rate // 10)
        for start in range(0, len(data), piece):
            part = data[start : start + piece]
            self._put(now, max(now, self._last_due) + len(part) / rate, part)

    def retune(self, attributes: Mapping[str, int]) -> None:
        super().retune(attributes)
        for _, _, data in self._take_back():
            if data is None:
                self.end()
            else:
                self.feed(data)


class Slicer(Queue):
    """Cuts chunks into slices of about ``average_size`` and waits ``delay`` µs after each."""

    def __init__(self, attributes: Mapping[str, int], host: Host) -> None:
        super().__init__(attributes, host)
        self._free_at = 0.0

    def feed(self, data: bytes) -> None:
        now = self.host.loop.time()
        average = max(1, self.attributes["average_size"])
        variation = min(self.attributes["size_variation"], average - 1)
        start = 0
        while start < len(data):
            size = average + (self.host.rng.randint(-variation, variation) if variation else 0)
            due = max(now, self._free_at)
            self._put(now, due, data[start : start + size])
            self._free_at = due + self.attributes["delay"] / 1e6
            start += size


class SlowClose(Stage):
    """Passes bytes at once and the end of the stream ``delay`` ms late."""

    def __init__(self, attributes: Mapping[str, int], host: Host) -> None:
        super().__init__(attributes, host)
        self._ended_at: float | None = None

    def feed(self, data: bytes) -> None:
        self.next.feed(data)

    def end(self) -> None:
        self._ended_at = self.host.loop.time()
        self._wake_at(self._ended_at + self.attributes["delay"] / 1000)

    def retune(self, attributes: Mapping[str, int]) -> None:
        super().retune(attributes)
        if self._ended_at is not None:
            self._wake_at(self._ended_at + attributes["delay"] / 1000)

    def _due(self) -> None:
        self._ended_at = None
        self.next.end()

    def release(self) -> None:
        super().release()
        if self._ended_at is not None:
            self._due()


class Timeout(Stage):
    """Lets nothing through; ends the connection ``timeout`` ms after the last bytes, 0: never."""

    def __init__(self, attributes: Mapping[str, int], host: Host) -> None:
        super().__init__(attributes, host)
        self._arm()

    def _arm(self) -> None:
        self._disarm()
        if self.attributes["timeout"]:
            self._wake_at(self.host.loop.time() + self.attributes["timeout"] / 1000)

    def feed(self, data: bytes) -> None:
        self._arm()

    def retune(self, attributes: Mapping[str, int]) -> None:
        super().retune(attributes)
        self._arm()

    def _due(self) -> None:
        self.host.cut(reset=False)

    def release(self) -> None:
        # Bytes are missing from the stream by now, so the connection cannot be given back.
        super().release()
        self.host.cut(reset=False)


class ResetPeer(Stage):
    """Resets the connection ``timeout`` ms after the first bytes (or the end) come by."""

    def __init__(self, attributes: Mapping[str, int], host: Host) -> None:
        super().__init__(attributes, host)
        self._since: float | None = None
        self._waiting: list[bytes] = []
        self._ended = False

    def feed(self, data: bytes) -> None:
        self._waiting.append(data)
        self.held += len(data)
        self._begin()

    def end(self) -> None:
        self._ended = True
        self._begin()

    def _begin(self) -> None:
        if self._since is None:
            self._since = self.host.loop.time()
            self.retune(self.attributes)

    def retune(self, attributes: Mapping[str, int]) -> None:
        super().retune(attributes)
        if self._since is None:
            return
        if attributes["timeout"]:
            self._wake_at(self._since + attributes["timeout"] / 1000)
        else:
            self._due()

    def _due(self) -> None:
        self.host.cut(reset=True)

    def release(self) -> None:
        super().release()
        waiting, self._waiting, self.held = self._waiting, [], 0
        for data in waiting:
            self.next.feed(data)
        if self._ended:
            self.next.end()


class LimitData(Stage):
    """Lets ``bytes`` bytes through, then ends the connection."""

    def __init__(self, attributes: Mapping[str, int], host: Host) -> None:
        super().__init__(attributes, host)
        self._passed = 0

    def feed(self, data: bytes) -> None:
        left = max(0, self.attributes["bytes"] - self._passed)
        if data[:left]:
            self.next.feed(data[:left])
            self._passed += len(data[:left])
        if self._passed >= self.attributes["bytes"]:
            self.host.cut(reset=False)


class Noop(Stage):
    """Changes nothing: for whoever wants to see that a toxic is there."""

    def feed(self, data: bytes) -> None:
        self.next.feed(data)


STAGES: Mapping[str, type[Stage]] = {
    "latency": Latency,
    "bandwidth": Bandwidth,
    "slow_close": SlowClose,
    "timeout": Timeout,
    "reset_peer": ResetPeer,
    "slicer": Slicer,
    "limit_data": LimitData,
    "noop": Noop,
}
"""Which stage does the work of which toxic type."""
