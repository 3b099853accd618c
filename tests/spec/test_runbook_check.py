"""What an author of a runbook is told, and what a responder is spared."""

from __future__ import annotations

import pytest

from gameday.errors import SpecError
from gameday.spec import check_runbook, parse_runbook

BAD_BODY = """\
---
alert: X
ownr: me
---
# X

## Likely causes

- **one**: it waits (service: inventory, dwnstream: db) → failover
- **two**: a change (service: any, change: reboot) → two words

## Fixes

- **failover-db**: `gameday mitigate failover-db region={regoin}`
- **failover-db**: `gameday mitigate failover-db region`
"""


def test_an_author_hears_of_everything_that_would_let_a_reader_down() -> None:
    problems = [(p.line, p.message, p.hint) for p in check_runbook(BAD_BODY, "x.md")]

    assert [
        (3, "unknown field 'ownr'", "did you mean 'owner'?"),
        (9, "unknown term 'dwnstream'", "did you mean 'downstream'?"),
        (
            9,
            "the cause 'one' names the fix 'failover', which is not under Fixes",
            "did you mean 'failover-db'?",
        ),
        (10, "unknown change 'reboot'", "write change: deploy"),
        (
            10,
            "'two words' after the arrow is no name of a fix",
            "write the name of a step under Fixes",
        ),
        (14, "nobody can fill in '{regoin}'", "did you mean 'region'?"),
        (15, "'region' is no parameter", "write name=value: region={region}"),
        (15, "a second step is called 'failover-db'", "rename one"),
    ] == problems


def test_a_responder_reads_it_nevertheless() -> None:
    book = parse_runbook(BAD_BODY, "x.md")

    assert ["failover-db", "failover-db-2"] == [f.id for f in book.fixes]
    assert () == book.fixes_for("inventory", "db", "downstream")


@pytest.mark.parametrize(
    ("front", "line", "field", "hint"),
    [
        ("alert: [x]", 2, "alert", ""),
        ("a: 1\nreviewed: yesterday", 3, "reviewed", "write YYYY-MM-DD"),
        ("reviewed: 2026-02-31", 2, "reviewed", "write YYYY-MM-DD"),
        ("owner: 7", 2, "owner", "owner: {name: …, team: …, contact: …}"),
        ("owner: {team: 7}", 2, "owner.team", "put it in quotes"),
        (
            "review_every: 90",
            2,
            "review_every",
            "write one of ms, s, m, h, d or w after the number: 90s, 90ms",
        ),
        ("alert: x\nalert: y", 3, "alert", "it already stands in line 2; keep one of them"),
        ("- x", 2, "", "alert: …"),
    ],
)
def test_a_front_matter_of_the_wrong_shape_is_refused_with_its_line(
    front: str, line: int, field: str, hint: str
) -> None:
    with pytest.raises(SpecError) as caught:
        parse_runbook(f"---\n{front}\n---\n# X\n", "x.md")

    (problem,) = caught.value.problems
    assert (line, field, hint) == (problem.line, problem.field, problem.hint)


def test_a_front_matter_without_an_end_is_refused() -> None:
    with pytest.raises(SpecError, match="does not end"):
        parse_runbook("---\nalert: x\n", "x.md")


def test_a_runbook_without_a_front_matter_is_named_by_its_title() -> None:
    book = parse_runbook("# KubePodCrashLooping\r\n\r\n## Meaning\r\n\r\nIt loops.\r\n", "a/b.md")

    assert ("b", "KubePodCrashLooping", "It loops.") == (book.id, book.alert, book.meaning)
    assert book.owner is None
