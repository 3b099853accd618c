"""Blame where no profile names a function: what the deploy at the onset brought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from gameday.diagnosis.blame import explain, ranked
from gameday.diagnosis.case import Case
from gameday.diagnosis.changes import recent
from gameday.diagnosis.exclusive import Hop
from gameday.diagnosis.graph import Accused
from gameday.diagnosis.red import Movement, RedReading, Signal
from gameday.diagnosis.suspicion import Suspect
from gameday.errors import HistoryUnknown
from gameday.model.code import CodeOf, RevisionFrom
from gameday.model.page import Finding, RedShape
from gameday.model.signals import ChangeSet, CodeChange, Deploy, Span, Trace
from gameday.testing.desk import a_page
from gameday.testing.telemetry import FakeHistory

NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DAYS = timedelta(days=1)
OLD, NEW = "1" * 7, "2" * 7
SOURCE = CodeOf(
    service="back",
    repository="/code",
    revision=RevisionFrom(image_tag=True, pattern="-([0-9a-f]{7,40})$"),
)


def change(commit: str, *files: str) -> CodeChange:
    return CodeChange(commit * 40, "Ada", NOON - DAYS, f"words of {commit}", files or ("app.py",))


def live(commit: str, before: timedelta, service: str = "back") -> Deploy:
    return Deploy(service, f"main-{commit}", NOON - before)


TWO = (live(OLD, 3 * DAYS), live(NEW, 20 * SECOND))


def accused(service: str, downstream: str = "") -> Suspect:
    span = Span("1", "2", None, "GET", "server", service, NOON, SECOND)
    return Suspect(
        place=Hop(service, downstream), span="GET", kind="server", bulk_ratio=1.0, time=SECOND,
        usual=SECOND, errors=False, traces=(Trace("1", (span,)),), region=None, example=span,
    )  # fmt: skip


async def explained(
    deploys: Sequence[Deploy] = TWO,
    between: Mapping[tuple[str, str], ChangeSet] | None = None,
    *,
    suspect: Suspect | None = None,
    case: Case | None = None,
) -> tuple[Finding, Case]:
    suspect = suspect or accused("back")
    case = case or Case(a_page(at=NOON + 17 * SECOND), suspect=suspect)
    code = FakeHistory({}, between or {(OLD, NEW): ChangeSet((change("a"),))})
    found = await explain(case, suspect, deploys, code, sources=[SOURCE], has_profiles=False)
    return found, case


async def test_a_commit_that_alone_lies_between_two_versions_is_named() -> None:
    found, case = await explained()

    assert (True, "a" * 40, "app.py") == tuple(
        found.detail[name] for name in ("explained", "commit", "file")
    )
    assert (
        "commit aaaaaaa ('words of a') is all that lies between main-1111111 and main-2222222,"
        " which went live with back 20 s before the onset; no profile tells which function"
    ) == found.summary
    assert TWO[1] == case.deploy


async def test_of_several_commits_none_is_named_and_all_are_told() -> None:
    several = ChangeSet(tuple(map(change, "abcd")))

    found, case = await explained(between={(OLD, NEW): several})

    assert (True, None) == (found.detail["explained"], found.detail["commit"])
    assert [c * 40 for c in "abcd"] == found.detail["commits"]
    assert "brought 4 commits (commit aaaaaaa ('words of a'), " in found.summary
    assert "commit ccccccc ('words of c'), …); no profile tells which of them" in found.summary
    assert TWO[1] == case.deploy


async def test_where_a_version_also_takes_something_back_its_only_commit_is_not_accused() -> None:
    both = ChangeSet((change("a"),), (change("b"),))

    found, _ = await explained(between={(OLD, NEW): both})

    assert (True, None, ["b" * 40]) == tuple(
        found.detail[name] for name in ("explained", "commit", "taken_back")
    )
    assert "brought 1 commit (commit aaaaaaa" in found.summary
    assert "and took back 1 commit (commit bbbbbbb" in found.summary


async def test_a_version_that_holds_the_same_code_explains_nothing() -> None:
    found, _ = await explained(between={(OLD, NEW): ChangeSet()})

    assert not found.detail["explained"]
    assert "is the same code as main-1111111" in found.summary


async def test_a_version_that_ran_well_before_the_onset_explains_nothing() -> None:
    found, case = await explained([live(OLD, 3 * DAYS), live(NEW, DAYS)])

    assert not found.detail["explained"]
    assert "back ran main-2222222, which ran well before the onset" in found.summary
    assert case.deploy is None


async def test_without_the_version_before_nobody_is_accused_and_the_deploy_is_kept() -> None:
    found, case = await explained([live(NEW, 20 * SECOND)])

    assert found.detail["unknown"]
    assert "what back ran before main-2222222 is not told" in found.summary
    assert case.deploy is not None


async def test_a_version_in_which_no_commit_is_found_accuses_nobody() -> None:
    found, _ = await explained([Deploy("back", "latest", NOON - 3 * DAYS), TWO[1]])

    assert found.detail["unknown"]
    assert "finds no commit in the version 'latest'" in found.summary


async def test_who_waits_for_another_is_not_accused_by_its_deploy() -> None:
    found, _ = await explained(suspect=accused("back", "db"))

    assert not found.detail["explained"]
    assert "back waits for db" in found.summary


async def test_a_copy_of_the_code_that_ends_too_early_is_an_error_that_says_so() -> None:
    class Shallow(FakeHistory):
        async def changes_between(
            self, *, repository: str, revision: str, earlier: str
        ) -> ChangeSet:
            raise HistoryUnknown("the history of /code ends at 3333333")

    suspect = accused("back")
    case = Case(a_page(at=NOON + 17 * SECOND), suspect=suspect)

    with pytest.raises(HistoryUnknown):
        await explain(case, suspect, TWO, Shallow({}), sources=[SOURCE], has_profiles=False)


async def test_where_profiles_are_looked_at_and_name_nothing_no_commit_is_named() -> None:
    suspect = accused("back")
    case = Case(a_page(at=NOON + 17 * SECOND), suspect=suspect)
    code = FakeHistory({}, {(OLD, NEW): ChangeSet((change("a"),))})

    found = await explain(case, suspect, TWO, code, sources=[SOURCE])

    assert "unknown: no profile names the function to blame" == found.summary


async def test_whom_a_graph_of_calls_accuses_is_explained_as_well() -> None:
    moved = Movement(Signal.ERRORS, "", 0.0, 1.0, NOON, RedShape.PLATEAU)
    graph = Accused(Hop("back", ""), ("front", "back"))
    case = Case(a_page(at=NOON + 17 * SECOND), red=RedReading((moved,), ("",)), accused=graph)
    code = FakeHistory({}, {(OLD, NEW): ChangeSet((change("a"),))})

    found = await explain(case, graph, TWO, code, sources=[SOURCE], has_profiles=False)

    assert "a" * 40 == found.detail["commit"]
    assert case.is_code()


def test_texts_and_tests_come_after_all_that_a_program_is_made_of() -> None:
    told = [
        change("a", "README"),
        change("b", "docs/app.py", "tests/test_app.py"),
        change("c", "settings.yaml"),
        change("d", "docs/use.md", "app.py"),
    ]

    found = ranked(ChangeSet(tuple(told), tuple(told)))

    assert ["c", "d", "a", "b"] == [one.commit[0] for one in found.brought]
    assert found.brought == found.taken_back


def test_what_was_live_when_a_span_began_is_kept_with_it() -> None:
    deploys = [
        live(NEW, SECOND),
        live("0" * 40, 9 * DAYS),
        live(OLD, 3 * DAYS),
        live(OLD, 5 * DAYS, "front"),
    ]

    found = recent(deploys, since=NOON - DAYS)

    assert [deploys[3], deploys[2], deploys[0]] == found
