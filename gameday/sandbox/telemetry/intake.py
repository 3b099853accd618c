"""Request bodies: read, bounded, decompressed; and the refusals every endpoint shares."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from gameday.errors import UsageError

if TYPE_CHECKING:
    from starlette.requests import Request

MAX_BODY_BYTES = 8 * 1024 * 1024
"""On the wire. The shop's largest body is some 100 kB."""
MAX_DECODED_BYTES = 32 * 1024 * 1024
"""After decompression: a bomb is cut off here, before it costs memory."""


class Refusal(UsageError):
    """A request that cannot be served as it stands.

    Attributes:
        status: HTTP status that says so, 400 unless told otherwise.
    """

    def __init__(self, message: str, *, status: int = 400) -> None:
        self.status = status
        super().__init__(message)


async def read_body(request: Request) -> bytes:
    """Return the request's body, decompressed.

    Raises:
        Refusal: 413 where it is larger than the limits, 415 for an unknown encoding,
            400 where the compressed stream is broken or cut short.
    """
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise Refusal(f"body is larger than {MAX_BODY_BYTES} bytes", status=413)
        chunks.append(chunk)
    body = b"".join(chunks)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    match encoding:
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            return decompress(body, wbits=31)
        case "deflate":
            return decompress(body, wbits=15)
        case _:
            raise Refusal(f"content encoding {encoding[:40]!r} is not supported", status=415)


def decompress(data: bytes, *, wbits: int = 47, limit: int = MAX_DECODED_BYTES) -> bytes:
    """Return the decompressed bytes, at most ``limit`` of them.

    Args:
        wbits: as in `zlib`: 31 gzip, 15 zlib, 47 either.

    Raises:
        Refusal: 413 past the limit, 400 where the stream is broken or cut short.
    """
    stream = zlib.decompressobj(wbits=wbits)
    try:
        decoded = stream.decompress(data, limit + 1)
    except zlib.error as error:
        raise Refusal(f"compressed body is broken: {error}") from error
    if len(decoded) > limit:
        raise Refusal(f"body is larger than {limit} bytes when decompressed", status=413)
    if not stream.eof:
        raise Refusal("compressed body is cut short")
    return decoded
