"""Drawn experiments, whole and broken: gameday and Chaos Toolkit judge each alike."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gameday.testing.agreement import agreement
from gameday.testing.experiments import drawn, somewhere

ROW = 150
ALL = 2000


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with somewhere() as url:
        yield url


def disagreements(folder: Path, base: str, seeds: range) -> tuple[list[str], set[str]]:
    found = []
    words = set()
    for seed in seeds:
        judged = agreement(drawn(seed, base).written(folder), base)
        words.add(judged.word)
        if not judged.holds:
            found.append(f"seed {seed}: {judged}")
    return found, words


def test_validate_and_chaos_toolkit_agree_on_drawn_experiments(tmp_path: Path, base: str) -> None:
    found, words = disagreements(tmp_path, base, range(1, ROW + 1))

    assert [] == found
    assert {"played by both", "refused by both"} <= words


@pytest.mark.long
def test_validate_and_chaos_toolkit_agree_on_two_thousand(tmp_path: Path, base: str) -> None:
    found, _ = disagreements(tmp_path, base, range(1, ALL + 1))

    assert [] == found
