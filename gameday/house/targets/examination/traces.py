"""Whether there are traces of the services whose SLOs are drilled, now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

from gameday.house.targets.declared_system import traces_of
from gameday.house.targets.examination.inquiry import Inquiry, Unmet
from gameday.house.targets.examination.look import Look
from gameday.http.knock import named
from gameday.quantity import written

__all__ = ["traces"]

RECENT = timedelta(minutes=5)
"""How far back is looked for a trace: collectors that sample keep one in a hundred or fewer."""


def traces(look: Look) -> Iterator[Inquiry]:
    """Ask after the part ``traces`` of a document, for every service."""
    if look.system.spec.traces is None:
        return
    for service in dict.fromkeys(slo.service for slo in look.slos):
        # A drill without them is played: what they would have shown is unknown then.
        yield Inquiry(f"traces of {service}", partial(_seen, look, service), bars=False)


async def _seen(look: Look, service: str) -> str:
    told = look.system.spec.traces
    assert told is not None  # nothing is asked otherwise
    theirs = told.names.to_theirs(service)
    await named(look.address(told.reached))
    now = datetime.now(UTC)
    source = traces_of(look.system.spec, told)
    found = await source.search(service=service, since=now - RECENT, until=now, limit=20)
    if not found:
        raise Unmet(
            f"no trace of {theirs!r} in the last {written(RECENT)}",
            f"see in it what {service!r} is called there, and write `services: {{{service}: NAME}}`"
            " below traces; or see that it is traced, and how many of its requests are kept",
            bars=False,
        )
    called = {span.service for trace in found for span in trace.spans} - {service}
    beside = f", with {', '.join(sorted(called)[:5])}" if called else ", and of nothing else"
    return f"{len(found)} in the last {written(RECENT)}{beside}"
