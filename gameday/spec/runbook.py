"""Markdown → `gameday.model.runbook.Runbook`. The convention is described in docs/runbooks.md.

Two degrees of strictness, on purpose. `parse_runbook` reads whatever a responder is handed in the
middle of an incident and refuses only a front matter it cannot read; `check_runbook` lists
everything that would let a reader down, for authors.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gameday.errors import Problem, SpecError
from gameday.model.runbook import (
    ANY,
    Cause,
    CauseKind,
    FixStep,
    Mitigation,
    Runbook,
    RunbookStep,
    Section,
)
from gameday.names import did_you_mean
from gameday.spec.document import read_text
from gameday.spec.frontmatter import front_matter
from gameday.spec.markdown import Heading, Item, outline_of
from gameday.spec.tree import quoted

PLACEHOLDERS = ("service", "downstream", "region")
"""What a mitigation call may leave to the responder: ``{region}``."""

_CANONICAL = {
    "meaning": "meaning",
    "impact": "impact",
    "first checks": "first checks",
    "first check": "first checks",
    "diagnosis": "first checks",
    "likely causes": "likely causes",
    "likely cause": "likely causes",
    "fixes": "fixes",
    "fix": "fixes",
    "mitigation": "fixes",
}
_TERMS = ("service", "downstream", "change")

_BOX = re.compile(r"\[[ xX]\][ \t]+")
_NAMED = re.compile(
    r"(?:\*\*([a-z0-9][a-z0-9-]{0,62})(?::\*\*|\*\*:)|`([a-z0-9][a-z0-9-]{0,62})`:)\s*"
)
_CALL = re.compile(r"`gameday mitigate ([^`\s]+)([^`]*)`")
_MATCH = re.compile(r"\(([^()]*\b(?:service|downstream|change)\s*:[^()]*)\)")
_ARROW = re.compile(r"(?:→|->|=>)\s*(.*)\Z")
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")


def read_runbook(path: Path | str) -> Runbook:
    """Return the runbook in a file; `SpecError` where it or its front matter cannot be read."""
    return parse_runbook(read_text(path), path)


def parse_runbook(text: str, path: Path | str) -> Runbook:
    """Return the runbook a text holds.

    Lenient: a section that is missing is empty, a cause nobody can match is for people.

    Raises:
        SpecError: the front matter is no YAML, or a field of it has the wrong shape.
    """
    parse = _Parse(text, str(path))
    runbook = parse.runbook()
    if parse.problems:
        raise SpecError(parse.problems)
    return runbook


def check_runbook(text: str, path: Path | str) -> list[Problem]:
    """Return everything wrong with a runbook, ordered by line; empty where it is fine.

    Beyond what `parse_runbook` refuses: causes that name a fix which does not exist, terms and
    placeholders nobody fills, step names given twice, misspelt front matter.
    """
    parse = _Parse(text, str(path))
    try:
        parse.runbook()
    except SpecError as error:
        return list(error.problems)
    return sorted([*parse.problems, *parse.doubts], key=lambda p: p.line)


@dataclass(frozen=True, slots=True)
class _Part:
    """A section while it is read: from its heading to the line before the next one."""

    name: str
    heading: Heading
    last_line: int

    def holds(self, item: Item) -> bool:
        return self.heading.line < item.line <= self.last_line


class _Parse:
    """Reads one runbook; ``problems`` make it unreadable, ``doubts`` are for its author."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self.problems: list[Problem] = []
        self.doubts: list[Problem] = []
        self._found: Sequence[Item] = ()

    def runbook(self) -> Runbook:
        lines = self.text.split("\n")
        lines = [line.removesuffix("\r") for line in lines]
        head = front_matter(lines, self.file)
        self.problems += head.problems
        self.doubts += head.doubts
        body = [""] * head.body_start + lines[head.body_start :]
        outline = outline_of("\n".join(body))
        title = next((h.words for h in outline.headings if h.level == 1), "")
        parts = self._parts(outline.headings, len(body))
        self._found = outline.items
        sections = {p.name: _section(p, body) for p in parts}
        fixes = tuple(self._fix(item) for item in self._items(parts, "fixes"))
        causes = tuple(self._cause(item) for item in self._items(parts, "likely causes"))
        checks = tuple(self._step(item) for item in self._items(parts, "first checks"))
        checks, fixes = self._unique(checks, fixes)
        self._check_fixes_exist(causes, fixes)
        return Runbook(
            id=Path(self.file).name.removesuffix(".md"),
            path=self.file,
            text=self.text,
            title=title or head.title,
            alert=head.alert or title,
            service=head.service,
            owner=head.owner,
            reviewed=head.reviewed,
            reviewed_by=head.reviewed_by,
            review_every=head.review_every,
            sections=sections,
            first_checks=checks,
            causes=causes,
            fixes=fixes,
        )

    def _parts(self, headings: Sequence[Heading], lines: int) -> list[_Part]:
        """Return the known sections, in order; each ends where one of no lower level begins."""
        parts: list[_Part] = []
        for number, heading in enumerate(headings):
            name = _CANONICAL.get(heading.words.strip(":*_ ").lower())
            if name is None:
                continue
            if any(p.name == name for p in parts):
                words = quoted(heading.words)
                self._doubt(heading.line, f"a second section {words}", "join them")
            ends = (
                h.line - 1
                for h in headings[number + 1 :]
                if h.level <= heading.level or h.words.strip(":*_ ").lower() in _CANONICAL
            )
            parts.append(_Part(name, heading, next(ends, lines)))
        return parts

    def _items(self, parts: Sequence[_Part], name: str) -> Sequence[Item]:
        return [i for p in parts if p.name == name for i in self._found if p.holds(i)]

    def _step(self, item: Item) -> RunbookStep:
        id, text = _named(item.paragraph)
        return RunbookStep(id, text, item.line, item.end_line)

    def _fix(self, item: Item) -> FixStep:
        id, text = _named(item.paragraph)
        call = _CALL.search(item.whole)
        mitigation = self._mitigation(call, item.line) if call else None
        return FixStep(id, text, item.line, item.end_line, mitigation)

    def _mitigation(self, call: re.Match[str], line: int) -> Mitigation | None:
        name, parameters = call.group(1), {}
        if not _ID.match(name):
            self._doubt(line, f"{quoted(name)} is no name of a mitigation", "such as restart-cache")
            return None
        for word in call.group(2).split():
            key, equals, value = word.partition("=")
            if not equals or not key or not value:
                self._doubt(
                    line, f"{quoted(word)} is no parameter", "write name=value: region={region}"
                )
                return None
            parameters[key] = value
        mitigation = Mitigation(name, parameters)
        for placeholder in mitigation.placeholders():
            if placeholder not in PLACEHOLDERS:
                self._doubt(
                    line,
                    f"nobody can fill in {quoted('{' + placeholder + '}')}",
                    did_you_mean(placeholder, PLACEHOLDERS, what="placeholders"),
                )
        return mitigation

    def _cause(self, item: Item) -> Cause:
        id, text = _named(item.paragraph)
        terms = self._terms(text, item.line)
        arrow = _ARROW.search(text)
        fixes = self._fix_ids(arrow.group(1), item.line) if arrow else ()
        change = terms.get("change")
        kind: CauseKind = "code" if change is not None else "downstream"
        service = terms.get("service")
        if service is None and (change is not None or "downstream" in terms):
            service = ANY
        return Cause(
            id, text, item.line, item.end_line, service, terms.get("downstream"), kind, fixes
        )

    def _terms(self, text: str, line: int) -> dict[str, str]:
        found = _MATCH.search(text)
        terms: dict[str, str] = {}
        for term in found.group(1).split(",") if found else ():
            key, _, value = (part.strip(" `*\t") for part in term.partition(":"))
            if key not in _TERMS:
                self._doubt(
                    line, f"unknown term {quoted(key)}", did_you_mean(key, _TERMS, what="terms")
                )
            elif not value:
                self._doubt(line, f"the term {quoted(key)} has no value", f"write {key}: any")
            elif key == "change" and value != "deploy":
                self._doubt(line, f"unknown change {quoted(value)}", "write change: deploy")
            else:
                terms[key] = value
        return terms

    def _fix_ids(self, text: str, line: int) -> tuple[str, ...]:
        words = re.split(r",|\bor\b|\bthen\b|;", text.strip().removeprefix("fix:"))
        ids = []
        for word in words:
            id = word.strip(" \t`*.")
            if not id:
                continue
            if _ID.match(id):
                ids.append(id)
            else:
                self._doubt(
                    line,
                    f"{quoted(id)} after the arrow is no name of a fix",
                    "write the name of a step under Fixes",
                )
        return tuple(ids)

    def _unique(
        self, checks: tuple[RunbookStep, ...], fixes: tuple[FixStep, ...]
    ) -> tuple[tuple[RunbookStep, ...], tuple[FixStep, ...]]:
        """Return the steps with ids that are unique over both lists: ``x``, ``x-2``, ``x-3``."""
        taken: dict[str, int] = {}

        def free(step: RunbookStep) -> str:
            count = taken.get(step.id, 0) + 1
            while count > 1 and f"{step.id}-{count}" in taken:
                count += 1
            taken[step.id] = count
            if count == 1:
                return step.id
            self._doubt(step.line, f"a second step is called {quoted(step.id)}", "rename one")
            taken[f"{step.id}-{count}"] = 1
            return f"{step.id}-{count}"

        new_fixes = tuple(FixStep(free(f), f.text, f.line, f.end_line, f.mitigation) for f in fixes)
        new_checks = tuple(RunbookStep(free(s), s.text, s.line, s.end_line) for s in checks)
        return new_checks, new_fixes

    def _check_fixes_exist(self, causes: tuple[Cause, ...], fixes: tuple[FixStep, ...]) -> None:
        known = [fix.id for fix in fixes]
        for cause in causes:
            for id in cause.fixes:
                if id not in known:
                    self._doubt(
                        cause.line,
                        f"the cause {quoted(cause.id)} names the fix {quoted(id)}, "
                        "which is not under Fixes",
                        did_you_mean(id, known, what="known fixes"),
                    )

    def _doubt(self, line: int, message: str, hint: str = "") -> None:
        self.doubts.append(Problem(self.file, line, "", message, hint))


def _section(part: _Part, body: Sequence[str]) -> Section:
    heading = part.heading
    lines = body[heading.end_line : part.last_line]
    held = [number for number, line in enumerate(lines, heading.end_line + 1) if line.strip()]
    end_line = held[-1] if held else heading.line
    text = "\n".join(lines).strip("\n")
    return Section(part.name, heading.words, heading.line, end_line, text)


def _named(text: str) -> tuple[str, str]:
    """Return the id of an item and its text without the name it gives itself."""
    text = _BOX.sub("", text, count=1) if _BOX.match(text) else text
    found = _NAMED.match(text)
    if found is not None:
        return found.group(1) or found.group(2), text[found.end() :]
    return _slug(text), text


def _slug(text: str) -> str:
    """Return an id made of the first sentence's words: stable while they stay."""
    plain = re.sub(r"\]\([^)]*\)", "]", text.lower())  # a link is called by its text
    sentence = re.split(r"[.:;?!](?:\s|\Z)", plain, maxsplit=1)[0]
    words = re.findall(r"[a-z0-9]+", sentence)[:8] or re.findall(r"[a-z0-9]+", plain)[:8]
    return "-".join(words)[:60].strip("-") or "step"
