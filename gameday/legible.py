"""Strangers' text as it may be shown: nothing in it moves a cursor, turns text or is markup."""

from __future__ import annotations

import re
from typing import Any

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters but tab and newline (C0, C1, DEL), and what overrides the direction of text.

Source: Unicode Standard Annex #9, table 3 (explicit and implicit directional formatting).
"""

_CODE = re.compile("(`+[^`]+`+)")


def legible(text: str) -> str:
    """Return text with � for what a terminal or a page would obey instead of showing.

    A name that reads backwards in part, or a summary that clears the screen, shows what it is made
    of. Text that has none of it is returned as it is, the very object.
    """
    return _UNSEEN.sub("�", text) if _UNSEEN.search(text) else text


def finalized(value: Any) -> Any:
    """Return a value as a template shows it; for `jinja2.Environment`'s ``finalize``.

    Markup is the page's own, and stays it.
    """
    if isinstance(value, str) and _UNSEEN.search(value):
        return type(value)(legible(value))
    return value


def in_markdown(text: str) -> str:
    """Return a line that Markdown shows as it is written: no HTML, link or picture comes out of it.

    Code between backticks is left alone, for Markdown shows that as it is.
    """
    parts = _CODE.split(legible(text))
    for number in range(0, len(parts), 2):
        said = parts[number].replace("&", "&amp;").replace("<", "&lt;")
        parts[number] = said.replace("](", "]\\(")
    return "".join(parts)
