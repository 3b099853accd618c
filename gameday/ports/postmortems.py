"""The store as postmortems use it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gameday.model.postmortem import Postmortem


class PostmortemStore(Protocol):
    """Durable memory of postmortems. When a method returns, its write has been committed."""

    def put_postmortem(self, postmortem: Postmortem, *, known: Postmortem | None) -> bool:
        """Write one in place of the one that is known; return whether it was written.

        It is not where the store has another one by now: somebody else was faster.

        Args:
            known: None: there is none yet.
        """

    def postmortem(self, id: str) -> Postmortem | None:
        """Return one, or None where there is none of this id."""

    def postmortems(self, *, limit: int = 1000) -> Sequence[Postmortem]:
        """Return postmortems, the one that was over last first."""
