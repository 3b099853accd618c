"""Texts that only this server can have written: in links, and in the cookies of sessions. Pure."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Any

from itsdangerous import BadData, URLSafeSerializer

LONGEST = 1024
"""Characters that are looked at; none of ours is half as long."""


class Signed:
    """Writes and reads signed values.

    Args:
        key: the server's secret, at least 32 random bytes.
        purpose: what they are for; what was signed for another purpose is not read.
    """

    def __init__(self, key: bytes, purpose: str) -> None:
        self._serializer = URLSafeSerializer(
            key,
            salt=f"gameday/{purpose}",
            signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
        )

    def written(self, said: Sequence[Any]) -> str:
        """Return a text for a URL or a cookie."""
        text: str = self._serializer.dumps(list(said))
        return text

    def mark(self, text: str) -> str:
        """Return a text that only this server can make of another, and that tells nothing of it."""
        signature: bytes = self._serializer.make_signer().get_signature(text.encode())
        return signature.decode()

    def read(self, text: str) -> list[Any] | None:
        """Return what was written; None: this is not a text that was."""
        if len(text) > LONGEST or not text.isascii():
            return None
        try:
            said = self._serializer.loads(text)
        except BadData:
            return None
        # Several texts decode to the same bytes, and only one of them was given out.
        is_ours = isinstance(said, list) and hmac.compare_digest(self.written(said), text)
        return said if is_ours else None
