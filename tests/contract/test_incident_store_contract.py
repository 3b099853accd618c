"""What every store promises of incidents: in memory, on SQLite, and on a real PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gameday.drivers.database import Database
from gameday.errors import StoreError, UsageError
from gameday.ports import (
    AuditEntry,
    GroupFact,
    IncidentRow,
    Order,
    OrderKind,
    Recorded,
    Role,
    Token,
)
from gameday.testing.memory import MemoryStore
from gameday.testing.results import run_result
from scoring.timeline import Fact

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)

AnyStore = Database | MemoryStore

Handle = Callable[[], AnyStore]
"""Opens the same store once more, as another process would."""


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.sandbox)])
def handle(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Handle]:
    if request.param == "memory":
        memory = MemoryStore()
        yield lambda: memory
        return
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'gameday.db'}"
    else:
        url = request.getfixturevalue("postgres")()
    opened: list[Database] = []

    def another() -> Database:
        opened.append(Database(url))
        return opened[-1]

    yield another
    for database in opened:
        database.close()


@pytest.fixture
def store(handle: Handle) -> AnyStore:
    return handle()


def said(number: int, group: str = "a/b", kind: str = "page.received") -> GroupFact:
    data = {"n": number, "words": ["ü", "\u0000", "→"]}
    return GroupFact(group, Fact(f"f{number}", kind, NOON, NOON, "alertmanager", "", data))


def row(
    id: str = "I", state: str = "triggered", group: str = "a/b", minute: int = 0
) -> IncidentRow:
    opened_at = NOON + timedelta(minutes=minute)
    return IncidentRow(id, group, "a", "b", "SEV-2", opened_at, state)


def test_facts_come_back_unchanged_in_order_and_once(handle: Handle, store: AnyStore) -> None:
    store.commit([said(1), said(2), said(9, group="c/d")])
    store.commit([said(2), said(3), said(1)])

    assert [said(n).fact for n in (1, 2, 3)] == list(handle().group_facts("a/b"))


def test_numbers_grow_with_every_commit_and_tell_what_others_wrote(
    handle: Handle, store: AnyStore
) -> None:
    assert 0 == store.last_number()
    first = store.commit([said(1)])
    other = handle().commit([said(2), said(3, group="c/d")])
    again = store.commit([said(1)])

    assert 0 == first.before < first.after == other.before < other.after == again.before
    found = store.facts_after(first.after, limit=10)
    assert [(said(2).fact, "a/b"), (said(3).fact, "c/d")] == [(f.fact, f.group) for f in found]
    assert other.after == found[-1].number == store.last_number()
    assert list(found[:1]) == list(store.facts_after(first.after, limit=1))


def test_at_a_glance_is_seen_what_anybody_wrote_or_nothing(handle: Handle, store: AnyStore) -> None:
    def seen() -> list[bool]:
        return [s.glance() in (None, s.last_number()) for s in (store, store.of_run("r"))]

    assert [True, True] == seen()
    store.commit([said(1)])
    assert [True, True] == seen()
    handle().append("r", said(2).fact)
    assert [True, True] == seen()
    handle().commit([said(3)])
    assert [True, True] == seen()


def test_a_file_and_a_memory_tell_at_a_glance(tmp_path: Path) -> None:
    file = Database(f"sqlite:///{tmp_path / 'gameday.db'}")
    for store in (file, MemoryStore()):
        before = store.glance()

        store.commit([said(1)])

        assert (0, 1) == (before, store.glance())
    file.close()


def test_facts_of_runs_and_of_groups_stand_in_one_order(handle: Handle, store: AnyStore) -> None:
    began, told, ended = (Fact(f"f{n}", "k", NOON, NOON, "s") for n in (1, 2, 3))

    store.append("r", began)
    handle().commit([GroupFact("a/b", told, run="r"), said(9)])
    store.append("r", ended)

    assert [began, told, ended] == list(store.facts("r"))
    assert [told, said(9).fact] == list(store.group_facts("a/b"))
    rows = store.facts_after(0, limit=10)
    numbers = [f.number for f in rows]
    assert sorted(set(numbers)) == numbers
    assert [
        Recorded(numbers[0], began, "r", None),
        Recorded(numbers[1], told, "r", "a/b"),
        Recorded(numbers[2], said(9).fact, None, "a/b"),
        Recorded(numbers[3], ended, "r", None),
    ] == list(rows)


def test_what_is_said_after_the_end_of_a_run_belongs_to_its_timeline(store: AnyStore) -> None:
    store.open_run("r", scenario="s", target="t", started_at=NOON, documents={})
    store.append("r", Fact("f1", "run.ended", NOON, NOON, "conductor"))
    store.close_run("r", ended_at=NOON, result=run_result())
    late = said(1, kind="postmortem.drafted").fact

    store.commit([GroupFact("a/b", late, run="r")])

    assert ["f1", "f1"] == [f.id for f in store.facts("r")]
    assert late == store.facts("r")[-1]


def test_news_of_a_run_are_no_news_of_a_group(store: AnyStore) -> None:
    seen = store.commit([said(1)]).after
    store.append("r", said(2).fact)

    written = store.commit([said(3)], unless_beyond=seen)

    assert written.is_done
    assert seen < written.before < written.after


def test_a_fence_stops_what_the_runs_own_process_says_and_nobody_else(
    handle: Handle, store: AnyStore
) -> None:
    mine, other = store.of_run("r"), handle()
    mine.commit([GroupFact("a/b", said(1).fact, run="r")])
    assert mine.claim("before", holder="run", now=NOON, until=NOON + SECOND)

    other.give(Order(OrderKind.FENCE, "r", "its heartbeat was silent", "sentinel", NOON))

    with pytest.raises(StoreError, match="taken over by its sentinel"):
        mine.commit([GroupFact("a/b", said(2).fact, run="r")])
    with pytest.raises(StoreError, match="taken over"):
        mine.claim("after", holder="run", now=NOON, until=NOON + SECOND)
    other.commit([GroupFact("a/b", said(3).fact, run="r")])
    store.of_run("another").commit([said(4)])
    assert other.claim("after", holder="serve", now=NOON, until=NOON + SECOND)
    assert ["f1", "f3", "f4"] == [f.id for f in mine.group_facts("a/b")]


def test_what_rests_on_old_news_is_not_written(handle: Handle, store: AnyStore) -> None:
    seen = store.commit([said(1)]).after
    handle().commit([said(2)])

    stale = store.commit([said(3)], rows=[row()], unless_beyond=seen)
    elsewhere = store.commit([said(4, group="c/d")], unless_beyond=seen)
    fresh = store.commit([said(3)], rows=[row()], unless_beyond=elsewhere.after)

    assert (False, True, True) == (stale.is_done, elsewhere.is_done, fresh.is_done)
    assert ["f1", "f2", "f3"] == [f.id for f in store.group_facts("a/b")]


def test_all_of_a_commit_is_written_or_nothing(store: AnyStore) -> None:
    entry = AuditEntry(NOON, "ann", "ack", "I")

    store.commit([said(1)], rows=[row()], audit=[entry])
    with pytest.raises(AttributeError):
        store.commit([said(2)], rows=[row("J")], audit=[None])  # type: ignore[list-item]
        # What no caller may send, half-way through a commit.

    assert ["f1"] == [f.id for f in store.group_facts("a/b")]
    assert (["I"], [entry]) == ([r.id for r in store.incidents()], list(store.audit()))


def test_those_who_write_at_once_lose_nothing_and_nobody_reads_past_a_commit(
    handle: Handle,
) -> None:
    seen: list[int] = []
    errors: list[Exception] = []
    is_over = threading.Event()

    def write(who: int) -> None:
        try:
            store = handle()
            for number in range(25):
                if who == 3:
                    store.append("r", said(number).fact)
                else:
                    store.commit([said(100 * who + number, group=f"{who}/x")])
        except StoreError as error:
            errors.append(error)

    def read() -> None:
        store = handle()
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
    handle: Handle, store: AnyStore
) -> None:
    other = handle()

    def claim(holder: str, seconds: float, database: AnyStore = store) -> bool:
        now = NOON + seconds * SECOND
        return database.claim("I/page/1", holder=holder, now=now, until=now + 10 * SECOND)

    assert claim("one", 0)
    assert not claim("two", 9.9, other)
    assert claim("one", 5)
    assert not claim("two", 14, other)
    assert claim("two", 15, other)
    store.release("I/page/1", holder="one")
    assert not claim("one", 16)
    other.release("I/page/1", holder="two")
    assert claim("one", 16)


def test_of_many_who_claim_at_once_one_has_it(handle: Handle) -> None:
    stores = [handle() for _ in range(4)]
    gate = threading.Barrier(4)
    won: list[str] = []

    def claim(name: str, store: AnyStore) -> None:
        gate.wait()
        if store.claim("k", holder=name, now=NOON, until=NOON + SECOND):
            won.append(name)

    threads = [threading.Thread(target=claim, args=(f"{n}", s)) for n, s in enumerate(stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 1 == len(won)


def test_open_groups_are_those_with_work_left(store: AnyStore) -> None:
    store.commit(
        [said(1, "new/x"), said(2, "deploy:a", kind="deploy.marked")],
        rows=[
            row("I1", group="open/x"),
            row("I2", "resolved", group="young/x", minute=5),
            row("I3", "resolved", group="old/x", minute=-5),
        ],
    )

    assert ["new/x", "open/x", "young/x"] == list(store.open_groups(since=NOON))


def test_a_page_that_a_run_recorded_about_itself_opens_no_group(store: AnyStore) -> None:
    store.append("r", said(1).fact)

    assert [] == list(store.open_groups(since=NOON))


def test_a_row_is_brought_up_to_date_and_merged_ones_are_not_listed(
    store: AnyStore,
) -> None:
    store.commit((), rows=[row("I1"), row("I2", minute=1)])
    merged = IncidentRow("I1", "a/b", "a", "b", "SEV-2", NOON, "merged", None, "I2")
    store.commit((), rows=[merged, row("I2", "resolved", minute=1)])

    assert ["I2"] == [r.id for r in store.incidents()]
    assert [] == list(store.incidents(only_open=True))
    assert merged == store.incident("I1")
    assert store.incident("none") is None


def test_a_token_opens_nothing_once_it_is_revoked(store: AnyStore) -> None:
    token = Token("t1", "hash", Role.WEBHOOK, "alertmanager", NOON)
    store.add_token(token)

    store.revoke_token("t1", at=NOON + SECOND)

    assert [NOON + SECOND] == [t.revoked_at for t in store.tokens()]
    with pytest.raises(UsageError, match="no token 't1' in force"):
        store.revoke_token("t1", at=NOON)


@pytest.mark.sandbox
def test_a_store_whose_connections_were_cut_goes_on(postgres: Callable[[], str]) -> None:
    import sqlalchemy as sa

    url = postgres()
    store = Database(url)
    store.commit([said(1)])
    engine = sa.create_engine(url)

    with engine.connect() as connection:
        cut = connection.scalars(
            sa.text(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
        ).all()
    store.commit([said(2)])

    assert any(cut)
    assert ["f1", "f2"] == [f.id for f in store.group_facts("a/b")]
    store.close()
    engine.dispose()
