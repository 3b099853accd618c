"""The instruments of the system under incident, as far as somebody configured them."""

from __future__ import annotations

from dataclasses import dataclass

from gameday.ports import AlertSource, CodeHistory, ProfileSource, SignalSource, TraceSource


@dataclass(frozen=True, slots=True)
class Instruments:
    """What can be read; None: nobody said where it is."""

    metrics: SignalSource | None = None
    alerts: AlertSource | None = None
    traces: TraceSource | None = None
    profiles: ProfileSource | None = None
    code: CodeHistory | None = None
