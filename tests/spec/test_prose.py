"""The sentences of a Markdown text, each with the line it begins in."""

from __future__ import annotations

import pytest

from gameday.spec.prose import Sentence, chapters_of, sentences_of


def words(text: str) -> list[str]:
    return [s.words for s in sentences_of(text)]


def test_a_sentence_has_the_line_it_begins_in_and_goes_on_over_the_ends_of_lines() -> None:
    text = "# Title\n\nOne begins\nand ends here. Two\nis short. Three.\n"

    assert [
        Sentence("Title", 1),
        Sentence("One begins and ends here.", 3),
        Sentence("Two is short.", 4),
        Sentence("Three.", 5),
    ] == list(sentences_of(text))


@pytest.mark.parametrize(
    "sentence",
    [
        "The first page, e.g. The one at night, was late.",
        "It was J. Doe's page.",
        "Version 1.2.3 was live at 14.05 h.",
        "The address `db.Internal. The one` is dead.",
        "Pods, nodes, etc. Were drained.",
    ],
)
def test_a_full_stop_ends_no_sentence_in_abbreviations_numbers_and_code(sentence: str) -> None:
    assert [sentence] == words(sentence)


@pytest.mark.parametrize(
    "text",
    [
        "```\nHe forgot it.\n```\n",
        "    He forgot it.\n",
        "> He forgot it.\n",
        "<!-- He forgot it. -->\n",
        "<p>He forgot it.</p>\n",
        "---\nauthor: He forgot it.\n---\n",
    ],
)
def test_code_quotations_html_and_front_matter_are_no_prose(text: str) -> None:
    assert ["Prose."] == words(f"{text}\nProse.\n")


def test_what_stands_inside_a_quotation_ends_no_sentence() -> None:
    text = "The log said “Disk full. Stop! Why?” and went on. It was “over.” Then it ended.\n"

    assert [
        "The log said “Disk full. Stop! Why?” and went on.",
        "It was “over.”",
        "Then it ended.",
    ] == words(text)


def test_items_and_cells_are_prose_and_links_are_their_words() -> None:
    text = "- see [the *plan*](https://x.example/a.B)\n\n| a | b |\n|---|---|\n| c | d |\n"

    assert ["see the plan", "a", "b", "c", "d"] == words(text)
    assert [1, 3, 3, 5, 5] == [s.line for s in sentences_of(text)]


def test_lines_are_counted_behind_front_matter_and_with_any_ending() -> None:
    text = "---\r\na: 1\r\n---\r\n\r\nOne.\r\n\r\nTwo.\r\n"

    assert [5, 7] == [s.line for s in sentences_of(text)]


def test_a_chapter_holds_what_stands_down_to_the_next_heading() -> None:
    text = "Before.\n\n# A\n\nOne. Two.\n\n### B\n\n- three\n\nC\n---\n"

    found = [
        (s.heading, s.level, s.line, [x.words for x in s.sentences]) for s in chapters_of(text)
    ]

    assert [("A", 1, 3, ["One.", "Two."]), ("B", 3, 7, ["three"]), ("C", 2, 11, [])] == found
