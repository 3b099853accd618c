"""The server's secret: it signs deeplinks and sessions."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

from gameday import private
from gameday.errors import StoreError

KEY_BYTES = 32


def server_key(state: Path) -> bytes:
    """Return the secret that signs deeplinks; made at first use, readable by its owner only.

    Raises:
        StoreError: it cannot be read or written, or others can read it.
    """
    path = state / "server.key"
    try:
        private.folder(state)
        if not path.exists():
            _write_key(path)
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise StoreError(f"{str(path)!r} can be read by others: `chmod 600` it")
        key = path.read_bytes()
    except OSError as error:
        raise StoreError(f"the server's secret {str(path)!r} cannot be used: {error}") from error
    if len(key) < KEY_BYTES:
        raise StoreError(f"{str(path)!r} is too short to be a secret: delete it, links end with it")
    return key


def _write_key(path: Path) -> None:
    # Written aside and linked: another process sees the whole key or none, and of two that begin
    # at once both use the first one's.
    aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(aside, path)
    aside.unlink()
