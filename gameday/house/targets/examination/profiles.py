"""Whether the profiles of a document can be asked for."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from gameday.drivers.pyroscope import PyroscopeProfiles
from gameday.house.targets.examination.inquiry import Inquiry
from gameday.house.targets.examination.look import Look
from gameday.http.credentials import credentials_of
from gameday.http.knock import named

__all__ = ["profiles"]

RECENT = timedelta(minutes=5)


def profiles(look: Look) -> Iterator[Inquiry]:
    """Ask after the part ``profiles`` of a document."""
    told = look.system.spec.profiles
    if told is None:
        return
    reached, names = told.pyroscope, told.names

    async def answers() -> str:
        await named(look.address(reached))
        now = datetime.now(UTC)
        source = PyroscopeProfiles(reached.url, credentials=credentials_of(reached))
        for slo in look.slos[:1]:
            # Of a trace that nobody has: what is tried is the way there, with the token.
            await source.by_trace(
                service=names.to_theirs(slo.service),
                trace_ids=[secrets.token_hex(16)],
                since=now - RECENT,
                until=now,
            )
        return f"answers at {reached.url}"

    # A drill without them is played: what they would have shown is unknown then.
    yield Inquiry("profiles", answers, bars=False)
