"""Which names say that what bears them is a secret."""

from __future__ import annotations

import re

__all__ = ["is_secret"]

_SECRETS = re.compile(
    "apikey|auth|authorization|cookie|credentials?|key|passw(or)?d|pwd|secret|session|sig(nature)?"
    "|token",
    re.IGNORECASE,
)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def is_secret(name: str) -> bool:
    """Return whether what bears this name is a secret, by the words of the name.

    ``X-Api-Key``, ``access_token`` and ``hubSignature`` are; ``X-Scope-OrgID`` and ``author`` not.
    """
    return any(_SECRETS.fullmatch(word) for word in _WORD.findall(name))
