"""Deploys out of a program of the operator's, which prints them as JSON."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gameday.errors import PermanentDriverError, TemporaryDriverError
from gameday.http.masking import masked
from gameday.model.placeholders import filled
from gameday.model.signals import Deploy
from gameday.program import ran

__all__ = ["PrintedDeploys", "read_deploys"]

LAST_WORDS = 300
"""Characters of what a command complains that are kept."""

LONGEST = 4 * 1024 * 1024
"""Bytes that are read of what it prints: ten thousand deploys with long words."""


class PrintedDeploys:
    """The deploys that a command prints; fulfils `gameday.ports.DeployLog`.

    It prints a list, or an object whose ``deploys`` are one. Each entry has a ``service``, a
    ``revision`` and ``deployed_at`` (RFC 3339, with a zone), and may have a ``region`` and a
    ``summary``. What lies outside of the span asked for is left out.
    """

    def __init__(self, run: Sequence[str], *, within: timedelta) -> None:
        """Remember what is run.

        Args:
            run: program and arguments; ``{since}`` and ``{until}`` stand for the span.
            within: how long it may take.
        """
        self._run = tuple(run)
        self._within = within

    async def deploys(self, *, since: datetime, until: datetime) -> Sequence[Deploy]:
        """Return deploys in this span, oldest first.

        Raises:
            PermanentDriverError: it cannot be run, failed, or printed something else.
            TemporaryDriverError: it did not end in time.
        """
        span = {"since": _written(since), "until": _written(until)}
        run = tuple(filled(argument, span) for argument in self._run)
        shown = shlex.join(run)
        printed = await self._printed(run, shown)
        try:
            found = read_deploys(json.loads(printed))
        except (ValueError, RecursionError) as error:
            raise PermanentDriverError(
                f"{shown} prints no deploys ({masked(str(error))}): print a list of"
                ' {"service": …, "revision": …, "deployed_at": "2026-01-01T12:00:00Z"}'
            ) from error
        return [deploy for deploy in found if since <= deploy.deployed_at <= until]

    async def _printed(self, run: Sequence[str], shown: str) -> bytes:
        try:
            ended = await ran(*run, within=self._within, most=LONGEST + 1, cwd=Path.cwd())
        except TimeoutError as error:
            raise TemporaryDriverError(
                f"{shown} did not end within {self._within.total_seconds():g} s and was killed:"
                " give it longer (`within`), or see what it waits for"
            ) from error
        except (OSError, ValueError) as error:
            raise PermanentDriverError(
                f"{shown} cannot be run: {error}; see that it is there, with its whole path"
            ) from error
        if ended.code:
            words = masked(ended.err.decode(errors="replace")).strip()[-LAST_WORDS:]
            raise PermanentDriverError(f"{shown} ended with {ended.code}: {words or 'no word'}")
        if len(ended.out) > LONGEST:
            raise PermanentDriverError(
                f"{shown} prints more than {LONGEST // 1024 // 1024} MB: let it print the span"
                " between {since} and {until} alone"
            )
        return ended.out


def read_deploys(said: Any) -> Sequence[Deploy]:
    """Return the deploys that a JSON value lists, oldest first.

    Raises:
        ValueError: it lists something else; says which entry, and what about it.
    """
    if isinstance(said, dict):
        said = said.get("deploys")
    if not isinstance(said, list):
        raise ValueError("it is no list")
    found = [_read(entry, number) for number, entry in enumerate(said, start=1)]
    return sorted(found, key=lambda deploy: deploy.deployed_at)


def _read(entry: Any, number: int) -> Deploy:
    if not isinstance(entry, dict):
        raise ValueError(f"entry {number} is no object")
    for name in ("service", "revision", "deployed_at"):
        if not isinstance(entry.get(name), str) or not entry[name]:
            raise ValueError(f"entry {number} has no {name}")
    try:
        at = datetime.fromisoformat(entry["deployed_at"])
    except ValueError as error:
        raise ValueError(f"entry {number}: {error}") from error
    if at.tzinfo is None:
        raise ValueError(f"entry {number}: deployed_at has no zone: end it with Z")
    return Deploy(
        service=entry["service"],
        revision=entry["revision"],
        deployed_at=at.astimezone(UTC),
        region=str(entry.get("region") or "") or None,
        summary=str(entry.get("summary") or ""),
    )


def _written(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
