"""Markdown → `gameday.model.runbook.Runbook`. The convention is described in docs/runbooks.md.

Two degrees of strictness, on purpose. `parse_runbook` reads whatever a responder is handed in the
middle of an incident and refuses only a front matter it cannot read; `check_runbook` lists
everything that would let a reader down, for authors.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from gameday.errors import Problem, SpecError
from gameday.model.runbook import (
    ANY,
    Cause,
    CauseKind,
    FixStep,
    Mitigation,
    Runbook,
    Section,
    Step,
)
from gameday.names import did_you_mean
from gameday.spec.document import read_text
from gameday.spec.frontmatter import front_matter
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

_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*\Z")
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})")
_ITEM = re.compile(r"([ \t]*)(?:[-*+]|[0-9]{1,9}[.)])([ \t]+)(?:\[[ xX]\][ \t]+)?(\S.*)\Z")
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


@dataclass(slots=True)
class _Item:
    """A list item of the outermost list of a section."""

    line: int
    end_line: int
    words: list[str]
    """Its lines without indentation: its own paragraph, then whatever stands below it."""
    head: int = 1
    """How many of the words belong to its first paragraph."""

    def paragraph(self) -> str:
        return " ".join(" ".join(self.words[: self.head]).split())

    def whole(self) -> str:
        return " ".join(" ".join(self.words).split())


@dataclass(slots=True)
class _Part:
    """A section while it is read."""

    name: str
    heading: str
    line: int
    level: int
    end_line: int = 0
    lines: list[str] = field(default_factory=list)


class _Parse:
    """Reads one runbook; ``problems`` make it unreadable, ``doubts`` are for its author."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self.problems: list[Problem] = []
        self.doubts: list[Problem] = []

    def runbook(self) -> Runbook:
        lines = self.text.split("\n")
        lines = [line.removesuffix("\r") for line in lines]
        head = front_matter(lines, self.file)
        self.problems += head.problems
        self.doubts += head.doubts
        title, parts = self._parts(lines, head.body_start)
        sections = {
            p.name: Section(p.name, p.heading, p.line, p.end_line, "\n".join(p.lines).strip("\n"))
            for p in parts
        }
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
            review_every=head.review_every,
            sections=sections,
            first_checks=checks,
            causes=causes,
            fixes=fixes,
        )

    def _parts(self, lines: list[str], start: int) -> tuple[str, list[_Part]]:
        """Return the first title and the known sections, in order."""
        title = ""
        parts: list[_Part] = []
        current: _Part | None = None
        fence = ""
        for number in range(start, len(lines)):
            line = lines[number]
            fence, is_code = _fenced(line, fence)
            heading = None if is_code else _HEADING.match(line)
            if heading is not None:
                level, words = len(heading.group(1)), (heading.group(2) or "").strip()
                if level == 1 and not title:
                    title = words
                name = _CANONICAL.get(words.strip(":*_ ").lower())
                if name is not None:
                    if any(p.name == name for p in parts):
                        self._doubt(number + 1, f"a second section {quoted(words)}", "join them")
                    current = _Part(name, words, number + 1, level, number + 1)
                    parts.append(current)
                    continue
                if current is not None and level <= current.level:
                    current = None
            if current is not None:
                current.lines.append(line)
                if line.strip():
                    current.end_line = number + 1
        return title, parts

    def _items(self, parts: list[_Part], name: str) -> list[_Item]:
        items: list[_Item] = []
        for part in parts:
            if part.name == name:
                items += _list_items(part)
        return items

    def _step(self, item: _Item) -> Step:
        id, text = _named(item.paragraph())
        return Step(id, text, item.line, item.end_line)

    def _fix(self, item: _Item) -> FixStep:
        id, text = _named(item.paragraph())
        call = _CALL.search(item.whole())
        mitigation = self._mitigation(call, item.line) if call else None
        return FixStep(id, text, item.line, item.end_line, mitigation)

    def _mitigation(self, call: re.Match[str], line: int) -> Mitigation | None:
        name, parameters = call.group(1), {}
        if not _ID.match(name):
            self._doubt(line, f"{quoted(name)} is no name of a mitigation", "such as failover-db")
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

    def _cause(self, item: _Item) -> Cause:
        id, text = _named(item.paragraph())
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
        self, checks: tuple[Step, ...], fixes: tuple[FixStep, ...]
    ) -> tuple[tuple[Step, ...], tuple[FixStep, ...]]:
        """Return the steps with ids that are unique over both lists: ``x``, ``x-2``, ``x-3``."""
        taken: dict[str, int] = {}

        def free(step: Step) -> str:
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
        new_checks = tuple(Step(free(s), s.text, s.line, s.end_line) for s in checks)
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


def _list_items(part: _Part) -> list[_Item]:
    """Return the items of the outermost lists of a section."""
    items: list[_Item] = []
    current: _Item | None = None
    content = 0  # column at which the current item's own text starts
    is_after_blank = is_head = False
    fence = ""
    for offset, line in enumerate(part.lines):
        number = part.line + 1 + offset
        fence, is_code = _fenced(line, fence)
        if not line.strip():
            is_after_blank, is_head = True, False
            continue
        indent = len(line) - len(line.lstrip(" \t"))
        item = None if is_code else _ITEM.match(line)
        if item is not None and (current is None or indent < content):
            content = item.start(3) if item.group(2) else indent + 2
            content = min(content, indent + 5)
            current = _Item(number, number, [item.group(3)])
            items.append(current)
            is_head = True
        elif current is not None and (indent >= min(content, 2) or not is_after_blank):
            is_heading = not is_code and _HEADING.match(line) is not None
            if is_heading:
                current = None
            else:
                is_head = is_head and item is None and not is_code
                current.words.append(line.strip())
                current.head += is_head
                current.end_line = number
        else:
            current = None
        is_after_blank = False
    return items


def _fenced(line: str, fence: str) -> tuple[str, bool]:
    """Return the fence open after this line, and whether the line is code or a fence."""
    found = _FENCE.match(line)
    if fence:
        is_end = (
            found is not None
            and found.group(1).startswith(fence)
            and not line.strip().strip(fence[0])
        )
        return ("" if is_end else fence), True
    return (found.group(1), True) if found else ("", False)


def _named(text: str) -> tuple[str, str]:
    """Return the id of an item and its text without the name it gives itself."""
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
