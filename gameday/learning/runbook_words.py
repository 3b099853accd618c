"""What a runbook's text lacks: sections, and words that somebody still has to write."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gameday.learning.flaw import Flaw, FlawKind
from gameday.learning.runbook_page import RunbookPage
from gameday.model.runbook import Runbook

__all__ = ["word_flaws"]

_SECTIONS = {
    "meaning": ("“Meaning”", "what the alert says, in the words of somebody affected"),
    "first checks": ("“First checks” or “Diagnosis”", "the steps to take, in order"),
    "likely causes": ("“Likely causes”", "what it may be, and which fix is for it"),
    "fixes": ("“Fixes” or “Mitigation”", "the steps that mend"),
}
"""What every runbook has, by its canonical name: how it may be headed, and what it holds."""

_UNWRITTEN = re.compile(
    r"\b(?:TODO|TBD|FIXME|FILL IN|[Tt]o be (?:written|documented|determined)|[Cc]oming soon)\b"
    r"|\?\?\?"
)
_REMARK = re.compile(r"\s*(?:#|//)")
_HIDDEN = re.compile(r"<!--.*?-->", re.DOTALL)


def word_flaws(page: RunbookPage, runbook: Runbook) -> Iterator[Flaw]:
    """Yield the sections that are missing or empty, and the words that wait to be written."""
    yield from _sections(page, runbook)
    yield from _unwritten(page)


def _sections(page: RunbookPage, runbook: Runbook) -> Iterator[Flaw]:
    for name, (headings, holds) in _SECTIONS.items():
        section = runbook.sections.get(name)
        if section is None:
            what = f"there is no section {headings}"
            yield Flaw(FlawKind.SECTION, page.file, 1, what, f"write one: {holds}")
        elif not re.search(r"[\w?]", _HIDDEN.sub("", section.body)):
            what = f"the section “{section.heading}” is empty"
            yield Flaw(FlawKind.SECTION, page.file, section.line, what, f"write {holds}")


def _unwritten(page: RunbookPage) -> Iterator[Flaw]:
    said = [(line.line, line.words) for line in page.contents.lines]
    said += [
        (code.line + number, line.strip())
        for code in page.contents.code
        for number, line in enumerate(code.text.split("\n"))
        if _REMARK.match(line)
    ]
    for line, words in sorted(said):
        if _UNWRITTEN.search(words):
            what = f"something waits to be written: “{words[:80]}”"
            yield Flaw(FlawKind.PLACEHOLDER, page.file, line, what, "write it, or take it out")
