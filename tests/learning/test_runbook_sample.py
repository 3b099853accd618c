"""What the linter finds in runbooks that others wrote is true, as a reader labelled it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from given import GIVEN

from gameday.drivers.bash import Bash
from gameday.house.runbooks.linting import linted
from gameday.house.runbooks.shelf import shelf_of
from gameday.learning.flaw import Flaw, FlawKind
from gameday.testing.runbook_sample import drawn, labels_in, name_of

RUNBOOKS = GIVEN.corpora / "runbooks"
LABELS = Path(__file__).parent / "labelled/runbook_flaws.yaml"
SEED, COUNT = 17, 30


@pytest.mark.served
async def test_every_flaw_of_the_labelled_sample_is_found_and_true() -> None:
    if not RUNBOOKS.is_dir():
        pytest.skip("no published runbooks here: GAMEDAY_TEST_CORPORA names a folder of them")

    found = await linted(shelf_of([RUNBOOKS]), today=date(2026, 11, 28), bash=Bash())
    labels = labels_in(LABELS, SEED)

    names = [name_of(flaw, RUNBOOKS) for flaw in drawn(found.flaws, SEED, COUNT)]
    assert list(labels) == names
    assert {True} == {label.is_true for label in labels.values()}


def test_a_sample_takes_one_of_each_kind_in_turn() -> None:
    flaws = [Flaw(FlawKind.OWNER, "x.md", n, "none", "") for n in range(9)]
    flaws += [Flaw(FlawKind.LINK, "x.md", 1, "gone", ""), Flaw(FlawKind.ANCHOR, "x.md", 1, "", "")]

    kinds = [flaw.kind for flaw in drawn(flaws, 1, 5)]

    assert ["anchor", "link", "owner", "owner", "owner"] == kinds


def test_another_seed_draws_another_sample() -> None:
    flaws = [Flaw(FlawKind.OWNER, "x.md", n, "none", "") for n in range(99)]

    assert drawn(flaws, 1, 9) == drawn(flaws, 1, 9)
    assert drawn(flaws, 1, 9) != drawn(flaws, 2, 9)
