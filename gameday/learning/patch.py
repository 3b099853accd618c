"""Unified diffs that `git apply` takes, byte for byte."""

from __future__ import annotations

import difflib


def unified(before: str, after: str, path: str) -> str:
    """Return the patch that turns ``before`` into ``after``; empty where they are the same.

    Line endings stay as they are (CRLF too), and a last line without its newline is marked as git
    marks it.

    Args:
        path: of the file, relative to the top of its repository, with forward slashes.
    """
    if before == after:
        return ""
    diff = difflib.unified_diff(lines(before), lines(after), n=3)
    next(diff), next(diff)  # difflib's own names cannot hold every path
    parts = [f"--- {_name('a', path)}\n", f"+++ {_name('b', path)}\n"]
    for line in diff:
        parts.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(parts)


def lines(text: str) -> list[str]:
    """Return the lines with their endings; only ``\\n`` ends a line, as git sees it."""
    found = text.split("\n")
    return [line + "\n" for line in found[:-1]] + ([found[-1]] if found[-1] else [])


def _name(side: str, path: str) -> str:
    """Return the file's name as git writes it: quoted like C where it must be."""
    whole = f"{side}/{path}"
    if any(c in '"\\' or ord(c) < 0x20 or ord(c) == 0x7F for c in whole):
        special = {'"': '\\"', "\\": "\\\\", "\t": "\\t", "\n": "\\n"}
        quoted = "".join(
            special.get(c, c if ord(c) >= 0x20 and ord(c) != 0x7F else f"\\{ord(c):03o}")
            for c in whole
        )
        return f'"{quoted}"'
    # The tab ends a name that holds a space; git writes it too.
    return f"{whole}\t" if " " in whole else whole
