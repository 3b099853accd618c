"""Secrets covered in what others say: a tool that echoes a token, a program that prints all it has.

Only their words are covered. What gameday itself stores to act on, such as an undo, names its
secrets and holds none.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from urllib.parse import quote, urlsplit

from gameday.model.secret_names import is_secret

__all__ = ["MASK", "masked", "remember", "remembered", "variants"]

MASK = "•••"

SHORTEST = 6
"""Letters of a variable's value that is covered: ``1`` and ``true`` stand in every second word."""

_OF_THE_DESKTOP = ("XDG_", "DESKTOP_", "SESSION_", "SSH_AUTH_SOCK", "XAUTH")
"""Variables that bear a secret's name and hold none; Linux sets them."""

_known: set[str] = set()
"""Of this process alone: what it has read to show it to somebody."""


def remember(*secrets: str) -> None:
    """Cover these from now on, while the process lives.

    Nothing of three letters or fewer is: it would be covered in the middle of words, and guarded
    nothing.
    """
    _known.update(secret for secret in secrets if len(secret) > 3)


def remembered() -> tuple[str, ...]:
    """Return what this process covers because it was read: for a child in its place, and it alone.

    Handed over where only the child reads it, such as its stdin.
    """
    return tuple(sorted(_known))


def masked(text: str) -> str:
    """Return what somebody else said, with every secret covered.

    Those that were read for a request, and what the environment holds under the name of one: a
    program that is started inherits it. To be called before a text is cut: half a secret would not
    be found any more.
    """
    for secret in variants([*_known, *_in_environment()]):
        text = text.replace(secret, MASK)
    return text


def variants(secrets: Iterable[str]) -> tuple[str, ...]:
    """Return secrets as they are and as JSON and URLs may write them, the longest first."""
    plain = {s for s in secrets if s}
    found = (
        plain
        | {s.replace("/", "\\/") for s in plain}
        | {json.dumps(s)[1:-1] for s in plain}
        | {quote(s, safe="") for s in plain}
    )
    return tuple(sorted(found, key=lambda s: (-len(s), s)))


def _in_environment() -> Iterator[str]:
    for name, value in os.environ.items():
        if is_secret(name) and not name.startswith(_OF_THE_DESKTOP):
            found = value.strip()
        elif "://" in value and "@" in value:
            try:
                found = urlsplit(value).password or ""
            except ValueError:
                continue
        else:
            continue
        if len(found) >= SHORTEST:
            yield found
