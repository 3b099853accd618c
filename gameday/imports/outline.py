"""The outline of a Markdown text: its parts, each with sentences, items and rows of tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

__all__ = ["WrittenPart", "parts_of"]

_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[\"'“‘(\[`]?[A-Z0-9])")


@dataclass(slots=True)
class WrittenPart:
    """What stands between a heading and the next one of any level.

    Attributes:
        level: of the heading, 1 to 6; 0: what stands before the first.
        paragraphs: outside lists and tables, each on one line.
        items: of lists, down to the first paragraph of each; those of lists within lists are left
            to the item that they explain.
        tables: each as rows of cells, the header first.
    """

    heading: str
    level: int
    line: int
    paragraphs: list[str] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    tables: list[list[list[str]]] = field(default_factory=list)

    @property
    def sentences(self) -> Sequence[str]:
        """Return all of its sentences, but for cells: of paragraphs first, then of items."""
        texts = [*self.paragraphs, *self.items]
        return [s for text in texts for s in _SENTENCE.split(text) if re.search(r"\w", s)]


def parts_of(text: str) -> Sequence[WrittenPart]:
    """Return the parts of a text in order; front matter, code and HTML are left out."""
    lines = text.replace("\r\n", "\n").replace("\r", " ").split("\n")
    if lines[0].rstrip() == "---":
        end = next((n for n in range(1, len(lines)) if lines[n].rstrip() == "---"), -1)
        lines[: end + 1] = [""] * (end + 1)
    parts = [WrittenPart("", 0, 1)]
    depth, level, rows = 0, 0, False
    for token in _parser().parse("\n".join(lines)):
        if token.type in ("bullet_list_open", "ordered_list_open"):
            depth += 1
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            depth -= 1
        elif token.type == "list_item_open" and depth == 1:
            parts[-1].items.append("")
        elif token.type == "heading_open":
            level = int(token.tag.removeprefix("h"))
        elif token.type == "table_open":
            parts[-1].tables.append([])
            rows = True
        elif token.type == "table_close":
            rows = False
        elif token.type == "tr_open":
            parts[-1].tables[-1].append([])
        elif token.type == "inline":
            words = " ".join("".join(_words(token)).split())
            if level:
                line = token.map[0] + 1 if token.map else 1
                parts.append(WrittenPart(words, level, line))
                level = 0
            elif rows:
                parts[-1].tables[-1][-1].append(words)
            elif depth and parts[-1].items:
                if not parts[-1].items[-1]:
                    parts[-1].items[-1] = words
            elif words:
                parts[-1].paragraphs.append(words)
    return parts


def _words(inline: Token) -> Iterator[str]:
    for child in inline.children or ():
        if child.type == "text":
            yield child.content
        elif child.type == "code_inline":
            yield f"`{child.content}`"
        elif child.type in ("softbreak", "hardbreak"):
            yield " "


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt  # late: it is read by few commands

    return MarkdownIt("commonmark").enable("table")
