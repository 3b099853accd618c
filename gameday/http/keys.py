"""Which servers of this machine ask for a token, and which one: the keys of the running sandbox.

Those of doors into a cluster beside them, which only the process that opened the door knows.

A sandbox draws its token when it starts and keeps it, with the addresses it is for, in its state
file, which is its owner's alone. The token goes to those addresses and nowhere else, so that it
needs to stand in no URL, no experiment, no undo and no message.

Beside the token, which opens everything, there is one derived from it that only reads: for the
responder, who is given nothing that acts, and for a browser.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gameday.http.address import is_loopback

if TYPE_CHECKING:
    import httpx  # what is imported here delays every fault

__all__ = [
    "COOKIE",
    "PUSHING",
    "READING",
    "auth_for",
    "derived",
    "known",
    "learn",
    "reading",
    "reading_for",
    "told",
]

READING, PUSHING = "reading", "pushing"
"""What a derived token is for: to read telemetry; to hand it in."""

COOKIE = "gameday_reading"
"""Where a browser keeps the token that reads."""

_known: dict[str, str] = {}
"""Origin → token. Of this process alone; what was told, or read out of a state file."""


def derived(token: str, use: str) -> str:
    """Return the token for one use that a sandbox's token stands for; empty of an empty one."""
    return hmac.new(token.encode(), use.encode(), hashlib.sha256).hexdigest() if token else ""


def learn(keys: Mapping[str, str]) -> None:
    """Know these tokens, by origin (``http://127.0.0.1:1234``), while the process lives."""
    _known.update({_origin(url): token for url, token in keys.items() if token})


def told(state: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the tokens that a sandbox's state speaks of, by address."""
    token = str(state.get("token") or "")
    # The shop's own edge is no API of the sandbox.
    urls = [str(v) for k, v in state.items() if k.endswith("_url") and k != "edge_url"]
    return dict.fromkeys(urls, token) if token else {}


def known() -> Mapping[str, str]:
    """Return the tokens this process knows, by origin: for a child that acts in its place."""
    return dict(_known)


def reading() -> Mapping[str, str]:
    """Return the tokens that read what this process knows the tokens of, by origin."""
    return {url: derived(token, READING) for url, token in _known.items()}


def reading_for(url: str) -> str:
    """Return the token that reads at this address; empty where none is needed, as far as known."""
    return derived(_token_for(url), READING)


def auth_for(url: str) -> httpx.Auth | None:
    """Return how to prove to the server at this address who asks; None where it needs nothing."""
    token = _token_for(url)
    if not token:
        return None
    from gameday.http.proof import Bearer

    return Bearer(token)


def _token_for(url: str) -> str:
    if not is_loopback(url):
        return ""
    found = _known.get(_origin(url))
    if found is None:
        learn(_of_this_machine())
        found = _known.get(_origin(url))
    return found or ""


def _of_this_machine() -> Mapping[str, str]:
    """Return the tokens of the sandbox in the state folder; none where none is up."""
    from gameday.errors import GamedayError
    from gameday.settings import Settings

    try:
        path: Path = Settings.from_environment().state / "sandbox" / "sandbox.json"
        said = json.loads(path.read_bytes())
    except (GamedayError, OSError, ValueError):
        return {}
    return told(said) if isinstance(said, dict) else {}


def _origin(url: str) -> str:
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname}:{parts.port}"
    except ValueError:
        return url
