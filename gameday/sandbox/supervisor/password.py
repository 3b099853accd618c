"""A password as Prometheus and Alertmanager keep it: hashed with bcrypt, the one hash they know."""

from __future__ import annotations

import ctypes
import ctypes.util
import secrets
import sys

from gameday.errors import PermanentDriverError

_ALPHABET = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_ROUNDS = 4
"""The fewest there are: the password is long and drawn at random, and every request pays them."""


def hashed(password: str) -> str:
    """Return the hash of a password, with a salt of its own.

    On Linux the C library's own crypt(3) makes it, elsewhere the package `bcrypt`.

    Raises:
        PermanentDriverError: neither is there.
    """
    if sys.platform == "linux":
        found = _by_the_system(password)
        if found:
            return found
    try:
        import bcrypt
    except ImportError as error:
        raise PermanentDriverError(
            "nothing here makes the hash by which Prometheus knows its password:"
            " `pip install bcrypt`"
        ) from error
    return str(bcrypt.hashpw(password.encode(), bcrypt.gensalt(_ROUNDS)).decode())


def _by_the_system(password: str) -> str:
    name = ctypes.util.find_library("crypt")
    try:
        crypt = ctypes.CDLL(name or "libcrypt.so.1").crypt
    except (OSError, AttributeError):
        return ""
    crypt.restype = ctypes.c_char_p
    crypt.argtypes = (ctypes.c_char_p, ctypes.c_char_p)
    # 22 letters hold 132 bits, of which 128 count: the last letter has four of its own alone.
    salt = "".join(secrets.choice(_ALPHABET) for _ in range(21)) + secrets.choice(".Oeu")
    found = crypt(password.encode(), f"$2b${_ROUNDS:02}${salt}".encode())
    said = found.decode() if found else ""
    return said if said.startswith("$2b$") and len(said) == 60 else ""
