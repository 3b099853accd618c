"""One direction of one connection: the stages of its toxics, in the order they were added."""

from __future__ import annotations

from gameday.sandbox.proxy.stage import Flow, Stage


class Link:
    """A chain of stages that ends in an outlet.

    With no toxic at work the bytes go straight to the outlet.
    """

    def __init__(self, outlet: Flow) -> None:
        self._outlet = outlet
        self._head: Flow = outlet
        self._stages: dict[str, Stage] = {}
        self._ended = False

    def feed(self, data: bytes) -> None:
        """Take bytes from the sender."""
        if not self._ended:
            self._head.feed(data)

    def end(self) -> None:
        """Take note that the sender sends no more."""
        if not self._ended:
            self._ended = True
            self._head.end()

    def stage(self, toxic: str) -> Stage | None:
        """Return the stage of this toxic, or None where it does not apply here."""
        return self._stages.get(toxic)

    def insert(self, toxic: str, stage: Stage) -> None:
        """Put a stage at the end of the chain."""
        self._stages[toxic] = stage
        self._connect()

    def remove(self, toxic: str) -> None:
        """Take a stage out; what it holds goes on at once, before anything newer."""
        stage = self._stages.get(toxic)
        if stage is None:
            return
        # Released while still in its place, so that no newer chunk overtakes what it held.
        stage.release()
        self._stages.pop(toxic, None)
        self._connect()

    def stop(self) -> None:
        """Drop what is held: the connection is gone."""
        self._ended = True
        for stage in self._stages.values():
            stage.stop()
        self._stages.clear()

    def is_full(self) -> bool:
        """Return whether the sender should wait."""
        return any(stage.held > stage.capacity for stage in self._stages.values())

    def _connect(self) -> None:
        following: Flow = self._outlet
        for stage in reversed(self._stages.values()):
            stage.next = following
            following = stage
        self._head = following
