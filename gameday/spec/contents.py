"""What a Markdown text holds beside its outline: links, code, anchors, and the words of its lines.

Lines are counted as ``text.split("\\n")`` counts them, front matter included.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

__all__ = ["Code", "TextContents", "Line", "WrittenLink", "contents_of", "slug"]

_BARE = re.compile(r"\bhttps?://[^\s<>\"'`|{}\\^]+")
# What stands behind an address in a sentence is not of it. Source: GFM 0.29, "Autolinks".
_BEHIND = "?!.,:;*_~'\""
# An anchor of its own, as site generators take it: `## Heading {#anchor}`.
_GIVEN = re.compile(r"\{#([^\s{}]+)\}\Z")
_SHORTCODE = re.compile(
    r"\]\(\s*\{\{[<%]\s*(?:rel)?ref\s+(?P<quote>[\"'`])(?P<to>[^\"'`]+)(?P=quote)\s*[>%]\}\}\s*\)"
)


@dataclass(frozen=True, slots=True)
class WrittenLink:
    """Where a text leads.

    Attributes:
        to: as it is written, but for escapes: an address, a path, ``#anchor``; may be empty.
        line: 1-based.
        by_generator: whether a site generator makes the address of it (Hugo's ``ref``).
    """

    to: str
    line: int
    by_generator: bool = False


@dataclass(frozen=True, slots=True)
class Code:
    """A block of code.

    Attributes:
        language: the first word behind the fence, in small letters; empty where there is none.
        text: without fences and their indentation.
        line: 1-based, of its first line of code.
    """

    language: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Line:
    """Words of a line that are read as prose: no code, no HTML, no comment."""

    words: str
    line: int


@dataclass(frozen=True, slots=True)
class TextContents:
    """Everything, each in the order it stands in.

    Attributes:
        anchors: what ``#…`` may name in it.
    """

    links: Sequence[WrittenLink]
    code: Sequence[Code]
    lines: Sequence[Line]
    anchors: frozenset[str]


def contents_of(text: str) -> TextContents:
    """Return what a text holds."""
    # A lone carriage return is an end of line to CommonMark, and to nobody who counts lines.
    lines = text.replace("\r\n", "\n").replace("\r", " ").split("\n")
    if lines[0].rstrip() == "---":
        end = next((n for n in range(1, len(lines)) if lines[n].rstrip() == "---"), -1)
        lines[: end + 1] = [""] * (end + 1)
    reading = _Reading(lines)
    for token in _parser().parse("\n".join(lines)):
        reading.read(token)
    return TextContents(
        sorted(reading.links, key=lambda link: link.line),
        reading.code,
        reading.lines,
        frozenset(reading.anchors),
    )


def slug(heading: str, taken: Counter[str] | None = None) -> str:
    """Return the anchor of a heading as GitHub makes it.

    Small letters, spaces as hyphens, and of everything else only letters, marks, figures, ``-`` and
    ``_``; the second of its kind ends in ``-1``.

    Args:
        heading: its words as they are shown.
        taken: how often each was there before; counted on.

    Source: github/html-pipeline 2, ``table_of_contents_filter.rb``.
    """
    kept = "".join(c for c in heading.lower() if c in " -" or _is_word(c)).replace(" ", "-")
    if taken is None:
        return kept
    count = taken[kept]
    taken[kept] += 1
    return f"{kept}-{count}" if count else kept


def _is_word(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] in "LM" or category in ("Nd", "Nl", "Pc")


class _Reading:
    """A text while it is read, token by token."""

    def __init__(self, source: Sequence[str]) -> None:
        self._source = source
        self._taken: Counter[str] = Counter()
        self._is_heading = False
        self.links: list[WrittenLink] = []
        self.code: list[Code] = []
        self.lines: list[Line] = []
        self.anchors: list[str] = []

    def read(self, token: Token) -> None:
        if token.type == "heading_open":
            self._is_heading = True
        elif token.map is None:
            return
        elif token.type == "inline":
            self._inline(token, token.map[0], token.map[1])
            self._is_heading = False
        elif token.type in ("fence", "code_block"):
            language = token.info.split()[0].lower() if token.info.split() else ""
            begin = token.map[0] + (2 if token.type == "fence" else 1)
            self.code.append(Code(language.strip("{}."), token.content, begin))
        elif token.type == "html_block":
            self._html(token.content, token.map[0] + 1)

    def _inline(self, token: Token, begin: int, end: int) -> None:
        shown, words, line, within = [], "", begin + 1, 0
        for child in token.children or ():
            if child.type in ("softbreak", "hardbreak"):
                self._say(words, line)
                words, line = "", line + 1
                shown.append(" ")
            elif child.type == "link_open":
                within += 1
                self._lead(str(child.attrs.get("href", "")), line, end)
            elif child.type == "link_close":
                within -= 1
            elif child.type == "image":
                self._lead(str(child.attrs.get("src", "")), line, end)
            elif child.type == "html_inline":
                self._html(child.content, line)
            elif child.type in ("text", "code_inline"):
                shown.append(child.content)
                if child.type == "text":
                    words += child.content
                    if not within:
                        self._bare(child.content, line)
        self._say(words, line)
        if self._is_heading:
            heading = "".join(shown).strip()
            self.anchors.append(slug(heading, self._taken))
            self.anchors += _GIVEN.findall(heading)

    def _say(self, words: str, line: int) -> None:
        if words.strip():
            self.lines.append(Line(words.strip(), line))
        for found in _SHORTCODE.finditer(words):
            self.links.append(WrittenLink(found["to"].strip(), line, by_generator=True))

    def _lead(self, to: str, line: int, end: int) -> None:
        # Code that runs over two lines is one token, so that the line may be a later one.
        later = (n for n in range(line, end + 1) if to and to in self._source[n - 1])
        line = next(later, line)
        self.links.append(WrittenLink(to, line))

    def _bare(self, text: str, line: int) -> None:
        for found in _BARE.finditer(text):
            to = found[0].rstrip(_BEHIND)
            while to.endswith(")") and to.count(")") > to.count("("):
                to = to[:-1].rstrip(_BEHIND)
            self.links.append(WrittenLink(to, line))

    def _html(self, text: str, line: int) -> None:
        tags = _Tags(line)
        tags.feed(text)
        tags.close()
        self.links += tags.links
        self.anchors += tags.anchors
        self.anchors += [slug(heading.strip(), self._taken) for heading in tags.headings]


class _Tags(HTMLParser):
    """Links and anchors of a piece of HTML, and its headings."""

    def __init__(self, line: int) -> None:
        super().__init__()
        self._line = line
        self._heading: str | None = None
        self.links: list[WrittenLink] = []
        self.anchors: list[str] = []
        self.headings: list[str] = []

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" or (tag == "a" and name == "name"):
                self.anchors.append(value or "")
            elif (tag, name) in (("a", "href"), ("img", "src")):
                self.links.append(WrittenLink(value or "", self._line + self.getpos()[0] - 1))
        if re.fullmatch("h[1-6]", tag):
            self._heading = ""

    def handle_endtag(self, tag: str) -> None:
        if self._heading is not None and re.fullmatch("h[1-6]", tag):
            self.headings.append(self._heading)
            self._heading = None

    def handle_data(self, data: str) -> None:
        if self._heading is not None:
            self._heading += data


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt  # late: it is read by few commands

    parser = MarkdownIt("commonmark").enable("table")
    # Nothing is rendered: what a page must not lead to (`file:`) is to be found, as it is written.
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
    parser.normalizeLink = lambda url: url  # type: ignore[method-assign]
    return parser
