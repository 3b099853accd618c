"""Whether the calls of the services whose SLOs are drilled are counted now."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from gameday.diagnosis.queries import in_quotes
from gameday.drivers.prometheus import Prometheus
from gameday.house.targets.declared_system import edges_of, queries_of
from gameday.house.targets.examination.inquiry import Inquiry, Unmet
from gameday.house.targets.examination.look import Look
from gameday.model.service_graph import EdgeSide, Measure
from gameday.model.slo import Slo

__all__ = ["graph"]


def graph(look: Look) -> Iterator[Inquiry]:
    """Ask after the part ``graph`` of a document, for every SLO; not where traces tell more."""
    if look.system.spec.graph is None or look.system.spec.traces is not None:
        return
    for slo in look.slos:
        yield Inquiry(f"graph of {slo.service}", partial(_counted, look, slo), bars=False)


async def _counted(look: Look, slo: Slo) -> str:
    spec = look.system.spec
    assert spec.graph is not None  # nothing is asked otherwise
    if spec.graph.edges is not None:
        called = [callee for caller, callee in spec.graph.edges if caller == slo.service]
        if not called:
            raise Unmet(
                f"no edge begins at {slo.service!r}",
                "write under graph.edges whom it calls: the walk begins there",
                bars=False,
            )
        return f"written: it calls {', '.join(called)}"
    rates = [
        asked
        for asked in edges_of(spec, slo, queries_of(spec))
        if asked.measure is Measure.RATE and asked.side is EdgeSide.CALLER
    ]

    async def count(prometheus: Prometheus) -> float:
        found = 0.0
        for asked in rates:
            label = asked.caller_label
            own = f'label_replace(vector(1), "{label}", "{in_quotes(slo.service)}", "", "")'
            found += len(await prometheus.values(f"({asked.query}) and on ({label}) {own}"))
        return found

    calls = await look.of_prometheus(count)
    if not calls:
        raise Unmet(
            f"no call of {slo.service!r} is counted",
            "see in Prometheus what the service is called in the graph's metrics, and that it calls"
            " others now",
            bars=False,
        )
    return f"whom it calls is counted: {calls:.0f}"
