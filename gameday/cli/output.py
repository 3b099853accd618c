"""Printing: tables for people, JSON for programs."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from typing import Any, TextIO, cast

from gameday.errors import ExitCode, GamedayError, Refusal
from gameday.legible import legible


@contextmanager
def lasting_streams() -> Iterator[None]:
    """Let a command go on when nobody reads what it prints any more.

    A terminal may be closed and a pager may have enough while a run has faults in place; what the
    command does, and its exit code, do not depend on who listens. On stderr nothing is an error; on
    stdout a full disk is one. Nor do they depend on the terminal's alphabet: a letter that it has
    not (``LC_ALL=C``) is written as its number.
    """
    before = sys.stdout, sys.stderr
    sys.stdout = cast(TextIO, _Lasting(sys.stdout, GONE))
    sys.stderr = cast(TextIO, _Lasting(sys.stderr, None))
    try:
        with _numbering(before[0]), _numbering(before[1]):
            yield
            sys.stdout.flush()
    finally:
        sys.stdout, sys.stderr = before


@contextmanager
def _numbering(stream: TextIO) -> Iterator[None]:
    """Have a stream write what its encoding has no letter for as a number, for a while."""
    if not isinstance(stream, TextIOWrapper):
        yield
        return
    strictness = stream.errors
    with suppress(OSError, ValueError):  # what is still in it goes out first
        stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        with suppress(OSError, ValueError):
            stream.reconfigure(errors=strictness)


class Unwritable(GamedayError):
    """What a command prints cannot be written, and somebody may be waiting for it: a full disk."""

    exit_code = ExitCode.UNREACHABLE


GONE = frozenset({errno.EPIPE, errno.EIO})
"""What writing says when the reader has closed its end, or the terminal is gone."""


class _Lasting:
    """A stream that writes to nowhere once its reader is gone.

    Args:
        gone: the errors that mean this; None: all.
    """

    def __init__(self, stream: TextIO, gone: frozenset[int] | None) -> None:
        self._stream = stream
        self._gone = gone

    def write(self, text: str) -> int:
        """Write, or do nothing; return how much was to be written."""
        with self._lasting():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, or do nothing."""
        with self._lasting():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @contextmanager
    def _lasting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            # What is still in the buffer would be tried again, at the latest when Python ends.
            with suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._stream.fileno())
                os.close(nowhere)
            if self._gone is not None and error.errno not in self._gone:
                raise Unwritable(f"what it prints cannot be written: {error}") from error


def print_json(value: Any) -> None:
    """Print one JSON document on stdout, in letters that whoever reads it has."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, indent=2, default=str)
    print(text)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> None:
    """Print rows as a table on stdout, or the sentence ``empty`` on stderr where there are none."""
    if not rows:
        print(empty, file=sys.stderr)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        # As text: what stands in brackets would otherwise be taken for a style, and be gone.
        table.add_row(*(Text("—" if cell is None else legible(str(cell))) for cell in row))
    Console(width=None if sys.stdout.isatty() else 160, soft_wrap=False).print(table)


def say(text: str) -> None:
    """Talk to the person on stderr."""
    print(legible(text), file=sys.stderr, flush=True)


def say_refused(refusals: Sequence[Refusal]) -> None:
    """Tell every reason why something is refused, each with what to do about it."""
    if len(refusals) == 1:
        say(f"gameday: {refusals[0]}")
        return
    say(f"gameday: refused, for {len(refusals)} reasons:")
    for refusal in refusals:
        say(f"  {refusal.ground}: {refusal}")


def counted(count: int, what: str) -> str:
    """Return a number of things: ``1 file``, ``2 files``."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
