from __future__ import annotations

from typing import Any

import pytest
from drill_facts import default_rubric

from scoring.rubric import Half, Rubric, RubricError


def document(*criteria: Any, **changes: Any) -> dict[str, Any]:
    return {
        "apiVersion": "gameday/v1",
        "kind": "Rubric",
        "metadata": {"name": "short"},
        "spec": {"criteria": list(criteria)},
        **changes,
    }


ACKED = {"id": "acked", "title": "Acknowledged", "points": 5, "phase": "acked"}


def problems(raw: Any) -> dict[str, str]:
    with pytest.raises(RubricError) as caught:
        Rubric.from_mapping(raw)
    return dict(caught.value.problems)


def test_the_default_rubric_is_a_hundred_points_over_the_whole_loop() -> None:
    rubric = default_rubric()

    assert 100 == sum(c.points for c in rubric.criteria)
    assert ["detection", "page", "reset", "trace", "blame", "mitigated", "recovered"] == [
        c.id for c in rubric.criteria if c.required
    ]
    assert [30, 70] == [sum(c.points for c in rubric.criteria if c.of is half) for half in Half]


def test_no_criterion_of_the_default_rubric_is_worth_nothing_for_being_late() -> None:
    assert [None] * 21 == [c.phase for c in default_rubric().criteria]


def test_a_rubric_from_before_there_were_two_numbers_gives_one() -> None:
    assert not Rubric.from_mapping(document(ACKED)).tells_halves
    assert default_rubric().tells_halves


def test_a_criterion_is_read_with_its_defaults() -> None:
    (criterion,) = Rubric.from_mapping(document(ACKED)).criteria

    assert (5.0, "acked", None, None, False) == (
        criterion.points,
        criterion.phase,
        criterion.step,
        criterion.check,
        criterion.required,
    )


@pytest.mark.parametrize(
    ("raw", "path", "message"),
    [
        ([], "rubric", "must be a mapping"),
        (document(ACKED, kind="Scenario"), "kind", "'Scenario' must be 'Rubric'"),
        (document(ACKED, metadata=None), "metadata", "is missing"),
        (document(ACKED, metadata={"name": 3}), "metadata.name", "3 must be a text"),
        (document(), "spec.criteria", "must be a list of at least one criterion"),
        (document(ACKED, colour="red"), "colour", "unknown field 'colour'; it is one of"),
        (document("acked"), "spec.criteria[0]", "must be a mapping"),
        (document(ACKED, ACKED), "spec.criteria[1].id", "'acked' is used twice"),
        (document({**ACKED, "points": 0}), "spec.criteria[0].points", "0 must be a number above 0"),
        (document({**ACKED, "points": True}), "spec.criteria[0].points", "True must be a number"),
        (document({**ACKED, "points": "5"}), "spec.criteria[0].points", "'5' must be a number"),
        (document({**ACKED, "required": 1}), "spec.criteria[0].required", "1 must be true or"),
        (
            document({**ACKED, "step": "red", "hintedRatio": 1.5}),
            "spec.criteria[0].hintedRatio",
            "1.5 must be a number between 0 and 1",
        ),
        (
            document({**ACKED, "hintedRatio": 0.5}),
            "spec.criteria[0].hintedRatio",
            "hints are asked for in steps: give it a step",
        ),
        (
            document({**ACKED, "of": "response"}, {**ACKED, "id": "b"}),
            "spec.criteria[1].of",
            "is missing, and others have it: write system or response",
        ),
        (document({**ACKED, "of": "sytem"}), "spec.criteria[0].of", "did you mean 'system'?"),
        (document({**ACKED, "time": "paged"}), "spec.criteria[0].time", "did you mean 'acked'?"),
        (document({**ACKED, "time": ["red"]}), "spec.criteria[0].time", "unknown time"),
        (document({**ACKED, "phase": "ackd"}), "spec.criteria[0].phase", "did you mean 'acked'?"),
        (document({**ACKED, "pionts": 5}), "spec.criteria[0].pionts", "did you mean 'points'?"),
        (document({**ACKED, "title": ""}), "spec.criteria[0].title", "'' must be a text"),
        (
            document({"id": "x", "title": "X", "points": 1}),
            "spec.criteria[0]",
            "judges nothing: give it a phase, a time, a step or a check",
        ),
    ],
)
def test_a_problem_names_its_place_and_what_to_write(raw: Any, path: str, message: str) -> None:
    found = problems(raw)

    assert path in found
    assert message in found[path]


def test_a_step_with_a_hint_is_worth_half_unless_its_criterion_says_otherwise() -> None:
    step = {"id": "t", "title": "T", "points": 5, "step": "trace"}

    criteria = Rubric.from_mapping(document(step, {**step, "id": "u", "hintedRatio": 0})).criteria

    assert [0.5, 0.0] == [c.hinted_ratio for c in criteria]


def test_every_problem_is_told_at_once() -> None:
    found = problems(document({**ACKED, "points": -1, "phase": "x"}, kind="Rubrik"))

    assert {"kind", "spec.criteria[0].points", "spec.criteria[0].phase"} == set(found)


def test_an_error_reads_as_one_line_per_problem() -> None:
    with pytest.raises(ValueError, match=r"^kind: 'X' must be 'Rubric'$"):
        Rubric.from_mapping(document(ACKED, kind="X"))
