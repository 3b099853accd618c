"""Deploy markers, as Grafana's annotations API keeps them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import time_ns
from typing import Any

from gameday.sandbox.telemetry.intake import Refusal

_KEPT = 10_000
_MAX_MILLISECONDS = 1 << 52


@dataclass(frozen=True, slots=True)
class Annotation:
    """One marker on the time line; times in Unix milliseconds."""

    id: int
    time: int
    time_end: int
    tags: tuple[str, ...]
    text: str

    def to_json(self) -> dict[str, Any]:
        """Return it as Grafana's API writes it."""
        return {
            "id": self.id,
            "time": self.time,
            "timeEnd": self.time_end,
            "tags": list(self.tags),
            "text": self.text,
        }


class AnnotationStore:
    """The newest markers; deploys are rare, so they have no age limit."""

    def __init__(self, *, now: Callable[[], int] = time_ns) -> None:
        self._now = now
        self._held: deque[Annotation] = deque(maxlen=_KEPT)
        self._next = 1

    def __len__(self) -> int:
        return len(self._held)

    def add(self, document: object) -> Annotation:
        """Keep the annotation of a request's JSON; its time is now where none is given.

        Raises:
            Refusal: a field has the wrong shape, or text and tags are both missing.
        """
        if not isinstance(document, Mapping):
            raise Refusal("an annotation is a JSON object")
        text, tags = document.get("text", ""), document.get("tags") or []
        if not isinstance(text, str) or len(text) > 10_000:
            raise Refusal("text is not a text of at most 10000 characters")
        if (
            not isinstance(tags, list)
            or len(tags) > 50
            or not all(isinstance(tag, str) and len(tag) <= 500 for tag in tags)
        ):
            raise Refusal("tags is not a list of at most 50 texts")
        if not text and not tags:
            raise Refusal("an annotation needs a text or tags")
        time = _milliseconds(document.get("time"), "time") or self._now() // 10**6
        kept = Annotation(
            id=self._next,
            time=time,
            tags=tuple(tags),
            text=text,
            time_end=_milliseconds(document.get("timeEnd"), "timeEnd") or time,
        )
        self._next += 1
        self._held.append(kept)
        return kept

    def find(
        self,
        *,
        since: int | None = None,
        until: int | None = None,
        tags: Sequence[str] = (),
        match_any: bool = False,
        limit: int = 100,
    ) -> Sequence[Annotation]:
        """Return markers that overlap this span (ms) and bear the tags, newest first."""
        matches = any if match_any else all
        found = [
            a
            for a in self._held
            if (since is None or a.time_end >= since)
            and (until is None or a.time <= until)
            and (not tags or matches(tag in a.tags for tag in tags))
        ]
        return sorted(found, key=lambda a: (a.time, a.id), reverse=True)[:limit]

    def forget(self) -> None:
        """Drop everything."""
        self._held.clear()


def _milliseconds(value: object, name: str) -> int:
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _MAX_MILLISECONDS:
        raise Refusal(f"{name} is not an instant in Unix milliseconds")
    return value
