"""``programme.yaml``: where it is found, and that nothing in it ends in a traceback."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gameday.errors import SpecError
from gameday.governance.permission import Start, judge
from gameday.spec import find_programme, read_programme, schema, validate_file
from gameday.spec.document import Document
from gameday.spec.programme import programme_of

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
EMPTY = "apiVersion: gameday/v1\nkind: Programme\nmetadata: {name: p}\nspec: {}\n"


def test_it_is_found_in_the_working_directory_before_that_of_the_scenario(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        (folder / "programme.yaml").write_text(EMPTY)
    scenario = there / "scenarios/x.yaml"
    monkeypatch.chdir(here)

    assert Path("programme.yaml") == find_programme(scenario)
    (here / "programme.yaml").unlink()
    assert there / "programme.yaml" == find_programme(scenario)
    assert find_programme() is None


@pytest.mark.parametrize("name", ["programme.yaml", "programme.yml", "scenarios/programme.yaml"])
def test_it_may_end_in_yml_and_stand_among_the_scenarios(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a/scenarios").mkdir(parents=True)
    (tmp_path / "a" / name).write_text(EMPTY)

    assert tmp_path / "a" / name == find_programme(tmp_path / "a/scenarios/x.yaml")


def test_the_example_governs_nobody_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert find_programme() is None
    assert find_programme(tmp_path / "scenarios/x.yaml") is None


def test_a_link_that_leads_nowhere_is_an_error_and_not_a_permission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "programme.yaml").symlink_to("gone.yaml")

    path = find_programme()

    assert path is not None
    with pytest.raises(SpecError, match="there is no such file"):
        read_programme(path)


def test_a_file_of_that_name_is_read_as_a_programme_whatever_its_kind(tmp_path: Path) -> None:
    path = tmp_path / "programme.yaml"
    path.write_text(EMPTY.replace("Programme", "Program"))

    (problem,) = validate_file(path)

    assert f"{path}:2: kind: 'Program' is not valid (did you mean 'Programme'?)" == str(problem)


def test_the_shipped_programme_is_valid() -> None:
    assert [] == validate_file(ROOT / "programme.yaml")


def test_the_example_of_the_page_is_valid_and_says_what_the_page_shows(tmp_path: Path) -> None:
    page = (ROOT / "docs/programme.md").read_text(encoding="utf-8")
    path = tmp_path / "programme.yaml"
    path.write_text(page.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    at = datetime.fromisoformat("2026-12-26T10:00:00+01:00")

    found = judge(read_programme(path), Start("kubernetes/shop-eu", (), at))

    assert 2 == len(found.refusals)
    assert all(f"  {r.ground}: {r}\n" in page for r in found.refusals)


def matches(pattern: str, text: str) -> bool:
    return re.search(pattern, text) is not None


def test_the_schema_knows_the_fields_of_the_file() -> None:
    found = json.loads(json.dumps(schema("programme")))
    blackout = found["$defs"]["Blackout"]["properties"]
    targets = found["$defs"]["ProgrammeSpec"]["properties"]["targets"]

    assert ["apiVersion", "kind", "metadata", "spec"] == list(found["properties"])
    assert {"from", "until", "weekly", "daily", "timezone"} <= set(blackout)
    pattern = targets["propertyNames"]["pattern"]
    assert matches(pattern, "kubernetes/prod-eu") and matches(pattern, "sandbox")
    assert not matches(pattern, "sandbox/x") and not matches(pattern, "kubernetes/")
    assert {"type": "null"} in targets["additionalProperties"]["anyOf"]
    moment = blackout["from"]["anyOf"][0]["pattern"]
    assert all(matches(moment, text) for text in blackout["from"]["anyOf"][0]["examples"])


WORDS = [
    "2026-12-24", "2026-12-24T18:00", "2026-12-24T18:00:00+01:00", "2026-12-24T25:00Z",
    "0001-01-01", "9999-12-31", "Europe/Berlin", "UTC", "../UTC", "Sat", "Sun", "00:00-06:00",
    "22:00-06:00", "24:00-24:00", "99:99-99:99", "20%", "sandbox", "kubernetes", "kubernetes/x",
    "none", "required", "sre-lead", "{x}", "", "a\nb", "\0",
]  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(WORDS) | st.text(), inner, max_size=3)
    ),
    max_leaves=8,
)
likely = st.sampled_from(WORDS) | st.lists(st.sampled_from(WORDS), max_size=3) | values


def fields(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(names), likely, max_size=len(names))


blackouts = fields(
    "name", "reason", "from", "until", "weekly", "daily", "timezone", "targets", "regions"
)
terms = fields("disposable", "production", "approval", "approvers", "errorBudgetLeftAbove")
specs = st.fixed_dictionaries(
    {},
    optional={
        "errorBudgetLeftAbove": likely,
        "errorBudgetHistoryAbove": likely,
        "blackouts": st.lists(blackouts | values, max_size=4) | values,
        "targets": st.dictionaries(st.sampled_from(WORDS), terms | values, max_size=3) | values,
    },
)


@settings(
    max_examples=2 * settings.default.max_examples,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
)
@given(specs | values)
def test_any_values_give_a_programme_or_problems_and_no_traceback(spec: Any) -> None:
    data = {
        "apiVersion": "gameday/v1",
        "kind": "Programme",
        "metadata": {"name": "x"},
        "spec": spec,
    }

    found, problems = programme_of(Document("x.yaml", data, {(): 1}))

    assert (found is None) == bool(problems)
    assert all(p.message and "\n" not in str(p) for p in problems)
