"""A downstream fails a service instead of answering late: toxics that break the hop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chaoslib.exceptions import ActivityFailed

from gameday.chaos import hops
from gameday.chaos.declaration import Activity, ActsOn, DeclaredFault, Hypothesis, Toxics
from gameday.chaos.parameters import Parameter, one_of, seconds, share
from gameday.drivers.toxiproxy import Toxic

__all__ = ["FAULT", "break_downstream", "downstream_is_broken"]

BREAKS = {
    "reset": Toxic(name="", type="reset_peer", attributes={"timeout": 0}),
    "timeout": Toxic(name="", type="timeout", attributes={"timeout": 0}),
    "down": hops.DOWN,
}


def break_downstream(
    service: str,
    downstream: str,
    regions: str | Sequence[str] | None = None,
    mode: str = "reset",
    toxicity: float | str = 1.0,
    toxic_name: str = "gameday",
    ttl_s: float | str | None = None,
    toxiproxy_url: str | None = None,
) -> dict[str, Any]:
    """Let a downstream fail a service; return the proxies and the toxic they have now."""
    if mode not in BREAKS:
        raise ActivityFailed(f"mode must be one of {', '.join(BREAKS)}, not {mode!r}")
    ratio = share("toxicity", toxicity)
    if mode == "down" and ratio != 1:
        raise ActivityFailed("mode 'down' applies to every connection; toxicity must be 1")
    model = BREAKS[mode]
    toxic = Toxic(
        name=toxic_name,
        type=model.type,
        toxicity=model.toxicity if mode == "down" else ratio,
        attributes=model.attributes,
        ttl=seconds("ttl_s", ttl_s),
    )
    return hops.add(toxic, service, downstream, regions, toxiproxy_url)


def downstream_is_broken(
    service: str,
    downstream: str,
    regions: str | Sequence[str] | None = None,
    toxic_name: str | None = None,
    toxiproxy_url: str | None = None,
) -> bool:
    """Return whether every one of these hops is down or has a toxic that breaks it."""
    return hops.every_hop_has(
        lambda proxy, toxic: (
            toxic.type in ("reset_peer", "timeout") or (hops.is_mark(toxic) and not proxy.enabled)
        ),
        service,
        downstream,
        regions,
        toxic_name,
        toxiproxy_url,
    )


FAULT = DeclaredFault(
    name="broken-downstream",
    module="gameday.chaos.downstream",
    title="A downstream fails",
    description=(
        "Answers on the way from a downstream back to a service are lost: the connection is reset"
        " when the answer comes by (reset), no answer ever comes (timeout), or nobody listens"
        " (down)."
    ),
    tags=("errors", "network", "toxiproxy"),
    contributions={"availability": "high", "performance": "medium"},
    acts_on=ActsOn.PROXY,
    parameters=(
        hops.SERVICE,
        hops.DOWNSTREAM,
        hops.REGIONS,
        Parameter("mode", one_of(*BREAKS), "reset", "how it fails"),
        Parameter("toxicity", hops.TOXICITY.type, 1.0, "share of connections; 1 for mode down"),
        hops.TOXIC_NAME,
        hops.TTL,
        hops.TOXIPROXY_URL,
    ),
    steady=Hypothesis(
        "Nothing else spoils the hop",
        Activity("the hop is clean", hops.downstream_is_clean, {"ignore": "toxic_name"}),
    ),
    inject=Activity("break the downstream", break_downstream),
    recover=Activity("recover the downstream", hops.recover_downstream),
    is_present=Activity("the hop is spoiled", hops.downstream_is_spoiled),
    touches=hops.UNCOUNTED,
    marks=Toxics(),
    where=hops.WHERE,
    undo="removes its toxics from the proxies of the hop, and enables what it disabled",
)
