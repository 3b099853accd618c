"""Every bad file says, in its own comments, what must be said about it, and where.

``# ! field: message (hint)`` stands in the line the problem must name.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from gameday.errors import ExitCode, Problem, SpecError
from gameday.spec import Catalogue, read_scenario, validate_file

HERE = Path(__file__).parent
CATALOGUE = Catalogue((HERE / "catalogue",))


def expected_problems(path: Path) -> list[str]:
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        for said in re.split(r"\s*# ! ", line)[1:]:
            found.append(f"{path}:{number}: {said}")
    return sorted(found)


@pytest.mark.parametrize("path", sorted((HERE / "bad").iterdir()), ids=lambda p: p.name)
def test_every_problem_of_a_bad_file_is_named_with_its_line_and_remedy(path: Path) -> None:
    problems = validate_file(path, catalogue=CATALOGUE)

    assert "\n".join(expected_problems(path)) == "\n".join(sorted(str(p) for p in problems))


@pytest.mark.parametrize("path", sorted((HERE / "good").iterdir()), ids=lambda p: p.name)
def test_a_good_file_has_no_problem(path: Path) -> None:
    assert [] == validate_file(path, catalogue=CATALOGUE)


def refused(path: Path) -> list[Problem]:
    with pytest.raises(SpecError) as caught:
        read_scenario(path, catalogue=CATALOGUE)
    assert ExitCode.USAGE == caught.value.exit_code
    return list(caught.value.problems)


def test_ten_megabytes_of_noise_are_refused_without_being_read(tmp_path: Path) -> None:
    path = tmp_path / "noise.yaml"
    path.write_bytes(b"\x00\xff{[:\t" * (10 * 1024 * 1024 // 6))
    started = time.process_time()

    (problem,) = refused(path)

    assert "is larger than 1024 KiB and was not read" == problem.message
    assert time.process_time() - started < 1


def test_a_yaml_bomb_is_refused_where_it_explodes(tmp_path: Path) -> None:
    path = tmp_path / "bomb.yaml"
    levels = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    path.write_text("a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "\n".join(levels))

    (problem,) = refused(path)

    assert (6, "holds more than 100000 values once its aliases are expanded") == (
        problem.line,
        problem.message,
    )


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("[" * 100_000, 1, "is nested deeper than 60 levels"),
        ("- " * 100_000, 1, "is nested deeper than 60 levels"),
        ("\n" + "{a: " * 100_000, 2, "is nested deeper than 60 levels"),
        ("a: &a [1]\nb: [" + "*a, " * 200 + "]", 2, "uses more than 100 aliases"),
        ("a: &a [*a]", 1, "the alias '*a' points at a value that contains it"),
        ("a: 1\nb: *nothing", 2, "the alias '*nothing' has no anchor before it"),
        ("- x\n" * 150_000, 100_000, "holds more than 100000 values once its aliases are expanded"),
        ("", 0, "the file is empty"),
        ("# only a comment\n---\n", 0, "the file is empty"),
        ("just words", 1, "the document is just 'just words', not a mapping of fields"),
        ("a\0b", 1, "holds a NUL byte: this is no text file"),
        ("a: \x07", 0, "holds characters that YAML does not allow: no text file?"),
    ],
    ids=lambda value: str(value)[:20].encode("unicode_escape").decode(),
)
def test_a_document_that_is_none_is_refused_in_one_sentence(
    tmp_path: Path, text: str, line: int, message: str
) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)

    (problem,) = refused(path)

    assert (str(path), line, message) == (problem.file, problem.line, problem.message)


def test_bytes_that_are_no_utf8_are_refused_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a: 1\nb: \xe4\n")

    (problem,) = refused(path)

    assert (2, "is not UTF-8 text", "save the file as UTF-8") == (
        problem.line,
        problem.message,
        problem.hint,
    )


@pytest.mark.parametrize("name", ["", "missing.yaml", "a\0b", "x" * 5000])
def test_a_path_that_leads_nowhere_is_a_problem_not_a_traceback(tmp_path: Path, name: str) -> None:
    assert 1 == len(refused(Path(f"{tmp_path}/{name}")))


def test_a_device_is_never_read() -> None:
    (problem,) = refused(Path("/dev/zero"))

    assert "is not a regular file" == problem.message
