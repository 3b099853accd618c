"""Tokens and what they open. Pure but for the randomness of a new one."""

from __future__ import annotations

import secrets
from datetime import datetime

from gameday.http.proof import hash_of
from gameday.ports import Role, Token

PREFIX = "gd_"
"""What every token begins with, so that scanners for leaked secrets find it."""

_ORDER = tuple(Role)


def new_token(role: Role, name: str, *, now: datetime) -> tuple[str, Token]:
    """Return (the token, which is shown once; what is kept of it)."""
    secret = PREFIX + secrets.token_urlsafe(32)
    return secret, Token(secrets.token_hex(4), hash_of(secret), role, name, now)


def may(token: Token, needed: Role) -> bool:
    """Return whether a token opens what a role is needed for."""
    if token.revoked_at is not None:
        return False
    if needed is Role.WEBHOOK:
        # Handing in alerts is for machines: a responder's token in a config file is a mistake.
        return token.role in (Role.WEBHOOK, Role.FACILITATOR)
    return _ORDER.index(token.role) >= _ORDER.index(needed)
