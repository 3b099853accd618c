"""The kinds of values a setting may have, each with one way to be written in file and environment.

A value that is none of its kind is refused in words, with what to write instead. A secret is never
quoted back.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import PlainValidator, SecretStr

from gameday.quantity import LONGEST, Duration, QuantityError, duration, refusal, shown, written

COVER = "•••"
"""Stands where a secret would."""

_TELLING = re.compile(r"pass|pwd|secret|token|key|auth|credential|sig", re.IGNORECASE)
_AUTHORITY = re.compile(r"(\[[^\]]*\]|[^:]*)(:[0-9]*)?")
"""Host and port; what else stands there may be a password whose ``@`` was forgotten."""

_TRUTHS = {"1": True, "true": True, "yes": True, "on": True} | {
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


def covered(url: str) -> str:
    """Return a URL without its secrets: the password, and what the query says of that kind.

    What cannot be read as a URL is covered as a whole, because nobody knows what it holds.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return COVER
    user, host = _user_and_host(rest)
    if ":" in user:
        user = f"{user.partition(':')[0]}:{COVER}"
    elif user and scheme in ("http", "https"):
        user = COVER  # on the web a lone user is a token more often than a name
    if not _AUTHORITY.fullmatch(re.split("[/?#]", host)[0]):
        return COVER
    place, mark, query = host.partition("?")
    pairs = "&".join(_covered_pair(pair) for pair in query.split("&"))
    return f"{scheme}://{f'{user}@' if user else ''}{place}{mark}{pairs}"


def _user_and_host(rest: str) -> tuple[str, str]:
    """Return what stands before the host, and the host with all that follows.

    A password may hold ``/``, ``?`` and ``#`` for SQLAlchemy, and people forget to escape an ``@``:
    what might belong to it counts as belonging to it.
    """
    user, at, host = rest.partition("@")
    if not at or (":" not in user and re.search("[/?#]", user)):
        return "", rest
    more, at, _ = re.split("[/?#]", host)[0].rpartition("@")
    cut = len(more) + len(at)
    return (f"{user}@{more}", host[cut:]) if at else (user, host)


def _covered_pair(pair: str) -> str:
    name, equals, value = pair.partition("=")
    return f"{name}={COVER}" if value and _TELLING.search(name) else f"{name}{equals}{value}"


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise refusal(f"'{shown(value)}' is not text", "write it in quotes")
    return value.strip()


def _folder(value: Any) -> Path:
    if isinstance(value, Path):
        return value
    text = _text(value)
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError as error:  # ~somebody, whom nobody knows
        raise refusal(f"'{shown(text)}' is no folder: {error}", "write the whole path") from error


def _web_address(value: Any) -> str:
    return _template(value).rstrip("/")


def _template(value: Any) -> str:
    text = _text(value)
    if not text:
        return text
    try:
        parts = urlsplit(text)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        may_hold_a_secret = set("@?") & set(text)
        raise refusal(
            f"'{shown(covered(text) if may_hold_a_secret else text)}' is no web address",
            "it begins with http:// or https:// and names a host",
        )
    return text


def _database(value: Any) -> str:
    text = _text(value)
    example = "write for example postgresql+psycopg://user:password@host/gameday"
    if not text:
        return text
    try:
        parts = urlsplit(text)
        is_one = bool(parts.scheme) and "://" in text and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        # Not quoted, not even in part: what is no URL may hold its password anywhere.
        raise refusal("this is no database URL", example)
    return text


def _place(value: Any) -> str:
    text = _text(value)
    host, colon, port = text.rpartition(":")
    is_one = bool(colon and host) and port.isdecimal() and 0 < int(port[:6]) < 65536
    if not is_one or (":" in host and not (host.startswith("[") and host.endswith("]"))):
        raise refusal(
            f"'{shown(text)}' is no address to listen on", "write host and port: 127.0.0.1:8081"
        )
    return text


def _names(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise refusal(f"'{shown(value)}' is no list of names", 'write ["one", "another"]')
    return tuple(name.strip() for name in value if name.strip())


def _switch(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    known = _TRUTHS.get(str(value).strip().lower())
    if known is None:
        raise refusal(f"'{shown(value)}' is neither yes nor no", "write true or false")
    return known


def _secret(value: Any) -> SecretStr:
    if isinstance(value, SecretStr):
        return value
    if not isinstance(value, str):
        raise refusal("this is not text", "write it in quotes")
    return SecretStr(value.strip())


def _secrets(value: Any) -> tuple[SecretStr, ...]:
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list | tuple):
        raise refusal("this is no list of texts", 'write ["…", "…"]')
    return tuple(s for one in value if (s := _secret(one)).get_secret_value())


def between(least: timedelta, most: timedelta) -> Callable[[Any], timedelta]:
    """Return what reads a duration within these limits, both included."""

    def read(value: Any) -> timedelta:
        try:
            found = duration(value)
        except QuantityError as error:
            raise refusal(error.message, error.hint) from error
        if not least <= found <= most:
            raise refusal(
                f"'{shown(value)}' is not within its limits",
                f"from {written(least)} to {written(most)}",
            )
        return found

    return read


def at_least_or_for_ever(least: timedelta) -> Callable[[Any], timedelta | None]:
    """Return what reads a duration of at least this; None, for ever, of ``none`` and 0."""
    bounded = between(least, LONGEST)

    def read(value: Any) -> timedelta | None:
        if value is None or str(value).strip().lower() in ("none", "0", "0d", "0s"):
            return None
        return bounded(value)

    return read


Folder = Annotated[Path, PlainValidator(_folder)]
"""A folder; ``~`` is expanded, and a relative one counts from the working directory or the file."""

WebAddress = Annotated[str, PlainValidator(_web_address)]
"""An http(s) URL without a slash at its end; empty where there is none."""

Template = Annotated[str, PlainValidator(_template)]
"""A web address with places in braces to be filled in."""

DatabaseUrl = Annotated[str, PlainValidator(_database)]
"""As SQLAlchemy writes them; empty where there is none."""

Place = Annotated[str, PlainValidator(_place)]
"""Host and port of this machine, to listen on; an address of IPv6 stands in brackets."""

Names = Annotated[tuple[str, ...], PlainValidator(_names)]
"""Names or shell patterns: a list in the file, with commas between them in the environment."""

Switch = Annotated[bool, PlainValidator(_switch)]
"""True or false; in the environment also 1, 0, yes, no, on, off."""

Text = Annotated[str, PlainValidator(_text)]
"""Any text; empty where there is none."""

Secret = Annotated[SecretStr, PlainValidator(_secret)]
"""Text that is never shown; empty where there is none."""

Secrets = Annotated[tuple[SecretStr, ...], PlainValidator(_secrets)]
"""Several of them: a list in the file, with commas between them in the environment."""

__all__ = [
    "COVER",
    "DatabaseUrl",
    "Duration",
    "Folder",
    "Names",
    "Place",
    "Secret",
    "Secrets",
    "Switch",
    "Template",
    "Text",
    "WebAddress",
    "at_least_or_for_ever",
    "between",
    "covered",
]
