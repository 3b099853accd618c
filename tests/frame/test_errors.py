"""The tree of errors: what its page says is so, and each family is raised by whom it is for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gameday import errors
from gameday.errors import ExitCode, Ground, PlanRefused, Refusal, Refused
from gameday.incidents.links import LinkRefused

ROOT = Path(__file__).parents[2]
TOLD = re.findall(r"── (\w+) +(\d+)? ", errors.__doc__ or "")
SAID_OF_RUNS = ("plan.py", "conductor/", "governance/", "house/run/", "house/targets/")


@pytest.mark.parametrize(("name", "code"), [(n, c) for n, c in TOLD if c])
def test_a_family_ends_with_the_code_that_the_page_says(name: str, code: str) -> None:
    assert int(code) == getattr(errors, name).exit_code


def test_every_error_is_on_the_page() -> None:
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.GamedayError)
    }

    assert defined - {"GamedayError"} == {name for name, _ in TOLD}


def test_only_a_run_is_refused_as_one() -> None:
    elsewhere = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "gameday").rglob("*.py")
        if "raise PlanRefused" in path.read_text(encoding="utf-8")
        and not str(path.relative_to(ROOT / "gameday")).startswith(SAID_OF_RUNS)
    ]

    assert [] == elsewhere


@pytest.mark.parametrize("kind", [Refused, PlanRefused, LinkRefused])
def test_whatever_is_refused_says_every_reason_and_ends_with_3(kind: type[Refused]) -> None:
    refused = kind("it is resolved already", "nobody is on call; name somebody")

    assert ExitCode.REFUSED is refused.exit_code
    assert ("it is resolved already", "nobody is on call; name somebody") == refused.reasons
    assert "it is resolved already\nnobody is on call; name somebody" == str(refused)


def test_a_refused_run_knows_the_ground_of_each_reason() -> None:
    stop = Refusal(Ground.STOP, "all runs are stopped", "lift the stop")

    refused = PlanRefused(stop, "its fault ends too early")

    assert [Ground.STOP, Ground.PLAN] == [r.ground for r in refused.refusals]
    assert "all runs are stopped; lift the stop" == refused.reasons[0]
