"""The instruments of the system under incident, as far as somebody configured them."""

from __future__ import annotations

from dataclasses import dataclass

from gameday.diagnosis.conventions import DEFAULT
from gameday.diagnosis.queries import RedQueries
from gameday.model.code import CodeOf
from gameday.model.page import Step
from gameday.model.service_graph import EdgeQuery
from gameday.ports import AlertSource, CodeHistory, ProfileSource, SignalSource, TraceSource


@dataclass(frozen=True, slots=True)
class Instruments:
    """What can be read; None: nobody said where it is.

    Attributes:
        red: how rate, errors and duration are asked for.
        graph: how the calls between services are asked for, where there are no traces.
        sources: where the system's document says that the code of its services is.
        absent: the steps that the system itself has no instrument for, wherever it is looked for.
    """

    metrics: SignalSource | None = None
    alerts: AlertSource | None = None
    traces: TraceSource | None = None
    profiles: ProfileSource | None = None
    code: CodeHistory | None = None
    red: RedQueries = DEFAULT
    graph: tuple[EdgeQuery, ...] = ()
    absent: frozenset[Step] = frozenset()
    sources: tuple[CodeOf, ...] = ()
