"""The sentences of a Markdown text that somebody wrote as prose, each with its line.

Code, HTML, comments, front matter and quotations are nobody's prose: what a chat or a log said is
evidence. Headings, paragraphs, items and the cells of tables are. Links and emphasis are their
words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

__all__ = ["Chapter", "Sentence", "chapters_of", "sentences_of"]

# A full stop behind one of these ends no sentence.
_ABBREVIATED = re.compile(
    r"\b(?:e\.g|i\.e|etc|vs|cf|approx|ca|fig|mr|mrs|ms|dr|st|inc|ltd|resp)\.$", re.IGNORECASE
)
# Initials keep their case: `plan b.` ends a sentence, `J. Doe` does not.
_INITIAL = re.compile(r"(?:^|\s)[A-Z]\.$")
_END = re.compile(r"[.!?][\"'”’)\]]*(?=\s+[\"'“‘(\[`]?[A-Z0-9])")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence.

    Attributes:
        words: on one line; code stands in backticks, links are their text.
        line: 1-based, where it begins.
    """

    words: str
    line: int


@dataclass(frozen=True, slots=True)
class Chapter:
    """What stands between a heading and the next one of any level.

    Attributes:
        heading: its words.
        level: 1 to 6.
        line: 1-based, of the heading.
        sentences: of everything down to the next heading, in order; may be empty.
    """

    heading: str
    level: int
    line: int
    sentences: Sequence[Sentence]


def sentences_of(text: str) -> Sequence[Sentence]:
    """Return the sentences of a text in the order they stand in, headings among them."""
    return [sentence for block in _blocks(text) for sentence in _split(block)]


def chapters_of(text: str) -> Sequence[Chapter]:
    """Return the headings of a text, each with the sentences below it."""
    found: list[tuple[_Block, list[Sentence]]] = []
    for block in _blocks(text):
        if block.level:
            found.append((block, []))
        elif found:
            found[-1][1].extend(_split(block))
    return [Chapter(" ".join(b.text.split()), b.level, b.line, below) for b, below in found]


@dataclass(frozen=True, slots=True)
class _Block:
    """A heading (level 1 to 6), or a paragraph or a cell (0), with its own ends of lines."""

    text: str
    line: int
    level: int


def _blocks(text: str) -> Iterator[_Block]:
    # A lone carriage return is an end of line to CommonMark, and to nobody who counts lines.
    lines = text.replace("\r\n", "\n").replace("\r", " ").split("\n")
    if lines[0].rstrip() == "---":
        end = next((n for n in range(1, len(lines)) if lines[n].rstrip() == "---"), -1)
        lines[: end + 1] = [""] * (end + 1)
    quoted, line, level = 0, 1, 0
    for token in _parser().parse("\n".join(lines)):
        if token.type in ("blockquote_open", "blockquote_close"):
            quoted += token.nesting
        if token.map is not None:
            line = token.map[0] + 1
        if token.type == "heading_open":
            level = int(token.tag.removeprefix("h"))
        elif token.type == "inline" and not quoted and (words := _words(token)).strip():
            yield _Block(words, line, level)
        elif token.type == "heading_close":
            level = 0


def _words(inline: Token) -> str:
    parts = []
    for child in inline.children or ():
        if child.type == "text":
            parts.append(child.content)
        elif child.type == "code_inline":
            parts.append(f"`{child.content}`")
        elif child.type in ("softbreak", "hardbreak"):
            parts.append("\n")
    return "".join(parts)


def _split(block: _Block) -> Iterator[Sentence]:
    for begin, end in _spans(block.text):
        whole = block.text[begin:end]
        words = " ".join(whole.split())
        if re.search(r"\w", words):
            start = begin + len(whole) - len(whole.lstrip())
            yield Sentence(words, block.line + block.text.count("\n", 0, start))


def _spans(text: str) -> Iterator[tuple[int, int]]:
    begin = 0
    # Neither code nor what it holds ends a sentence; nor does what stands inside a quotation.
    masked = re.sub(r"`[^`]*`", lambda code: "`" + "x" * (len(code[0]) - 2) + "`", text)
    masked = re.sub(r"“[^”]*(?=.”)", lambda said: re.sub(r"[.!?]", "x", said[0]), masked)
    for match in _END.finditer(masked):
        head = masked[begin : match.end()]
        if _INITIAL.search(head) or _ABBREVIATED.search(head):
            continue
        yield begin, match.end()
        begin = match.end()
    yield begin, len(text)


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt  # late: it is read by few commands

    return MarkdownIt("commonmark").enable("table")
