"""The action items that a postmortem asks for, read out of its Markdown. Pure.

They stand below its heading, as the rows of a table or as the items of a list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from gameday.model.action_item import (
    ActionChange,
    ActionKind,
    ActionWord,
    Filing,
    Priority,
    action_id,
)
from gameday.model.postmortem import Postmortem

__all__ = ["asked_in", "filings_of"]

_HEADING = re.compile(r"#{1,6}[ \t]+(.*?)[ \t#]*$")
_ACTIONS = re.compile(r"action items?|actions\b|follow[- ]ups?|next steps", re.IGNORECASE)
_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?(.*\S)")
_RULE = re.compile(r"\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_CELL = re.compile(r"(?<!\\)\|")
_ID = re.compile(r"[0-9a-f]{12}")
_WAITS = re.compile(r"_?to be (?:answered|named|set)(?![a-z])", re.IGNORECASE)
_COLUMNS = {
    "title": re.compile(r"action|what|item$|task", re.IGNORECASE),
    "kind": re.compile(r"kind|type", re.IGNORECASE),
    "owner": re.compile(r"owner|who|assignee", re.IGNORECASE),
    "id": re.compile(r"^(?:item|id)$", re.IGNORECASE),
}


def asked_in(text: str) -> Sequence[Mapping[str, str]]:
    """Return what a postmortem asks for: of each item its title, and kind, owner, id if it says."""
    return list(_asked(_below_heading(text)))


def filings_of(
    postmortem: Postmortem, *, at: datetime, known: Sequence[str], by: str
) -> Sequence[ActionChange]:
    """Return the words that file what a published postmortem asks for, and is not filed yet.

    Args:
        known: ids that are filed; whoever names one of them speaks of that one.
    """
    changes: dict[str, ActionChange] = {}
    for asked in asked_in(postmortem.text):
        if asked.get("id") in known:
            continue
        title = asked["title"]
        kind = next((k for k in ActionKind if k in asked.get("kind", "").lower()), None)
        filing = Filing(
            cause=f"postmortem {postmortem.id} {' '.join(title.lower().split())}",
            kind=kind or ActionKind.PREVENT,
            title=title,
            service=postmortem.service,
            owner=asked.get("owner", ""),
            priority=Priority.of(postmortem.severity),
        )
        item = action_id(filing.cause, filing.kind)
        changes[item] = ActionChange(
            id=f"{item}/incident {postmortem.id}",
            item=item,
            word=ActionWord.FOUND,
            at=at,
            by=by,
            evidence=(f"incident {postmortem.id}",),
            filing=filing,
        )
    return tuple(changes.values())


def _below_heading(text: str) -> Iterator[str]:
    is_inside, level = False, 0
    for line in text.splitlines():
        heading = _HEADING.match(line)
        if heading is not None:
            depth = len(line) - len(line.lstrip("#"))
            if is_inside and depth <= level:
                is_inside = False
            if depth > 1 and _ACTIONS.search(heading[1]):
                is_inside, level = True, depth
        elif is_inside:
            yield line


def _asked(lines: Iterator[str]) -> Iterator[Mapping[str, str]]:
    header: Sequence[str] = ()
    for line in lines:
        if line.lstrip().startswith("|"):
            cells = [cell.strip().replace("\\|", "|") for cell in _CELL.split(line.strip())[1:-1]]
            if not header:
                header = cells
            elif not _RULE.match(line.strip()):
                row = _row(header, cells)
                if row.get("title") and not _WAITS.search(row["title"]):
                    yield row
            continue
        header = ()
        item = _ITEM.match(line)
        if item is not None and not _WAITS.search(item[1]):
            yield {"title": item[1]}


def _row(header: Sequence[str], cells: Sequence[str]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name, cell in zip(header, cells, strict=False):
        # The narrowest first: “Item” is an id, “Action item” a title.
        for what in ("id", "kind", "owner", "title"):
            if what not in found and _COLUMNS[what].search(name):
                if not _WAITS.match(cell):
                    found[what] = cell
                break
    if not _ID.fullmatch(found.get("id", "")):
        found.pop("id", None)
    return found
