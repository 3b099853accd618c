"""Files nobody here wrote: each is read, or refused in sentences; none ends in a traceback.

The folder is not part of the repository; without it these tests say so and are skipped.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from given import GIVEN

from gameday.spec import read_runbook, validate_file

CORPORA = GIVEN.corpora


def files(folder: str, *endings: str) -> list[Path]:
    found = sorted(p for p in (CORPORA / folder).rglob("*") if p.suffix in endings)
    if not found:
        pytest.skip(
            f"no published {folder} files here: GAMEDAY_TEST_CORPORA names a folder of them"
        )
    return found


def test_every_published_runbook_is_read() -> None:
    books = [read_runbook(path) for path in files("runbooks", ".md")]

    # Two of the published ones have no title of their own but the site's.
    assert [] == [b.path for b in books if not b.title]
    assert [] == [b.path for b in books if not b.sections and "## " in b.text]
    with_steps = [b for b in books if b.first_checks or b.fixes]
    assert len(with_steps) * 4 > len(books)


def test_every_published_slo_is_read_or_refused_by_the_name_of_the_feature() -> None:
    for path in files("openslo", ".yaml"):
        for problem in validate_file(path):
            assert problem.line > 0 or not problem.field, str(problem)
            assert problem.message


def test_a_published_experiment_is_judged_as_chaos_toolkit_would() -> None:
    verdicts = {p.name: not validate_file(p) for p in files("chaostoolkit", ".json")}

    assert verdicts["check-file-exists.json"]
    assert verdicts["check-file-exists-fail.json"]
    assert verdicts["check-file-exists-deviated.json"]
    assert not verdicts["invalid-plan.json"]
    assert not verdicts["well-formed-experiment.json"]  # an obsolete format, in spite of its name


def test_a_fault_manifest_of_another_tool_is_refused_by_its_kind() -> None:
    for path in (*files("chaos-mesh", ".yaml"), *files("litmus", ".yaml")):
        (problem, *_) = validate_file(path)

        assert problem.message.startswith("gameday knows no kind"), str(problem)
