"""Whether the Toxiproxy of a document answers."""

from __future__ import annotations

from collections.abc import Iterator

from gameday.drivers.toxiproxy import Toxiproxy
from gameday.house.targets.examination.inquiry import Inquiry
from gameday.house.targets.examination.look import Look
from gameday.http.credentials import credentials_of, learn
from gameday.http.knock import named

__all__ = ["toxiproxy"]


def toxiproxy(look: Look) -> Iterator[Inquiry]:
    """Ask after the part ``toxiproxy`` of a document."""
    told = look.system.spec.toxiproxy
    if told is None:
        return
    url = told.url

    async def answers() -> str:
        learn({url: credentials_of(told)})
        await named(url)
        async with Toxiproxy(url) as proxy:
            version = await proxy.version()
        return f"answers at {url}, version {version}"

    yield Inquiry("toxiproxy", answers)
