"""What a drill sets off in a cluster: its pods, watched, and whose they are.

The API server pushes what happens, so that the watch costs it little and goes on when it is
flooded; a list is asked for only at the beginning, after a gap, and of owners whose pods move.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from threading import Event, Lock, Thread

from gameday.drivers.kubernetes.changes import Listing, WatchEvent, WatchEventType
from gameday.drivers.kubernetes.cluster import Cluster
from gameday.drivers.kubernetes.owners import PodOwner, owners_of
from gameday.drivers.kubernetes.pod_book import PodBook
from gameday.drivers.kubernetes.refusals import Forbidden
from gameday.errors import DriverError, TemporaryDriverError
from gameday.model.effects import OwnerEffects

__all__ = ["ClusterEffects"]

OWNERS_EVERY = timedelta(seconds=2)
"""How often owners are asked what they want, while pods of theirs are made."""

POLL_EVERY = timedelta(seconds=2)
"""How often pods are listed where they may not be watched."""

UNHEARD = timedelta(seconds=30)
"""How long nothing may be heard: an API server that is well ends each watch after ten seconds
(`WATCH_SLICE`), and has ten more to answer the next one."""


class ClusterEffects:
    """The pods of a cluster since a drill began; fulfils `gameday.ports.EffectSource`."""

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Remember where; nothing is asked yet.

        Args:
            namespace: watched alone where the pods of the whole cluster may not be.
        """
        self._cluster = cluster
        self._namespace = namespace
        self._monotonic = monotonic
        self._book = PodBook()
        self._lock = Lock()
        self._stop = Event()
        self._heard_at = 0.0
        self._broken: DriverError | None = None

    async def begin(self) -> None:
        """Return once it is known which pods there are; from then on they are watched."""
        await asyncio.to_thread(self._begin)

    def seen(self) -> Sequence[OwnerEffects]:
        """Return what each owner has done since.

        Raises:
            DriverError: the API server has not been heard for `UNHEARD`, or says no.
        """
        if self._broken is not None:
            raise self._broken
        now = self._monotonic()
        silence = now - self._heard_at
        if silence > UNHEARD.total_seconds():
            raise TemporaryDriverError(
                f"what this drill sets off in {self._cluster.context!r} has not been seen for"
                f" {silence:.0f} s: its API server is not heard"
            )
        with self._lock:
            return self._book.effects(now)

    async def end(self) -> None:
        """Stop watching; a request that is under way ends by itself."""
        self._stop.set()

    # --- in threads ---------------------------------------------------------------------------

    def _begin(self) -> None:
        scope = ""
        try:
            there = self._cluster.listing("pods")
        except Forbidden:
            scope = self._namespace
            there = self._cluster.listing("pods", scope)
        self._hear(WatchEvent(WatchEventType.LISTED, there.items))
        self._ask_owners({self._namespace})
        for name, work in (
            ("effects-pods", lambda: self._follow(scope, there)),
            ("effects-owners", self._follow_owners),
        ):
            Thread(target=work, name=name, daemon=True).start()

    def _follow(self, scope: str, there: Listing) -> None:
        since: Listing | None = there
        while not self._stop.is_set():
            try:
                for change in self._changes(scope, since):
                    self._hear(change)
            except TemporaryDriverError:
                since = None  # list afresh; how long it has been silent is looked at in `seen`
            except DriverError as problem:
                self._broken = problem
                return

    def _changes(self, scope: str, since: Listing | None) -> Iterator[WatchEvent]:
        """Yield what happens to pods; where they may not be watched, list them again and again."""
        try:
            yield from self._cluster.watch(
                "pods", scope, stop=self._stop, since=since, on_answer=self._answered
            )
        except Forbidden:
            while not self._stop.wait(POLL_EVERY.total_seconds()):
                yield WatchEvent(WatchEventType.LISTED, self._cluster.list("pods", scope))

    def _hear(self, change: WatchEvent) -> None:
        self._answered()
        with self._lock:
            self._book.hear(change, self._heard_at)

    def _answered(self) -> None:
        self._heard_at = self._monotonic()

    def _follow_owners(self) -> None:
        while not self._stop.wait(OWNERS_EVERY.total_seconds()):
            with self._lock:
                moving = self._book.moving()
            self._ask_owners(moving)

    def _ask_owners(self, namespaces: set[str]) -> None:
        for namespace in sorted(namespaces):
            found: list[PodOwner] = []
            # What may not be read, or is not answered now, is not known: it had what it had.
            with suppress(DriverError):
                found = list(owners_of(self._cluster, namespace))
            with self._lock:
                self._book.know(namespace, found)
