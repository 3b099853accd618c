"""Which revision is meant: commits by their hashes, everything else by its whole name."""

from __future__ import annotations

import re

_COMMIT = re.compile(r"[0-9a-f]{7,64}")

_WHOLE = 40
"""Digits of a commit's hash where none is left out: 40 by SHA-1, 64 by SHA-256."""


def same_revision(one: str, other: str) -> bool:
    """Return whether two revisions are one.

    Commits are when their whole hashes are, or one is a shortened form (seven hexadecimal digits or
    more) of the other. Versions, tags and digests only when they are equal: ``v1.2.3`` is not the
    beginning of ``v1.2.30``.
    """
    if one == other:
        return bool(one)
    short, long = sorted((one.lower(), other.lower()), key=len)
    are_commits = _COMMIT.fullmatch(short) and _COMMIT.fullmatch(long)
    if not are_commits or len(short) >= _WHOLE:
        return bool(are_commits) and short == long
    return long.startswith(short)
