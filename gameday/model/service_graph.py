"""How the calls between services are asked for: PromQL that travels to whoever reads a graph."""

from __future__ import annotations

from enum import StrEnum

from gameday.model.page import Value

__all__ = ["EdgeQuery", "Measure", "EdgeSide"]


class Measure(StrEnum):
    """What is measured of a call."""

    RATE = "rate"
    ERRORS = "errors"
    DURATION = "duration"


class EdgeSide(StrEnum):
    """Who measures a call."""

    CALLER = "caller"
    CALLEE = "callee"


class EdgeQuery(Value):
    """One expression, and how its series name the two ends of a call.

    Attributes:
        query: PromQL with every placeholder filled in; a rate per second, a share 0–1, or seconds.
        caller_label: the label of the caller; empty: it is `caller`, or told by another query.
        callee_label: the label of who answers; empty: it is `callee`.
    """

    measure: Measure
    side: EdgeSide
    query: str
    caller_label: str = ""
    callee_label: str = ""
    caller: str = ""
    callee: str = ""
