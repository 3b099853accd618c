"""What every store promises of incidents."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from gameday.errors import StoreError, UsageError
from gameday.model.severity import IncidentSeverity
from gameday.ports import (
    AuditEntry,
    GroupFact,
    IncidentRow,
    IncidentStore,
    Order,
    OrderKind,
    Recorded,
    Role,
    Store,
    Token,
)
from gameday.testing.contracts.contract import refused
from gameday.testing.results import run_result
from scoring.timeline import Fact

__all__ = ["IncidentStoreContract", "OpensSharedStore", "SharedStore"]

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class SharedStore(Store, IncidentStore, Protocol):
    """One store of runs and of incidents, with the tokens of those who use the service."""

    def add_token(self, token: Token) -> None:
        """Keep a token: its hash, never itself."""

    def revoke_token(self, id: str, *, at: datetime) -> None:
        """Let a token open nothing any more; `UsageError` where none of this id is in force."""

    def audit(self, *, limit: int = 100) -> Sequence[AuditEntry]:
        """Return who changed what, newest first."""


OpensSharedStore = Callable[[], SharedStore]
"""A store under the contract, empty at first: opens the same one once more, as another process
would. Closing what it opened is the business of whoever made it."""


class IncidentStoreContract:
    """For a `gameday.ports.IncidentStore`."""

    def test_facts_come_back_unchanged_in_order_and_once(self, subject: OpensSharedStore) -> None:
        store = subject()
        store.commit([_said(1), _said(2), _said(9, group="c/d")])
        store.commit([_said(2), _said(3), _said(1)])

        assert [_said(n).fact for n in (1, 2, 3)] == list(subject().group_facts("a/b"))

    def test_numbers_grow_with_every_commit_and_tell_what_others_wrote(
        self, subject: OpensSharedStore
    ) -> None:
        store = subject()
        assert 0 == store.last_number()
        first = store.commit([_said(1)])
        other = subject().commit([_said(2), _said(3, group="c/d")])
        again = store.commit([_said(1)])

        assert 0 == first.before < first.after == other.before < other.after == again.before
        found = store.facts_after(first.after, limit=10)
        assert [(_said(2).fact, "a/b"), (_said(3).fact, "c/d")] == [
            (f.fact, f.group) for f in found
        ]
        assert other.after == found[-1].number == store.last_number()
        assert list(found[:1]) == list(store.facts_after(first.after, limit=1))

    def test_at_a_glance_is_seen_what_anybody_wrote_or_nothing(
        self, subject: OpensSharedStore
    ) -> None:
        store = subject()

        def seen() -> list[bool]:
            return [s.glance() in (None, s.last_number()) for s in (store, store.of_run("r"))]

        assert [True, True] == seen()
        store.commit([_said(1)])
        assert [True, True] == seen()
        subject().append("r", _said(2).fact)
        assert [True, True] == seen()
        subject().commit([_said(3)])
        assert [True, True] == seen()

    def test_facts_of_runs_and_of_groups_stand_in_one_order(
        self, subject: OpensSharedStore
    ) -> None:
        store = subject()
        began, told, ended = (Fact(f"f{n}", "k", NOON, NOON, "s") for n in (1, 2, 3))

        store.append("r", began)
        subject().commit([GroupFact("a/b", told, run="r"), _said(9)])
        store.append("r", ended)

        assert [began, told, ended] == list(store.facts("r"))
        assert [told, _said(9).fact] == list(store.group_facts("a/b"))
        rows = store.facts_after(0, limit=10)
        numbers = [f.number for f in rows]
        assert sorted(set(numbers)) == numbers
        assert [
            Recorded(numbers[0], began, "r", None),
            Recorded(numbers[1], told, "r", "a/b"),
            Recorded(numbers[2], _said(9).fact, None, "a/b"),
            Recorded(numbers[3], ended, "r", None),
        ] == list(rows)

    def test_what_is_said_after_the_end_of_a_run_belongs_to_its_timeline(
        self, subject: OpensSharedStore
    ) -> None:
        store = subject()
        store.open_run("r", scenario="s", target="t", started_at=NOON, documents={})
        store.append("r", Fact("f1", "run.ended", NOON, NOON, "conductor"))
        store.close_run("r", ended_at=NOON, result=run_result())
        late = _said(1, kind="postmortem.drafted").fact

        store.commit([GroupFact("a/b", late, run="r")])

        assert ["f1", "f1"] == [f.id for f in store.facts("r")]
        assert late == store.facts("r")[-1]

    def test_news_of_a_run_are_no_news_of_a_group(self, subject: OpensSharedStore) -> None:
        store = subject()
        seen = store.commit([_said(1)]).after
        store.append("r", _said(2).fact)

        written = store.commit([_said(3)], unless_beyond=seen)

        assert written.is_done
        assert seen < written.before < written.after

    def test_a_fence_stops_what_the_runs_own_process_says_and_nobody_else(
        self, subject: OpensSharedStore
    ) -> None:
        store = subject()
        mine, other = store.of_run("r"), subject()
        mine.commit([GroupFact("a/b", _said(1).fact, run="r")])
        assert mine.claim("before", holder="run", now=NOON, until=NOON + SECOND)

        other.give(Order(OrderKind.FENCE, "r", "its heartbeat was silent", "sentinel", NOON))

        with refused(StoreError, "taken over by its sentinel"):
            mine.commit([GroupFact("a/b", _said(2).fact, run="r")])
        with refused(StoreError, "taken over"):
            mine.claim("after", holder="run", now=NOON, until=NOON + SECOND)
        other.commit([GroupFact("a/b", _said(3).fact, run="r")])
        store.of_run("another").commit([_said(4)])
        assert other.claim("after", holder="serve", now=NOON, until=NOON + SECOND)
        assert ["f1", "f3", "f4"] == [f.id for f in mine.group_facts("a/b")]

    def test_what_rests_on_old_news_is_not_written(self, subject: OpensSharedStore) -> None:
        store = subject()
        seen = store.commit([_said(1)]).after
        subject().commit([_said(2)])

        stale = store.commit([_said(3)], rows=[_row()], unless_beyond=seen)
        elsewhere = store.commit([_said(4, group="c/d")], unless_beyond=seen)
        fresh = store.commit([_said(3)], rows=[_row()], unless_beyond=elsewhere.after)

        assert (False, True, True) == (stale.is_done, elsewhere.is_done, fresh.is_done)
        assert ["f1", "f2", "f3"] == [f.id for f in store.group_facts("a/b")]

    def test_all_of_a_commit_is_written_or_nothing(self, subject: OpensSharedStore) -> None:
        store = subject()
        entry = AuditEntry(NOON, "ann", "ack", "I")

        store.commit([_said(1)], rows=[_row()], audit=[entry])
        with refused(AttributeError):
            store.commit([_said(2)], rows=[_row("J")], audit=[None])  # type: ignore[list-item]
            # What no caller may send, half-way through a commit.

        assert ["f1"] == [f.id for f in store.group_facts("a/b")]
        assert (["I"], [entry]) == ([r.id for r in store.incidents()], list(store.audit()))

    def test_those_who_write_at_once_lose_nothing_and_nobody_reads_past_a_commit(
        self, subject: OpensSharedStore
    ) -> None:
        seen: list[int] = []
        errors: list[Exception] = []
        is_over = threading.Event()

        def write(who: int) -> None:
            try:
                store = subject()
                for number in range(25):
                    if who == 3:
                        store.append("r", _said(number).fact)
                    else:
                        store.commit([_said(100 * who + number, group=f"{who}/x")])
            except StoreError as error:
                errors.append(error)

        def read() -> None:
            store = subject()
            last = 0
            while True:
                was_over = is_over.is_set()
                for one in store.facts_after(last, limit=1000):
                    seen.append(one.number)
                    last = one.number
                if was_over:
                    return

        writers = [threading.Thread(target=write, args=(who,)) for who in (1, 2, 3)]
        reader = threading.Thread(target=read)
        for thread in (*writers, reader):
            thread.start()
        for thread in writers:
            thread.join()
        is_over.set()
        reader.join()

        assert [] == errors
        assert 75 == len(seen) == len(set(seen))

    def test_a_claim_is_its_holders_until_it_runs_out_or_is_given_back(
        self, subject: OpensSharedStore
    ) -> None:
        store = subject()
        other = subject()

        def claim(holder: str, seconds: float, database: SharedStore = store) -> bool:
            now = NOON + seconds * SECOND
            until = now + 10 * SECOND
            return bool(database.claim("I/page/1", holder=holder, now=now, until=until))

        assert claim("one", 0)
        assert not claim("two", 9.9, other)
        assert claim("one", 5)
        assert not claim("two", 14, other)
        assert claim("two", 15, other)
        store.release("I/page/1", holder="one")
        assert not claim("one", 16)
        other.release("I/page/1", holder="two")
        assert claim("one", 16)

    def test_of_several_keys_those_are_claimed_that_nobody_else_holds(
        self, subject: OpensSharedStore
    ) -> None:
        store, other, until = subject(), subject(), NOON + 10 * SECOND
        keys = [f"I{number}/page/1" for number in range(1_200)]

        held = other.claim("I7/page/1", "elsewhere", holder="two", now=NOON, until=until)
        mine = store.claim(*keys, holder="one", now=NOON, until=until)
        store.release(*keys, holder="one")

        assert held == {"I7/page/1", "elsewhere"}
        assert mine == set(keys) - {"I7/page/1"}
        assert other.claim(*keys, holder="two", now=NOON, until=until) == set(keys)

    def test_a_claim_from_before_a_clock_was_set_back_holds_nobody_up(
        self, subject: OpensSharedStore
    ) -> None:
        store, ahead = subject(), NOON + 40 * SECOND

        assert store.claim("k", holder="dead", now=ahead, until=ahead + 10 * SECOND)

        assert store.claim("k", holder="alive", now=NOON, until=NOON + 10 * SECOND)

    def test_a_claim_by_a_clock_that_is_a_little_ahead_is_its_holders(
        self, subject: OpensSharedStore
    ) -> None:
        store, ahead = subject(), NOON + 4 * SECOND

        assert store.claim("k", holder="ahead", now=ahead, until=ahead + 10 * SECOND)

        assert not store.claim("k", holder="other", now=NOON, until=NOON + 10 * SECOND)

    def test_of_many_who_claim_at_once_one_has_it(self, subject: OpensSharedStore) -> None:
        stores = [subject() for _ in range(4)]
        gate = threading.Barrier(4)
        won: list[str] = []

        def claim(name: str, store: SharedStore) -> None:
            gate.wait()
            if store.claim("k", holder=name, now=NOON, until=NOON + SECOND):
                won.append(name)

        threads = [threading.Thread(target=claim, args=(f"{n}", s)) for n, s in enumerate(stores)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert 1 == len(won)

    def test_open_groups_are_those_with_work_left(self, subject: OpensSharedStore) -> None:
        store = subject()
        store.commit(
            [_said(1, "new/x"), _said(2, "deploy:a", kind="deploy.marked")],
            rows=[
                _row("I1", group="open/x"),
                _row("I2", "resolved", group="young/x", minute=5),
                _row("I3", "resolved", group="old/x", minute=-5),
            ],
        )

        assert ["new/x", "open/x", "young/x"] == list(store.open_groups(since=NOON))

    def test_a_page_that_a_run_recorded_about_itself_opens_no_group(
        self, subject: OpensSharedStore
    ) -> None:
        store = subject()
        store.append("r", _said(1).fact)

        assert [] == list(store.open_groups(since=NOON))

    def test_a_row_is_brought_up_to_date_and_merged_ones_are_not_listed(
        self, subject: OpensSharedStore
    ) -> None:
        store = subject()
        store.commit((), rows=[_row("I1"), _row("I2", minute=1)])
        merged = IncidentRow(
            "I1", "a/b", "a", "b", IncidentSeverity.SEV_2, NOON, "merged", None, "I2"
        )
        store.commit((), rows=[merged, _row("I2", "resolved", minute=1)])

        assert ["I2"] == [r.id for r in store.incidents()]
        assert [] == list(store.incidents(only_open=True))
        assert merged == store.incident("I1")
        assert store.incident("none") is None

    def test_a_token_opens_nothing_once_it_is_revoked(self, subject: OpensSharedStore) -> None:
        store = subject()
        token = Token("t1", "hash", Role.WEBHOOK, "alertmanager", NOON)
        store.add_token(token)

        store.revoke_token("t1", at=NOON + SECOND)

        assert [NOON + SECOND] == [t.revoked_at for t in store.tokens()]
        with refused(UsageError, "no token 't1' in force"):
            store.revoke_token("t1", at=NOON)


def _said(number: int, group: str = "a/b", kind: str = "page.received") -> GroupFact:
    data = {"n": number, "words": ["ü", "\u0000", "→"]}
    return GroupFact(group, Fact(f"f{number}", kind, NOON, NOON, "alertmanager", "", data))


def _row(
    id: str = "I", state: str = "triggered", group: str = "a/b", minute: int = 0
) -> IncidentRow:
    opened_at = NOON + timedelta(minutes=minute)
    return IncidentRow(id, group, "a", "b", IncidentSeverity.SEV_2, opened_at, state)
