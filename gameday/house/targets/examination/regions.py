"""Whether the regions that a document names are those that its metrics tell apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from gameday.diagnosis.queries import REGION
from gameday.diagnosis.red import Signal
from gameday.house.targets.declared_system import queries_of
from gameday.house.targets.examination.inquiry import Inquiry, Unmet
from gameday.house.targets.examination.look import Look
from gameday.model.signals import Series
from gameday.model.slo import Slo
from gameday.model.system import Regions

__all__ = ["regions"]

RECENT = timedelta(minutes=5)
"""How far back is looked for requests: a region of which there were none for longer has none."""

STEP = timedelta(seconds=15)


def regions(look: Look) -> Iterator[Inquiry]:
    """Ask after the part ``regions`` of a document, for every service."""
    told = look.system.spec.regions
    if told is None:
        return
    for slo in {slo.service: slo for slo in look.slos}.values():
        # A drill where they are wrong is played: what differs by region is unknown then.
        yield Inquiry(f"regions of {slo.service}", partial(_seen, look, told, slo), bars=False)


async def _seen(look: Look, told: Regions, slo: Slo) -> str:
    rate = queries_of(look.system.spec).of(slo.service, window=RECENT)[Signal.RATE]
    now = datetime.now(UTC)

    async def draw(prometheus: object) -> Sequence[Series]:
        return await look.prometheus().range(rate, since=now - RECENT, until=now, step=STEP)

    drawn = await look.of_prometheus(draw)
    found = {one.labels.get(REGION, "") for one in drawn if any(s.value > 0 for s in one.samples)}
    if not found:
        raise Unmet(
            f"no request of {slo.service!r} is counted",
            "see that there is traffic: where it comes from cannot be told",
            bars=False,
        )
    if found == {""}:
        raise Unmet(
            f"its requests bear no label {told.label!r}",
            "write under regions.label which label of the metrics tells regions apart, or leave"
            " regions out",
            bars=False,
        )
    missing = [name for name in told.names if name not in found]
    strange = sorted(name or "none" for name in found - set(told.names))
    if missing or strange:
        said = [f"no requests in {', '.join(missing)}"] if missing else []
        said += [f"requests in {', '.join(strange)}, which it does not name"] if strange else []
        raise Unmet(
            "; ".join(said),
            f"write under regions.names what {told.label!r} holds in the metrics: how many regions"
            " a fault touches is counted by these",
            bars=False,
        )
    return f"requests in each of {', '.join(told.names)}"
