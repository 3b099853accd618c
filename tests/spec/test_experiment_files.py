"""Experiments as files: read as Chaos Toolkit reads them, and judged before any code is loaded."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from gameday.drivers.chaostoolkit import experiment as experiments
from gameday.errors import SpecError
from gameday.extras import Extra, is_there
from gameday.spec import absent_here, read_documents, validate_file
from gameday.spec.document import only
from gameday.spec.experiment.functions import Function, Module, _of_loaded, _of_source

ACTION = {"type": "action", "name": "a", "provider": {"type": "process", "path": "true"}}
WHOLE: dict[str, Any] = {"title": "t", "description": "d", "method": [ACTION]}


def written(folder: Path, text: str, name: str = "x.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def python(func: str, module: str = "gameday.testing.activities", **more: Any) -> dict[str, Any]:
    return {
        "type": "action",
        "name": "call",
        "provider": {"type": "python", "module": module, "func": func, **more},
    }


def said(folder: Path, **parts: Any) -> list[str]:
    path = written(folder, json.dumps({**WHOLE, **parts}, indent=1), "x.json")
    return [f"{p.field}: {p.message}" for p in validate_file(path)]


def test_json_indented_with_tabs_is_valid_and_read_to_be_played(tmp_path: Path) -> None:
    path = written(tmp_path, json.dumps(WHOLE, indent="\t"), "x.json")

    assert [] == validate_file(path)
    assert WHOLE == experiments.read(str(path))


def test_json_that_writes_a_character_in_two_halves_is_read(tmp_path: Path) -> None:
    title = "\N{COLLISION SYMBOL}"
    path = written(tmp_path, json.dumps({**WHOLE, "title": title}), "x.json")

    assert "\\ud83d\\udca5" in path.read_text(encoding="utf-8")
    assert [] == validate_file(path)
    assert title == experiments.read(str(path))["title"]


def test_yaml_is_read_as_chaos_toolkit_reads_it(tmp_path: Path) -> None:
    body = "title: t\ndescription: d\nmethod: []\n"
    text = body + "configuration: {a: NO, b: 0777, c: 12:30:00, d: 'NO'}\n"
    path = written(tmp_path, text)

    assert [] == validate_file(path)
    assert {"a": False, "b": 511, "c": 45000, "d": "NO"} == experiments.read(str(path))[
        "configuration"
    ]


def test_json_says_what_it_says_in_every_kind_of_file(tmp_path: Path) -> None:
    path = written(tmp_path, '{\n\t"a": "NO",\n\t"b": [1.50, "12:30:00", null]\n}', "x.json")

    document = only(read_documents(path))

    assert {"a": "NO", "b": [1.5, "12:30:00", None]} == document.data
    assert [2, 3, 3] == [document.line(p) for p in (("a",), ("b",), ("b", 1))]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('{"a": 1,\n "b": }', 2, "is no valid JSON: expecting value (column 7)"),
        ('{"a": 1,\n "a": 2}', 2, "'a' is given twice"),
        ('{"a":\n NaN}', 2, "NaN is no number that JSON knows"),
        (
            '{"a":\n "\\ud83d"}',
            2,
            "holds one half of a character that JSON writes in two",
        ),
        ('{\n"a": ' + "[" * 100_000, 2, "is nested deeper than 60 levels"),
        ("[" + "1,\n" * 150_000 + "1]", 100_000, "holds more than 100000 values"),
        ("a: 1", 1, "is no valid JSON: expecting value (column 1)"),
        (" \n", 0, "the file is empty"),
    ],
    ids=lambda value: str(value)[:15].encode("unicode_escape").decode(),
)
def test_what_is_no_json_is_refused_with_its_line(
    tmp_path: Path, text: str, line: int, message: str
) -> None:
    path = written(tmp_path, text, "x.json")

    with pytest.raises(SpecError) as caught:
        document = only(read_documents(path))
        raise SpecError(document.problems)

    assert (line, message) == (caught.value.problems[0].line, caught.value.problems[0].message)


def test_a_date_reaches_an_action_as_it_was_written(tmp_path: Path) -> None:
    text = "title: t\ndescription: d\nmethod: []\nconfiguration: {day: 2026-01-01, 5: x}\n"
    experiment = experiments.read(str(written(tmp_path, text)))

    kept = json.loads(json.dumps(experiments.carried(experiment)))

    assert experiment == experiments.uncarried(kept)
    assert {"day": "2026-01-01", "5": "x"} == kept["experiment"]["configuration"]


def test_merge_keys_and_aliases_are_yaml_as_chaos_toolkit_reads_it(tmp_path: Path) -> None:
    text = (
        "title: t\ndescription: d\n"
        "method:\n"
        "  - &a {type: action, name: a, provider: {type: process, path: 'true'}}\n"
        "  - {<<: *a, name: b}\n"
    )
    path = written(tmp_path, text)

    assert [] == validate_file(path)
    assert ["a", "b"] == [a["name"] for a in experiments.read(str(path))["method"]]


def test_a_function_that_a_module_has_not_is_named_without_loading_it(tmp_path: Path) -> None:
    module = "gameday.sandbox.shop.changes"
    was_loaded = module in sys.modules

    found = said(tmp_path, method=[python("nothing", module)])

    assert [f"method[0].provider.func: '{module}' has no function 'nothing'"] == found
    assert was_loaded == (module in sys.modules)


def test_arguments_that_a_function_does_not_take_are_named(tmp_path: Path) -> None:
    found = said(tmp_path, method=[python("needs", arguments={"cuont": 1})])

    assert ["method[0].provider.arguments: 'needs': missing a required argument: 'name'"] == found


def test_what_this_machine_has_not_is_no_problem_of_the_file_and_is_said(tmp_path: Path) -> None:
    lost = {"type": "process", "path": "no-such-program"}
    method = [python("x", "no_such.module"), {**ACTION, "provider": lost}]
    unset = {"type": "env", "key": "NOBODY_SET_THIS"}
    whole = {**WHOLE, "method": method, "configuration": {"token": unset}}
    path = written(tmp_path, json.dumps(whole), "x.json")

    assert [] == validate_file(path)
    assert [
        "the environment has no variable 'NOBODY_SET_THIS'",
        "this machine has no Python module 'no_such.module'",
        "this machine has no program 'no-such-program'",
    ] == [absence.message for absence in absent_here(path)]


def test_a_probe_by_reference_keeps_the_tolerance_it_is_given() -> None:
    probe = {"type": "probe", "name": "p", "provider": {"type": "process", "path": "true"}}
    held = {"title": "h", "probes": [{"ref": "p", "tolerance": 0}]}
    whole = {**WHOLE, "method": [probe], "steady-state-hypothesis": held}

    played = experiments.with_values(whole, {})

    assert {**probe, "tolerance": 0} == played["steady-state-hypothesis"]["probes"][0]


def test_a_json_path_is_read_or_said_what_to_install(tmp_path: Path) -> None:
    probe = {**ACTION, "type": "probe", "tolerance": {"type": "jsonpath", "path": "$["}}
    found = said(tmp_path, **{"steady-state-hypothesis": {"title": "h", "probes": [probe]}})

    at = "steady-state-hypothesis.probes[0].tolerance"
    if is_there(Extra.JSONPATH):
        assert found[0].startswith(f"{at}.path: '$[' is no JSON path")
    else:
        assert found[0].startswith(f"{at}.type: a tolerance of type jsonpath needs")
        assert found[0].endswith("pip install 'gameday[jsonpath]'")


@pytest.mark.parametrize(
    "module",
    ["shutil", "json", "os", "statistics", "gameday.chaos.faults.pressure", "chaoslib.run"],
)
def test_what_is_read_out_of_a_source_is_what_running_it_gives(module: str) -> None:
    loaded = importlib.import_module(module)
    assert loaded.__file__ is not None
    read = _of_source(Path(loaded.__file__))
    real = _of_loaded(loaded)

    assert isinstance(read, Module)
    certain = {n: f for n, f in read.bound.items() if isinstance(f, Function) and n in real.bound}
    assert certain
    for name, function in certain.items():
        actual = real.bound[name]
        assert isinstance(actual, Function)
        if function.signature is not None and actual.signature is not None:
            assert list(function.signature.parameters) == list(actual.signature.parameters)
    if read.is_whole:
        ours = {n for n, f in real.bound.items() if isinstance(f, Function)}
        assert set() == ours - set(read.bound)
