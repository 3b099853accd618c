"""Items that ask for the same find each other, whatever their words; others do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gameday.learning.flywheel.themes import RECURS
from gameday.learning.flywheel.wording import ALIKE, Themes, likeness, signature

LABELLED = yaml.safe_load(
    (Path(__file__).parent / "labelled/wordings.yaml").read_text(encoding="utf-8")
)


def largest(wordings: Sequence[str]) -> int:
    """Return how many of these end up in one theme."""
    shelf = Themes()
    return max(Counter(shelf.place("shop", signature(w)) for w in wordings).values())


@pytest.mark.parametrize("wordings", LABELLED["tuned"], ids=lambda w: w[0])
def test_what_was_asked_for_in_six_ways_recurs(wordings: Sequence[str]) -> None:
    assert largest(wordings) >= RECURS


def test_of_what_the_rules_were_not_written_on_three_in_four_recur() -> None:
    found = [largest(wordings) >= RECURS for wordings in LABELLED["held_out"]]

    assert 3 <= sum(found)
    assert 4 == len(found)


def test_what_is_different_does_not_recur() -> None:
    assert largest(LABELLED["different"]) < RECURS


def test_components_are_kept_apart() -> None:
    shelf = Themes()
    asked = signature("Set a timeout on every call")

    assert shelf.place("cart", asked) != shelf.place("mailer", asked)


def test_links_numbers_and_marks_say_nothing() -> None:
    plain = signature("Add alerts for a full disk")

    assert plain == signature(
        "**Add** [alerts](https://example.org/issues/7) for a `full` disk. #12"
        " https://example.org/x"
    )


def test_a_mistyped_word_is_the_word() -> None:
    asked, typed = signature("Renew the certificate"), signature("Renew the certifcate")

    assert asked != typed
    assert likeness(asked, typed) >= ALIKE


def test_an_alert_and_a_runbook_for_the_same_are_two_things() -> None:
    alert, runbook = (signature(f"Add {what} for search latency") for what in ("an alert", "docs"))

    assert likeness(alert, runbook) < ALIKE


def test_a_theme_that_is_known_already_takes_in_what_is_like_it() -> None:
    shelf = Themes(next_number=7)
    shelf.know(3, "shop", signature("Set a timeout on calls to the ledger"))

    assert [3, 7] == [
        shelf.place("shop", signature("Calls to the ledger need timeouts")),
        shelf.place("shop", signature("Rotate the keys of the vault")),
    ]


@given(st.text())
def test_a_wording_is_like_itself_or_says_nothing(wording: str) -> None:
    stems = signature(wording)

    assert stems == "" or likeness(stems, stems) == pytest.approx(1.0)


@given(st.text(), st.text())
def test_likeness_has_no_direction(one: str, other: str) -> None:
    first, second = signature(one), signature(other)

    assert likeness(first, second) == pytest.approx(likeness(second, first))
    assert 0.0 <= likeness(first, second) <= 1.0 + 1e-9
