"""What programs of each convention let Prometheus scrape, and a server that counts on for them.

Names and labels are those of the public sources that `gameday.diagnosis.conventions` names. Every
sample bears an instant of its own, and counters are a function of that instant alone: what is read
is what was put in, however late Prometheus comes by.
"""

from __future__ import annotations

import contextlib
import struct
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from gameday.model.red import RedPreset
from gameday.testing.served import PatientServer

STEP_MS = 500
"""Every sample's instant is a multiple of this, and counters grow by whole requests with each."""

MARK = "exposed_steps"
"""A series of every exposition, by which it is seen which instants were scraped."""

MEAN_S = 0.1
"""The sum of the durations is that of requests which all take so long."""

Labels = Mapping[str, str]


def labelled(text: str, **more: str) -> Labels:
    """Return the labels of ``a=b c=d``, and more."""
    return {**dict(pair.split("=", 1) for pair in text.split()), **more}


@dataclass(frozen=True)
class Names:
    """What one program calls its metrics, and the labels it writes on them.

    Attributes:
        status: the label of the status; ``good`` and ``bad`` are two of its values.
        labels: what else stands on the requests of the service.
        others: labels of requests that are somebody else's, or counted in another place.
        duration: the histogram; empty: none.
        has_buckets: whether it is more than sum, count and maximum.
        requests: the counter; empty: the histogram's own count.
        histogram_has_status: whether the histogram bears the label of the status.
        unit: units of the duration in a second.
    """

    status: str
    good: str
    bad: str
    labels: Labels
    others: Sequence[Labels] = ()
    duration: str = ""
    requests: str = ""
    mean: str = ""
    has_buckets: bool = True
    histogram_has_status: bool = True
    unit: int = 1


@dataclass(frozen=True)
class Program:
    """A program that is scraped.

    Attributes:
        service: what the service is called; in ``names`` it stands as ``SERVICE``.
        target: labels that the scrape configuration gives.
        size: how many times the usual traffic it has, so that none is taken for another.
    """

    service: str
    preset: RedPreset
    names: Sequence[Names]
    target: Labels = field(default_factory=dict)
    size: int = 1

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.size * 10 * 1000 / STEP_MS


ERROR_RATIO = 0.2
"""Of ten requests, two fail, and one takes long: nine keep within the bound below."""


def bound(unit: int, *, native: bool) -> float:
    """Return what nine of ten requests keep within: a bound of buckets of either kind."""
    if unit == 1:
        return 0.25
    return 256.0 if native else 250.0  # native buckets end at powers of two


def text_of(program: Program, step: int) -> bytes:
    """Return the exposition in Prometheus' text format, with classic histograms."""
    at = step * STEP_MS
    lines = [f"{MARK} {step} {at}"]
    for names in program.names:
        for labels, fast, slow in _traffic(program, names):
            status = labels.pop(names.status)
            counted = {**labels, names.status: status}
            if names.requests:
                lines.append(f"{names.requests}{_braced(counted)} {(fast + slow) * step} {at}")
            if names.mean:
                lines.append(f"{names.mean}{_braced(labels)} {MEAN_S * program.size} {at}")
            if names.duration and names.histogram_has_status:
                lines += _classic(names, counted, fast * step, slow * step, at)
        if names.duration and not names.histogram_has_status:
            for labels, fast, slow in _merged(program, names):
                lines += _classic(names, labels, fast * step, slow * step, at)
    return "\n".join([*lines, ""]).encode()


def _classic(names: Names, labels: Labels, fast: int, slow: int, at: int) -> list[str]:
    first = bound(names.unit, native=False)
    # Cumulative: the narrowest bucket holds nothing, so that the bound is met from below.
    buckets = [(first / 2.5, 0), (first, fast), (first * 2, fast + slow), ("+Inf", fast + slow)]
    series = [(f"_bucket{_braced({**labels, 'le': str(le)})}", count) for le, count in buckets]
    if not names.has_buckets:
        series = [(f"_max{_braced(labels)}", first * 2)]
    series += [
        (f"_sum{_braced(labels)}", (fast + slow) * MEAN_S * names.unit),
        (f"_count{_braced(labels)}", fast + slow),
    ]
    return [f"{names.duration}{name} {value} {at}" for name, value in series]


def _traffic(program: Program, names: Names) -> Iterator[tuple[dict[str, str], int, int]]:
    """Yield (labels, fast, slow) requests of one step: the service's, then everybody else's."""
    own = _named(names.labels, program.service)
    yield {**own, names.status: names.good}, 7 * program.size, 1 * program.size
    yield {**own, names.status: names.bad}, 2 * program.size, 0
    for other in names.others:
        labels = {**own, **_named(other, program.service)}
        yield {**labels, names.status: names.bad}, 3, 70 * program.size


def _merged(program: Program, names: Names) -> Iterator[tuple[dict[str, str], int, int]]:
    """Yield the same without the status."""
    found: dict[tuple[tuple[str, str], ...], tuple[int, int]] = {}
    for labels, fast, slow in _traffic(program, names):
        del labels[names.status]
        key = tuple(labels.items())
        known = found.get(key, (0, 0))
        found[key] = known[0] + fast, known[1] + slow
    for key, (fast, slow) in found.items():
        yield dict(key), fast, slow


def _named(labels: Labels, service: str) -> dict[str, str]:
    return {name: value.replace("SERVICE", service) for name, value in labels.items()}


def _braced(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"


# --- native histograms, which only the protobuf format carries ------------------------------------
# Source: prometheus/client_model, io/prometheus/client/metrics.proto; each family is preceded by
# its length.


def protobuf_of(program: Program, step: int) -> bytes:
    """Return the exposition in Prometheus' protobuf format, with native histograms."""
    at = step * STEP_MS
    families = [_family(MARK, "gauge", [({}, _message(_double(1, step)))], at)]
    for names in program.names:
        traffic = list(_traffic(program, names))
        if names.requests:
            counted = [(labels, _message(_double(1, (f + s) * step))) for labels, f, s in traffic]
            families.append(_family(names.requests, "counter", counted, at))
        if names.duration:
            rows = traffic if names.histogram_has_status else list(_merged(program, names))
            seen = [(labels, _native(names, f * step, s * step)) for labels, f, s in rows]
            families.append(_family(names.duration, "histogram", seen, at))
    return b"".join(_varint(len(family)) + family for family in families)


_KINDS = {"counter": (0, 3), "gauge": (1, 2), "histogram": (4, 7)}
"""Each kind's number among the types, and that of its field in a metric."""


def _family(name: str, kind: str, metrics: Sequence[tuple[Labels, bytes]], at: int) -> bytes:
    type_number, value_field = _KINDS[kind]
    return _message(
        _bytes(1, name.encode()),
        _integer(3, type_number),
        *(
            _bytes(
                4,
                _message(
                    *(
                        _bytes(1, _message(_bytes(1, key.encode()), _bytes(2, value.encode())))
                        for key, value in labels.items()
                    ),
                    _bytes(value_field, value_message),
                    _integer(6, at),
                ),
            )
            for labels, value_message in metrics
        ),
    )


def _native(names: Names, fast: int, slow: int) -> bytes:
    # Schema 0: each bucket is twice as wide as the one below, and number n ends at 2 to the n.
    last = {0.25: -2, 256.0: 8}[bound(names.unit, native=True)]
    return _message(
        _integer(1, fast + slow),
        _double(2, (fast + slow) * MEAN_S * names.unit),
        _integer(5, _zigzag(0)),
        _double(6, 1e-12),
        _integer(7, 0),
        _bytes(12, _message(_integer(1, _zigzag(last)), _integer(2, 2))),
        _integer(13, _zigzag(fast)),
        _integer(13, _zigzag(slow - fast)),
    )


def _message(*fields: bytes) -> bytes:
    return b"".join(fields)


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def _zigzag(number: int) -> int:
    return number * 2 if number >= 0 else -number * 2 - 1


def _integer(field_number: int, number: int) -> bytes:
    return _varint(field_number << 3) + _varint(number)


def _double(field_number: int, number: float) -> bytes:
    return _varint(field_number << 3 | 1) + struct.pack("<d", number)


def _bytes(field_number: int, content: bytes) -> bytes:
    return _varint(field_number << 3 | 2) + _varint(len(content)) + content


# --- the server -----------------------------------------------------------------------------------

_PROTOBUF = (
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
)


class _Server(PatientServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # Prometheus gave up, or has ended
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # as it came


@contextlib.contextmanager
def serving(classic: Sequence[Program], native: Sequence[Program]) -> Iterator[int]:
    """Serve every program at ``/classic/SERVICE`` or ``/native/SERVICE``; yield the port."""
    pages = {f"/classic/{p.service}": (p, text_of, "text/plain; version=0.0.4") for p in classic}
    pages |= {f"/native/{p.service}": (p, protobuf_of, _PROTOBUF) for p in native}

    class Exporter(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # connections are kept, and with them threads

        def do_GET(self) -> None:
            program, written, kind = pages[self.path]
            body = written(program, time.time_ns() // 1_000_000 // STEP_MS)
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = _Server(("127.0.0.1", 0), Exporter)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
