"""A downstream answers a service late, or a service asks late: a latency toxic on the hop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gameday.chaos import hops
from gameday.chaos.declaration import Activity, ActsOn, DeclaredFault, Hypothesis, Toxics
from gameday.chaos.parameters import DURATION, Parameter, milliseconds, one_of, seconds, share
from gameday.drivers.toxiproxy import Stream, Toxic

__all__ = ["FAULT", "downstream_is_slow", "slow_downstream"]


def slow_downstream(
    service: str,
    downstream: str,
    regions: str | Sequence[str] | None = None,
    latency: str = "400ms",
    jitter: str = "0ms",
    toxicity: float | str = 1.0,
    toxic_name: str = "gameday",
    ttl_s: float | str | None = None,
    stream: Stream = "downstream",
    toxiproxy_url: str | None = None,
) -> dict[str, Any]:
    """Delay what a downstream answers; return the proxies and the toxic they have now."""
    toxic = Toxic(
        name=toxic_name,
        type="latency",
        stream=stream,
        toxicity=share("toxicity", toxicity),
        attributes={
            "latency": milliseconds("latency", latency),
            "jitter": milliseconds("jitter", jitter),
        },
        ttl=seconds("ttl_s", ttl_s),
    )
    return hops.add(toxic, service, downstream, regions, toxiproxy_url)


def downstream_is_slow(
    service: str,
    downstream: str,
    regions: str | Sequence[str] | None = None,
    toxic_name: str | None = None,
    toxiproxy_url: str | None = None,
) -> bool:
    """Return whether every one of these hops has a latency toxic (of this name, if given)."""
    return hops.every_hop_has(
        lambda _proxy, toxic: toxic.type == "latency" and not hops.is_mark(toxic),
        service,
        downstream,
        regions,
        toxic_name,
        toxiproxy_url,
    )


FAULT = DeclaredFault(
    name="slow-downstream",
    module="gameday.chaos.downstream",
    title="A downstream answers slowly",
    description=(
        "Every answer on the way from a downstream back to a service is delayed by the TCP proxy on"
        " that hop, in the given regions. Connections stay open and no byte is lost."
    ),
    tags=("latency", "network", "toxiproxy"),
    contributions={"performance": "high", "availability": "medium"},
    acts_on=ActsOn.PROXY,
    parameters=(
        hops.SERVICE,
        hops.DOWNSTREAM,
        hops.REGIONS,
        Parameter("latency", DURATION, "400ms", "added to every answer"),
        Parameter("jitter", DURATION, "0ms", "how far the latency may be off"),
        hops.TOXICITY,
        Parameter(
            "stream",
            one_of("downstream", "upstream"),
            "downstream",
            "what is answered, or what is asked",
        ),
        hops.TOXIC_NAME,
        hops.TTL,
        hops.TOXIPROXY_URL,
    ),
    steady=Hypothesis(
        "Nothing else spoils the hop",
        Activity("the hop is clean", hops.downstream_is_clean, {"ignore": "toxic_name"}),
    ),
    inject=Activity("slow the downstream", slow_downstream),
    recover=Activity("recover the downstream", hops.recover_downstream),
    is_present=Activity("the hop is spoiled", hops.downstream_is_spoiled),
    touches=hops.UNCOUNTED,
    marks=Toxics(),
    where=hops.WHERE,
    undo="removes its toxics from the proxies of the hop",
)
