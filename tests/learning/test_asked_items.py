"""The action items that a postmortem asks for, whatever its author made of the part."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gameday.learning.asked_items import asked_in, filings_of
from gameday.learning.draft_parts import action_table
from gameday.learning.incident_postmortem import NO_ITEMS
from gameday.model.action_item import ActionChange, ActionKind, ActionWord, Filing, changed
from gameday.model.postmortem import Postmortem, PostmortemKind
from gameday.model.severity import IncidentSeverity

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ID = "0123456789ab"


def text(part: str, heading: str = "## Action items") -> str:
    before = "# Postmortem\n\n## Timeline\n\n- 12:00 it began"
    return f"{before}\n\n{heading}\n\n{part}\n\n## Later\n\n- no\n"


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (
            "- Watch the lag\n- [ ] Page on it\n1. Write it down",
            ["Watch the lag", "Page on it", "Write it down"],
        ),
        ("| Action item | Owner |\n| --- | --- |\n| Watch the lag | Ops |", ["Watch the lag"]),
        ("| Action | Kind |\n|---|---|\n| a \\| b | detect |\n\nand\n\n- c", ["a | b", "c"]),
        (NO_ITEMS, []),
        ("_To be answered in the review: what else?_", []),
        ("| Action | Kind |\n| --- | --- |\n| _to be named_ | prevent |", []),
        ("### Prevent\n\n- Watch the lag", ["Watch the lag"]),
    ],
    ids=["list", "table", "both", "none", "question", "empty row", "by kind"],
)
def test_items_of_lists_and_tables_are_found_and_nothing_else(
    part: str, expected: list[str]
) -> None:
    assert expected == [asked["title"] for asked in asked_in(text(part))]


@pytest.mark.parametrize("heading", ["## Follow-ups", "### Next steps ###", "## 7. Actions"])
def test_the_part_is_known_by_what_people_call_it(heading: str) -> None:
    assert ["a"] == [asked["title"] for asked in asked_in(text("- a", heading))]


def test_the_title_of_the_document_is_no_heading_of_a_part() -> None:
    assert [] == list(asked_in("# Actions of the cache\n\n- a\n"))


def postmortem(part: str) -> Postmortem:
    return Postmortem(
        id="i1",
        kind=PostmortemKind.INCIDENT,
        title="t",
        service="storefront",
        severity=IncidentSeverity.SEV_1,
        resolved_at=NOON,
        due_at=NOON,
        drafted_at=NOON,
        draft="",
        text=text(part),
    )


TABLE = (
    "| Action | Kind | Owner (role) | Due | Item |\n| --- | --- | --- | --- | --- |\n"
    f"| Watch the lag | detect | Ops | 2026-12-01 | |\n| Known | mitigate | Ops | | {ID} |\n"
    "| Undecided | | to be named | to be set | |"
)


def test_kind_and_owner_are_those_of_the_row_and_what_has_an_id_is_filed_already() -> None:
    changes = filings_of(postmortem(TABLE), at=NOON, known=[ID], by="x")

    filings = [c.filing for c in changes if c.filing is not None]
    assert [
        ("Watch the lag", ActionKind.DETECT, "Ops", "P1"),
        ("Undecided", ActionKind.PREVENT, "", "P1"),
    ] == [(f.title, f.kind, f.owner, f.priority) for f in filings]


def test_an_id_that_nobody_filed_is_no_reason_to_lose_the_item() -> None:
    changes = filings_of(postmortem(TABLE), at=NOON, known=[], by="x")

    assert 3 == len(changes)


def test_asked_twice_or_in_other_letters_it_is_one_item() -> None:
    once = filings_of(postmortem("- Watch the lag"), at=NOON, known=[], by="x")
    twice = filings_of(postmortem("- watch  THE lag\n- Watch the lag"), at=NOON, known=[], by="x")

    assert [c.item for c in once] == [c.item for c in twice]
    assert {c.id for c in once} == {c.id for c in twice}


def test_another_incidents_item_of_the_same_words_is_another_one() -> None:
    one = postmortem("- Watch the lag")

    first = filings_of(one, at=NOON, known=[], by="x")
    second = filings_of(replace(one, id="i2"), at=NOON, known=[], by="x")

    assert first[0].item != second[0].item


def test_what_a_draft_lists_is_read_back() -> None:
    filing = Filing(cause="c", kind=ActionKind.DETECT, title="Watch | the lag")
    item = changed(
        None,
        ActionChange(id="x", item=ID, word=ActionWord.FOUND, at=NOON, by="gameday", filing=filing),
    )
    assert item is not None

    (found,) = asked_in(text(action_table([item])))

    assert {"title": "Watch | the lag", "kind": "detect", "id": ID} == dict(found)
