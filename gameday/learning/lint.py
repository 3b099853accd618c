"""The linter of runbooks: everything about one that would let its reader down.

Pure. What has to be looked at outside its text comes in as `Seen`, and what was not looked at is
not judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from gameday.learning.flaw import Flaw, FlawKind
from gameday.learning.runbook_code import Script, ShellFault, command_flaws, query_flaws
from gameday.learning.runbook_head import head_flaws
from gameday.learning.runbook_links import LinkedFile, link_flaws
from gameday.learning.runbook_page import RunbookPage
from gameday.learning.runbook_words import word_flaws

__all__ = ["Seen", "flaws_in"]


@dataclass(frozen=True, slots=True)
class Seen:
    """What was looked at beside a runbook's own text.

    Attributes:
        places: what stands at each local path that is linked to.
        dead: addresses on the web that lead nowhere, each with why.
        faults: commands that the shell cannot read.
        lacking: metrics that a Prometheus does not have.
        prometheus: what it is called; empty where none was asked.
    """

    places: Mapping[str, LinkedFile] = field(default_factory=dict)
    dead: Mapping[str, str] = field(default_factory=dict)
    faults: Mapping[Script, ShellFault] = field(default_factory=dict)
    lacking: frozenset[str] = frozenset()
    prometheus: str = ""


def flaws_in(page: RunbookPage, seen: Seen, today: date) -> Sequence[Flaw]:
    """Return everything that is wrong with a runbook, ordered by line."""
    found = [
        Flaw(FlawKind.FORM, p.file, p.line, _said(p.field, p.message), p.hint or "correct it")
        for p in page.problems
    ]
    if page.runbook is not None:
        found += head_flaws(page.runbook, page.file, today)
        found += word_flaws(page, page.runbook)
    found += command_flaws(page, seen.faults)
    found += query_flaws(page, seen.lacking, seen.prometheus)
    found += link_flaws(page, seen.places, seen.dead)
    return sorted(found, key=lambda flaw: flaw.line)


def _said(field: str, message: str) -> str:
    return f"{field}: {message}" if field else message
