"""Printing: tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any


def print_json(value: Any) -> None:
    """Print one JSON document on stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> None:
    """Print rows as a table on stdout, or the sentence ``empty`` on stderr where there are none."""
    if not rows:
        print(empty, file=sys.stderr)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("—" if cell is None else str(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else 160, soft_wrap=False).print(table)


def say(text: str) -> None:
    """Talk to the person on stderr."""
    print(text, file=sys.stderr, flush=True)


def counted(count: int, what: str) -> str:
    """Return a number of things: ``1 file``, ``2 files``."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def percent(value: object) -> str:
    """Return a percentage for people; a dash where there is none."""
    return f"{value:.0f} %" if isinstance(value, int | float) else "—"


def pick(result: Mapping[str, Any], *path: str) -> Any:
    """Return a value deep in a result, None where a step is missing."""
    value: Any = result
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value
