"""The scorecard at the end of a run, for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gameday.model.result import RunResult
from gameday.report.scorecard import Card, Rows, card
from scoring.verdict import RunVerdict, Verdict

if TYPE_CHECKING:
    from rich.console import RenderableType

_RUN_STYLES = {
    RunVerdict.PASSED: "bold green",
    RunVerdict.MISSED: "red",
    RunVerdict.UNKNOWN: "bold yellow",
    RunVerdict.FAILED: "bold red",
    RunVerdict.ABORTED: "bold yellow",
    RunVerdict.REFUSED: "bold yellow",
}
_STYLES = {
    Verdict.MET: "green",
    Verdict.MISSED: "red",
    Verdict.UNKNOWN: "yellow",
    Verdict.PENDING: "yellow",
    Verdict.NOT_APPLICABLE: "dim",
}


def scorecard(result: RunResult) -> RenderableType:
    """Return the scorecard as something Rich can print; verdicts are words, colour only helps."""
    from rich.console import Group
    from rich.rule import Rule
    from rich.text import Text

    words = card(result)
    heading = Text.assemble(f"{words.scenario}: ", (words.verdict, _RUN_STYLES[words.verdict]))
    parts: list[RenderableType] = [Rule(heading, align="left"), Text(words.headline)]
    if words.time_note:
        parts.append(Text(words.time_note, style="dim"))
    parts += [Text(), _pairs(words.detection), Text()]
    parts += _section(
        "Phases",
        words.phases,
        (("", "name"), ("from page", "took"), ("target", "target"), ("verdict", "verdict")),
    )
    parts += _section(
        "Funnel", words.funnel, (("", "step"), ("found", "finding"), ("verdict", "verdict"))
    )
    for title, pairs in (("Response", words.response), ("Mitigations", words.mitigations)):
        if pairs:
            parts += [Text(title, style="bold"), _pairs(pairs), Text()]
    for part in words.scores:
        parts += _section(
            part.title,
            part.lines,
            (("", "criterion"), ("points", "points"), ("verdict", "verdict")),
        )
        parts += [Text(part.words, style="bold"), Text()]
    parts.append(_tasks(words))
    parts.append(Text(words.recovery))
    return Group(*parts)


def _pairs(pairs: Sequence[tuple[str, str]]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    for name, value in pairs:
        grid.add_row(Text(name), Text(value))
    return grid


def _section(title: str, rows: Rows, columns: tuple[tuple[str, str], ...]) -> list[RenderableType]:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    if not rows:
        return []
    table = Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for header, key in columns:
        table.add_column(header, overflow="fold", ratio=1 if key == "finding" else None)
    for row in rows:
        cells = []
        for _, key in columns:
            style = _STYLES[Verdict(row["key"])] if key == "verdict" else ""
            cells.append(Text(row[key], style=style))
        table.add_row(*cells)
    return [table, Text()]


def _tasks(words: Card) -> RenderableType:
    from rich.text import Text

    text = Text("Runbook tasks", style="bold")
    if not words.tasks:
        return text.append("\n  none\n", style="not bold")
    for task in words.tasks:
        patch = " (with a patch)" if task.patch else ""
        text.append(f"\n  • {task.title}{patch}", style="not bold")
    return text.append("\n")
