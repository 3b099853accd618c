"""What every store of postmortems promises."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gameday.model.postmortem import Postmortem, PostmortemKind
from gameday.model.severity import IncidentSeverity
from gameday.ports import PostmortemStore

__all__ = ["OpensPostmortemStore", "PostmortemStoreContract"]

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)

OpensPostmortemStore = Callable[[], PostmortemStore]
"""A store under the contract, empty at first: opens the same one once more."""


class PostmortemStoreContract:
    """For a `gameday.ports.PostmortemStore`."""

    def test_a_postmortem_comes_back_unchanged_and_newest_first(
        self, subject: OpensPostmortemStore
    ) -> None:
        store = subject()
        first, second = _postmortem("a"), replace(_postmortem("b"), resolved_at=NOON + DAY)

        assert store.put_postmortem(first, known=None)
        assert store.put_postmortem(second, known=None)

        assert [second, first] == list(subject().postmortems())
        assert [second] == list(subject().postmortems(limit=1))
        assert first == subject().postmortem("a")
        assert subject().postmortem("c") is None

    def test_a_second_first_draft_is_not_written(self, subject: OpensPostmortemStore) -> None:
        store = subject()
        store.put_postmortem(_postmortem("a"), known=None)

        assert not store.put_postmortem(replace(_postmortem("a"), text="other"), known=None)

        assert _postmortem("a") == store.postmortem("a")

    def test_what_rests_on_a_version_that_is_gone_is_not_written(
        self, subject: OpensPostmortemStore
    ) -> None:
        store, first = subject(), _postmortem("a")
        newer = replace(first, text="newer", published_at=NOON, evidence=({"id": "f1"},))
        store.put_postmortem(first, known=None)

        assert store.put_postmortem(newer, known=first)
        assert not store.put_postmortem(replace(first, text="mine"), known=first)

        assert newer == store.postmortem("a")

    def test_of_many_who_write_the_first_draft_at_once_one_does(
        self, subject: OpensPostmortemStore
    ) -> None:
        subject()
        written: list[bool] = []

        def write(who: int) -> None:
            mine = replace(_postmortem("a"), text=f"{who}")
            written.append(subject().put_postmortem(mine, known=None))

        writers = [threading.Thread(target=write, args=(who,)) for who in range(4)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()

        assert [False, False, False, True] == sorted(written)


def _postmortem(id: str) -> Postmortem:
    return Postmortem(
        id=id,
        kind=PostmortemKind.INCIDENT,
        title="Checkouts are slow",
        service="web",
        severity=IncidentSeverity.SEV_1,
        resolved_at=NOON,
        due_at=NOON + DAY,
        drafted_at=NOON,
        draft="# Postmortem\n",
        text="# Postmortem\n\nedited\n",
    )
