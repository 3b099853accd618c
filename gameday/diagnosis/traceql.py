"""What is asked of a store that speaks TraceQL: written for it and into links, and read back."""

from __future__ import annotations

import re
from datetime import timedelta

from gameday.diagnosis.queries import in_quotes

__all__ = ["duration_in", "service_in", "spans_of"]

_SERVICE = re.compile(r'resource\.service\.name\s*=\s*"((?:[^"\\]|\\.)*)"')
_LEAST = re.compile(r"\bduration\s*>=?\s*([0-9.]+[a-zµ]+)")


def spans_of(service: str, *, at_least: timedelta | None = None, errors_only: bool = False) -> str:
    """Return the TraceQL of spans of a service that lasted this long, or failed."""
    conditions = [f'resource.service.name = "{in_quotes(service)}"']
    if at_least is not None and at_least > timedelta(0):
        conditions.append(f"duration >= {at_least // timedelta(microseconds=1)}us")
    if errors_only:
        conditions.append("status = error")
    return f"{{ {' && '.join(conditions)} }}"


def service_in(query: str) -> str | None:
    """Return the service that a query asks for; None where it names none."""
    found = _SERVICE.search(query)
    return re.sub(r"\\(.)", r"\1", found[1]) if found else None


def duration_in(query: str) -> str:
    """Return the least duration that a query asks for, as it is written; empty: any."""
    found = _LEAST.search(query)
    return found[1] if found else ""
