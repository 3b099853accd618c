"""What a postmortem lacks is said with its line and what to do."""

from __future__ import annotations

from gameday.learning.gaps import gaps_in
from gameday.learning.postmortem import draft
from gameday.model.result import RunResult
from gameday.model.scenario import Scenario
from gameday.model.slo import Slo
from scoring.timeline import Timeline

WHOLE = """\
# Postmortem: the cache

## Summary

The cache emptied.

## Impact

4 % of the requests failed.

## Timeline

### 14:05

The alert fired.

## Root causes

The key changed.

## What went well

The page came in 30 s.

## What went wrong

No dashboard shows the hit rate.

## Where we got lucky

It was a quiet night.

## Action items

- Show the hit rate.
"""


def test_a_whole_postmortem_has_no_gaps() -> None:
    assert [] == list(gaps_in(WHOLE))


def test_a_part_that_is_not_there_is_named() -> None:
    (gap,) = gaps_in(WHOLE.replace("## Impact", "## Elsewhere"))

    assert ("Impact", 1) == (gap.part, gap.line)
    assert "there is no part “Impact”: write one" == gap.what


def test_a_part_of_nothing_but_a_comment_is_empty() -> None:
    text = WHOLE.replace("The key changed.", "<!-- What in the system\nmade it possible? -->")

    (gap,) = gaps_in(text)

    assert ("Root cause", 17) == (gap.part, gap.line)
    assert gap.what.startswith("“Root cause” is empty")


def test_a_timeline_of_code_alone_is_not_empty() -> None:
    assert [] == list(gaps_in(WHOLE.replace("The alert fired.", "```\n14:05 fired\n```")))


def test_what_waits_for_an_answer_is_a_gap_once_a_line() -> None:
    text = WHOLE.replace(
        "- Show the hit rate.", "| Action | Owner | Due |\n|---|---|---|\n| x | TBD | to be set |"
    )

    (gap,) = gaps_in(text)

    assert ("Action items", 37, "waits for an answer: TBD") == (gap.part, gap.line, gap.what)


def test_a_draft_lacks_only_what_people_have_to_answer(
    result: RunResult, timeline: Timeline, scenario: Scenario, slo: Slo
) -> None:
    gaps = gaps_in(draft(result, timeline, scenario, slo))

    lacking = {"Root cause", "Where luck helped", "Surprises", "Action items"}
    assert lacking == {gap.part for gap in gaps}
    assert all(gap.what.startswith("waits for an answer") for gap in gaps)
