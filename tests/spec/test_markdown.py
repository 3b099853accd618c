"""Markdown is what CommonMark says it is: comments, code and quotations hold no steps."""

from __future__ import annotations

import pytest

from gameday.spec import check_runbook, parse_runbook
from gameday.spec.markdown import outline_of

PATH = "runbooks/x.md"

CASE = """\
# X

## Likely causes

- **slow**: it is slow (service: any) → failover-db, drain-region

## Fixes
<!-- Not since INC-412
- **failover-db**: `gameday mitigate failover-db region={region?}`
-->
- **drain-region**: `gameday mitigate drain-region region={region}`
"""


def fixes(text: str) -> list[str]:
    return [f.id for f in parse_runbook(text, PATH).fixes]


def test_a_fix_in_a_comment_is_none_and_whoever_names_it_is_told() -> None:
    assert ["drain-region"] == fixes(CASE)
    (problem,) = check_runbook(CASE, PATH)
    assert (5, True) == (problem.line, "failover-db" in problem.message)


@pytest.mark.parametrize(
    ("hidden", "body"),
    [
        ("a comment in a paragraph", "Some words <!-- - **a**: x --> and more.\n\n- **b**: y\n"),
        ("a comment over an item", "<!--\n- **a**: x\n\n- **c**: x\n-->\n\n- **b**: y\n"),
        ("a comment in an item", "- **b**: y <!-- `gameday mitigate a` -->\n"),
        ("a fence", "```\n- **a**: x\n```\n- **b**: y\n"),
        ("a fence of tildes", "~~~ sh\n- **a**: x\n```\n~~~\n- **b**: y\n"),
        ("a fence that ends with its item", "- **b**: y\n  ```\n  code\n\nwords\n"),
        ("an indented block", "words\n\n    - **a**: x\n\n- **b**: y\n"),
        ("a block of HTML", "<div>\n- **a**: x\n</div>\n\n- **b**: y\n"),
        ("a script", "<script>\n\n- **a**: x\n\n</script>\n\n- **b**: y\n"),
        ("a quotation", "> - **a**: x\n\n- **b**: y\n"),
        ("a nested item", "- **b**: y\n  - **a**: x\n    - **c**: z\n"),
    ],
)
def test_what_is_no_item_is_no_step(hidden: str, body: str) -> None:
    assert ["b"] == fixes(f"## Fixes\n\n{body}"), hidden


@pytest.mark.parametrize(
    "heading",
    ["## Fixes", "Fixes\n-----", "Fixes\n=====", "## Fixes ##", "   ## Fixes", "##\tFixes"],
)
def test_a_heading_is_one_however_it_is_written(heading: str) -> None:
    assert ["a"] == fixes(f"{heading}\n\n- **a**: x\n")


@pytest.mark.parametrize(
    "no_heading",
    [
        "    ## Fixes",
        "#Fixes",
        "```\n## Fixes\n```",
        "<!--\n## Fixes\n-->",
        "> ## Fixes",
        "\\## Fixes",
    ],
)
def test_what_is_no_heading_begins_no_section(no_heading: str) -> None:
    assert [] == fixes(f"{no_heading}\n\n- **a**: x\n")


def test_a_call_in_a_comment_or_in_code_blocks_is_not_carried_out() -> None:
    head = "## Fixes\n\n- **a**: by hand <!-- `gameday mitigate x` -->\n\n"
    text = head + "  ```\n  `gameday mitigate y`\n  ```\n"

    (fix,) = parse_runbook(text, PATH).fixes

    assert (None, "by hand") == (fix.mitigation, fix.text)


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    text = (
        "---\r\nalert: X\r\n---\r\n\r\n## Fixes\r\n\r\n- **a**: x\r\n  y\r\n\r\n\r\n- **b**: z\r\n"
    )

    assert [("a", 7, 8), ("b", 11, 11)] == [
        (f.id, f.line, f.end_line) for f in parse_runbook(text, PATH).fixes
    ]


def test_an_underlined_heading_is_no_part_of_its_section() -> None:
    section = parse_runbook("Meaning\n-------\n\nIt is slow.\n\nOther\n-----\n", PATH).sections[
        "meaning"
    ]

    assert ("It is slow.", 1, 4) == (section.body, section.line, section.end_line)


def test_words_stay_as_they_are_written_but_for_comments() -> None:
    text = "- Restart <service> with `<!-- x -->` and [it](http://x) **now** <!-- x -->&amp;\n"

    (item,) = outline_of(text).items

    assert "Restart <service> with `<!-- x -->` and [it](http://x) **now** &amp;" == item.paragraph
