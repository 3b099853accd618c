"""Who answers at the other end of a call, where the caller knows only an address. Pure.

Instrumentation of its own accord writes where a request was sent, not to whom: `server.address` is
a host of the network's. Who answers there is told by the traces in which the answer left a span; so
also a call that nobody answered is laid at the right door.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from gameday.diagnosis.exclusive import children_of
from gameday.model.signals import Span, Trace

__all__ = ["named"]

_PEER = "peer.service"
_PORT = re.compile(r":\d*$")

_URLS = ("url.full", "http.url")
"""The attributes that hold the whole address: the newer conventions' and the older ones'."""

_HOSTS = (
    ("server.address", "server.port"),
    ("net.peer.name", "net.peer.port"),
    ("net.peer.ip", "net.peer.port"),
)

Address = tuple[str, str]
"""Of whom a call is, and where it goes."""


def named(*samples: Sequence[Trace]) -> tuple[tuple[Trace, ...], ...]:
    """Return these samples of traces with every peer named that any of them knows.

    A call whose span says itself whom it calls is left as it is; one whose peer nobody knows is
    given its host for a name.
    """
    known = _answering(trace for sample in samples for trace in sample)
    return tuple(
        tuple(
            replace(trace, spans=tuple(_named(span, known) for span in trace.spans))
            for trace in sample
        )
        for sample in samples
    )


def _answering(traces: Iterable[Trace]) -> Mapping[Address, str]:
    """Return which service answers at each address; the one that mostly does, where several do."""
    seen: dict[Address, Counter[str]] = {}
    for trace in traces:
        children = children_of(trace)
        for span in trace.spans:
            address = _address(span)
            for child in children.get(span.span_id, ()) if address else ():
                if child.kind == "server" and child.service != span.service:
                    assert address is not None
                    seen.setdefault(address, Counter())[child.service] += 1
    return {a: min(names, key=lambda n: (-names[n], n)) for a, names in seen.items()}


def _named(span: Span, known: Mapping[Address, str]) -> Span:
    address = _address(span)
    if address is None:
        return span
    name = known.get(address) or _PORT.sub("", address[1])
    return replace(span, attributes={**span.attributes, _PEER: name})


def _address(span: Span) -> Address | None:
    """Return where a call goes; None where it is none, says whom it calls, or says nothing."""
    if span.kind != "client" or span.attributes.get(_PEER):
        return None
    if any(key.startswith("db.") for key in span.attributes):
        return None  # a database leaves no span, and its own attributes name it best
    for key in _URLS:
        if host := _host_of(str(span.attributes.get(key, ""))):
            return span.service, host
    for host, port in _HOSTS:
        if span.attributes.get(host):
            told = (span.attributes[host], span.attributes.get(port))
            return span.service, ":".join(str(part) for part in told if part)
    return None


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return ""
