"""The outline of a Markdown text: its headings and the items of its lists, as CommonMark has them.

Comments, code and HTML are what CommonMark says they are, wherever they stand: nothing in them is a
heading, an item or words of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

__all__ = ["Heading", "Item", "Outline", "outline_of"]


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of the document itself, not of a quotation or an item.

    Attributes:
        level: 1 to 6.
        words: its text as it is written, without comments.
        line: 1-based.
        end_line: of an underlined one the line of dashes.
    """

    level: int
    words: str
    line: int
    end_line: int


@dataclass(frozen=True, slots=True)
class Item:
    """An item of an outermost list.

    Attributes:
        paragraph: its first paragraph on one line, as it is written, without comments.
        whole: all its paragraphs and what is nested in it, likewise; no code blocks.
        line: 1-based.
        end_line: its last line that holds something.
    """

    paragraph: str
    whole: str
    line: int
    end_line: int


@dataclass(frozen=True, slots=True)
class Outline:
    """Headings and items, each in the order they stand in."""

    headings: Sequence[Heading]
    items: Sequence[Item]


def outline_of(text: str) -> Outline:
    """Return the outline of a text; lines are counted as ``text.split("\\n")`` counts them."""
    # A lone carriage return is an end of line to CommonMark, and to nobody who counts lines.
    lines = text.replace("\r\n", "\n").replace("\r", " ").split("\n")
    tokens = _parser().parse("\n".join(lines))
    headings, items = [], []
    for number, token in enumerate(tokens):
        if token.map is None:
            continue
        begin, end = token.map
        if token.type == "heading_open" and token.level == 0:
            level = int(token.tag.removeprefix("h"))
            headings.append(Heading(level, _words(tokens[number + 1]), begin + 1, end))
        elif token.type == "list_item_open" and token.level == 1:
            while end > begin + 1 and not lines[end - 1].strip():
                end -= 1
            items.append(_item(_inside(tokens, number), begin + 1, end))
    return Outline(headings, items)


def _item(inside: Sequence[Token], line: int, end_line: int) -> Item:
    texts = [_words(t) for t in inside if t.type == "inline"]
    # Nothing but its own first paragraph names an item; one that begins with code has no name.
    has_head = bool(inside) and inside[0].type == "paragraph_open"
    return Item(texts[0] if has_head else "", " ".join(t for t in texts if t), line, end_line)


def _inside(tokens: Sequence[Token], opening: int) -> Sequence[Token]:
    """Return the tokens between an opening one and its end."""
    level = tokens[opening].level
    for number in range(opening + 1, len(tokens)):
        if tokens[number].level == level:
            return tokens[opening + 1 : number]
    return tokens[opening + 1 :]


def _words(inline: Token) -> str:
    """Return what a paragraph or a heading says on one line, as it is written, without comments."""
    written, kept, cursor = inline.content, "", 0
    for child in inline.children or ():
        if child.type == "code_inline":  # what looks like a comment in it is none
            begin = written.index(child.markup, cursor)
            end = written.index(child.markup, begin + len(child.markup)) + len(child.markup)
        elif child.type == "html_inline":
            begin = written.index(child.content, cursor)
            end = begin + len(child.content)
        else:
            continue
        is_comment = child.type == "html_inline" and child.content.startswith("<!--")
        kept += written[cursor:begin] if is_comment else written[cursor:end]
        cursor = end
    return " ".join((kept + written[cursor:]).split())


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt  # late: it is read by few commands

    return MarkdownIt("commonmark")
