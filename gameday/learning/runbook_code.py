"""Commands and queries of a runbook, as somebody pastes them at three in the morning."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gameday.learning.flaw import Flaw, FlawKind
from gameday.learning.runbook_page import RunbookPage
from gameday.rules.expression import Unparsed, parsed, selectors_in
from gameday.spec.contents import Code

__all__ = ["Script", "ShellFault", "command_flaws", "metrics_of", "query_flaws", "scripts_of"]

_SCRIPTS = frozenset({"sh", "bash", "shell"})
_SESSIONS = frozenset({"console", "shell-session", "shellsession", "sh-session", "bash-session"})
_PROMPT = re.compile(r"\s*(?:[\w.-]+@[\w.-]+[^$\s]*\s?)?\$ (?P<command>.*)")
_MORE = re.compile(r"\s*> ?(?P<command>.*)")
# Words in angle brackets: no space behind the first or before the last, as redirections have it.
_BLANK = re.compile(r"(?<![<>&\d])<(?P<name>[A-Za-z][\w .,:/'-]*)(?<! )>(?![>&(])")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
# What somebody, or a dashboard, puts in before the query is asked.
_OPEN_QUERY = re.compile(r"\$|\{\{|\[\[|\.\.\.|…|<[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Script:
    """Commands that are pasted together.

    Attributes:
        text: with every blank (``<pod>``) as a word.
        line: of the file, 1-based, of its first line.
    """

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class ShellFault:
    """What the shell says of a script it cannot read; ``line`` is 1-based and of the script."""

    line: int
    said: str


def scripts_of(page: RunbookPage) -> Sequence[Script]:
    """Return the commands of a page, in order.

    Of a block with a prompt (``$ ``) each command by itself; what it prints is none. A block
    without any is one script, but where its language says that it shows a session.
    """
    return [
        Script(_BLANK.sub(_as_word, script.text), script.line)
        for code in page.contents.code
        for script in _commands(code)
    ]


def command_flaws(page: RunbookPage, faults: Mapping[Script, ShellFault]) -> Iterator[Flaw]:
    """Yield the commands that a shell cannot read, and the blanks it would misread."""
    for script in scripts_of(page):
        fault = faults.get(script)
        if fault is not None:
            yield Flaw(
                FlawKind.COMMAND,
                page.file,
                script.line + fault.line - 1,
                f"the shell cannot read this: {fault.said}",
                "correct it; where it shows what a command prints, write “$ ” before the commands",
            )
    told: set[str] = set()
    for code in page.contents.code:
        for script in _commands(code):
            for number, line in enumerate(script.text.split("\n")):
                # In quotes it is a text like any other, and says itself what belongs there.
                for blank in _BLANK.finditer(_QUOTED.sub(_masked, line)):
                    if blank[0] in told or line.lstrip().startswith("#"):
                        continue
                    told.add(blank[0])
                    yield Flaw(
                        FlawKind.PLACEHOLDER,
                        page.file,
                        script.line + number,
                        f"{blank[0]} stands for a value, and pasted as it is the shell takes its"
                        " brackets for redirections",
                        f"write a variable{_such_as(blank['name'])} and say where its value is"
                        " found",
                    )


def query_flaws(page: RunbookPage, lacking: frozenset[str], prometheus: str) -> Iterator[Flaw]:
    """Yield the queries that are no PromQL, and the metrics in them that are not there.

    Args:
        lacking: metrics that this Prometheus does not have.
        prometheus: what it is called.
    """
    told: set[str] = set()
    for query, line in _queries(page):
        try:
            tree = parsed(query)
        except Unparsed as error:
            # A function that is not known here may be a newer one.
            if "unknown function" not in str(error).lower():
                what = f"this is no PromQL: {error}"
                yield Flaw(FlawKind.QUERY, page.file, line, what, "correct it")
            continue
        for name in dict.fromkeys(s.name for s in selectors_in(tree)):
            if name in lacking and name not in told:
                told.add(name)
                at = line + next((n for n, t in enumerate(query.split("\n")) if name in t), 0)
                yield Flaw(
                    FlawKind.METRIC,
                    page.file,
                    at,
                    f"{prometheus} has no metric {name}",
                    "see how it is called there now, or what should export it",
                )


def metrics_of(page: RunbookPage) -> frozenset[str]:
    """Return the metrics that its queries read."""
    names: set[str] = set()
    for query, _ in _queries(page):
        try:
            names.update(s.name for s in selectors_in(parsed(query)) if s.name)
        except Unparsed:
            continue
    return frozenset(names)


def _commands(code: Code) -> Iterator[Script]:
    if code.language not in _SCRIPTS | _SESSIONS:
        return
    lines = code.text.split("\n")
    if not any(_PROMPT.match(line) for line in lines):
        if code.language in _SCRIPTS:
            yield Script(code.text, code.line)
        return
    number = 0
    while number < len(lines):
        found = _PROMPT.match(lines[number])
        number += 1
        if found is None:
            continue
        begin, command = number - 1, [found["command"]]
        while number < len(lines):
            more = _MORE.match(lines[number])
            if more is None and not command[-1].endswith("\\"):
                break
            command.append(more["command"] if more else lines[number])
            number += 1
        yield Script("\n".join(command), code.line + begin)


def _as_word(blank: re.Match[str]) -> str:
    return "x" * len(blank[0])


def _masked(text: re.Match[str]) -> str:
    return text[0][0] + "x" * (len(text[0]) - 2) + text[0][0]


def _such_as(blank: str) -> str:
    words = re.findall(r"[A-Za-z0-9]+", blank.upper().removeprefix("MY").removeprefix("YOUR"))
    return f', such as "${"_".join(words)}",' if len(words) in (1, 2) else ""


def _queries(page: RunbookPage) -> Iterator[tuple[str, int]]:
    """Yield each query with its line: a block, or its parts between empty lines."""
    for code in page.contents.code:
        if code.language != "promql":
            continue
        whole = code.text.rstrip()
        parts = [(whole, code.line)]
        if re.search(r"\n\s*\n", whole) and not _is_sound(whole):
            parts = [
                (found[0], code.line + whole.count("\n", 0, found.start()))
                for found in re.finditer(r"(?:[^\n]*\S[^\n]*(?:\n|\Z))+", whole)
            ]
        yield from (p for p in parts if p[0].strip() and not _OPEN_QUERY.search(_unquoted(p[0])))


def _unquoted(query: str) -> str:
    return _QUOTED.sub('""', query)


def _is_sound(query: str) -> bool:
    try:
        parsed(query)
    except Unparsed:
        return False
    return True
