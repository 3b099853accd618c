"""Changes to a runbook's text: each takes the text and returns it with one thing put right.

Everything else stays byte for byte as its author wrote it: line endings, numbering, bullets. A
change that is already there changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from gameday.learning.patch import lines
from gameday.model.runbook import Cause, Runbook, RunbookStep, Section

_EXERCISED = re.compile(r"\s*Last exercised \d{4}-\d{2}-\d{2}\b")
_BULLET = re.compile(r"([ \t]*)([-*+]|\d{1,9}[.)])([ \t]+)")


def exercised(text: str, step: RunbookStep, note: str) -> str:
    """Return the text with ``Last exercised …`` under this step, in place of an older note.

    Args:
        note: the whole sentence, beginning with ``Last exercised YYYY-MM-DD``.
    """
    parts = lines(text)
    own = range(step.line - 1, step.end_line)
    older = next((i for i in own if _EXERCISED.match(parts[i])), None)
    new = _continuation(parts[step.line - 1]) + note
    if older is not None:
        parts[older] = new + _ending(parts[older])
        return "".join(parts)
    return _inserted(parts, step.end_line, [new])


def extended(text: str, step: RunbookStep, sentence: str) -> str:
    """Return the text with a sentence added at the end of this step, before its drill note."""
    parts = lines(text)
    own = range(step.line - 1, step.end_line)
    if sentence in " ".join(" ".join(parts[i].split()) for i in own):
        return text
    note = next((i for i in own if _EXERCISED.match(parts[i])), step.end_line)
    return _inserted(parts, note, [_continuation(parts[step.line - 1]) + sentence])


def item_added(text: str, section: Section, last: RunbookStep | Cause | None, words: str) -> str:
    """Return the text with one more list item at the end of a section.

    Args:
        last: the section's last item, whose bullet or number is carried on; None: it has none.
    """
    parts = lines(text)
    if last is None:
        return _inserted(parts, section.end_line, ["", f"- {words}"])
    bullet = _BULLET.match(parts[last.line - 1])
    indent, mark, space = bullet.groups() if bullet else ("", "-", " ")
    if mark[:-1].isdigit():
        mark = f"{int(mark[:-1]) + 1}{mark[-1]}"
    return _inserted(parts, last.end_line, [f"{indent}{mark}{space}{words}"])


def section_added(text: str, heading: str, words: str) -> str:
    """Return the text with a section of one item at its end."""
    parts = lines(text)
    return _inserted(parts, len(parts), ["", f"## {heading}", "", f"- {words}"])


def fix_named(text: str, cause: Cause, fix: str) -> str:
    """Return the text with a fix named behind the arrow of a cause that named none."""
    if fix in cause.fixes:
        return text
    parts = lines(text)
    last = parts[cause.end_line - 1]
    ending = _ending(last)
    # After an arrow there are other fixes already; without one this is the first.
    joint = ", " if cause.fixes else " → "
    parts[cause.end_line - 1] = last[: len(last) - len(ending)].rstrip() + joint + fix + ending
    return "".join(parts)


def reviewed(text: str, runbook: Runbook, day: date) -> str:
    """Return the text with ``reviewed:`` in its front matter set to this day.

    A runbook without a front matter gets one.
    """
    parts = lines(text)
    fence = _front_matter_end(parts)
    if fence is None:
        eol = _file_ending(parts)
        service = [f"service: {runbook.service}{eol}"] if runbook.service else []
        front = [f"---{eol}", *service, f"reviewed: {day.isoformat()}{eol}", f"---{eol}", eol]
        return "".join([*front, *parts])
    for i in range(1, fence):
        if re.match(r"reviewed[ \t]*:", parts[i]):
            parts[i] = f"reviewed: {day.isoformat()}{_ending(parts[i])}"
            return "".join(parts)
    return _inserted(parts, fence, [f"reviewed: {day.isoformat()}"])


def _front_matter_end(parts: Sequence[str]) -> int | None:
    """Return the index of the line that closes the front matter, None where there is none."""
    if not parts or parts[0].rstrip() != "---":
        return None
    return next((i for i in range(1, len(parts)) if parts[i].rstrip() == "---"), None)


def _continuation(first: str) -> str:
    """Return the indentation under which text belongs to the item that starts with this line."""
    bullet = _BULLET.match(first)
    return " " * len(bullet.group(0).expandtabs(4)) if bullet else ""


def _inserted(parts: Sequence[str], index: int, new: Sequence[str]) -> str:
    """Return the text with new lines before ``index``, in the file's own line ending.

    A file that does not end in a newline still does not afterwards.
    """
    eol = _file_ending(parts)
    before = list(parts[:index])
    after = parts[index:]
    added = [line + eol for line in new]
    if before and not before[-1].endswith("\n"):
        before[-1] += eol
        added[-1] = new[-1]
    return "".join([*before, *added, *after])


def _file_ending(parts: Sequence[str]) -> str:
    return _ending(parts[0]) if parts and parts[0].endswith("\n") else "\n"


def _ending(line: str) -> str:
    if line.endswith("\r\n"):
        return "\r\n"
    return "\n" if line.endswith("\n") else ""
