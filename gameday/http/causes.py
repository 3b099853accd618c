"""Why a tool did not answer, or said no: in words, with what to do about it.

A library's name for what went wrong (``ConnectError``) tells nobody at three in the morning whether
to mend a URL, a certificate or a name server.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import httpx

__all__ = ["WHOLE", "remedy_of", "why_silent"]

WHOLE = 3
"""How many times the timeout one whole answer may take. That of the library runs anew with every
byte: what sends one a second would be waited for without end."""

_EXPIRED, _NOT_YET, _OTHER_NAME, _OTHER_ADDRESS = 10, 9, 62, 64
_CUT_OFF = (
    "ends the connection and says nothing; where it asks for a certificate, see that `cert` and"
    " `key` are there, not expired, and of an authority that it believes; else see its log"
)
_UNKNOWN_AUTHORITY = frozenset({18, 19, 20, 21})
"""X.509 verification results. Source: OpenSSL, ``x509_vfy.h``."""


def why_silent(error: Exception, url: str, within: timedelta) -> str:
    """Return why nothing came from a URL, as what follows the tool's name, and what to do.

    Args:
        within: how long one answer was waited for.
    """
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _disbelieved(cause, url)
        if isinstance(cause, ssl.SSLError):
            return _no_tls(cause)
        if isinstance(cause, socket.gaierror):
            return (
                f"does not answer: no address is known for {urlsplit(url).hostname}; check the URL,"
                " and the name server of this machine"
            )
        if isinstance(cause, ConnectionRefusedError):
            return "does not answer: nothing listens there; check that it is up and the URL right"
    if isinstance(error, httpx.ConnectTimeout):
        return (
            f"does not answer: no connection within {within.total_seconds():g} s; check the URL,"
            " and that no firewall is between"
        )
    if isinstance(error, TimeoutError):
        whole_seconds = WHOLE * within.total_seconds()
        return (
            f"sends its answer so slowly that it is not whole after {whole_seconds:g} s; see what"
            " it, or what stands before it, is busy with"
        )
    if isinstance(error, httpx.TimeoutException):
        return (
            f"does not answer within {within.total_seconds():g} s, though it takes the connection;"
            " see what it is busy with, or restart it"
        )
    if isinstance(error, httpx.ReadError | httpx.WriteError) and url.startswith("https://"):
        return _CUT_OFF  # whoever refuses a certificate may be gone before it is heard why
    return (
        f"does not answer ({type(error).__name__}): check that it is up and that the URL is right"
    )


def remedy_of(status: int) -> str:
    """Return what to do where a tool answers with this status, after a semicolon; may be empty."""
    if 300 <= status < 400:
        return (
            "; it leads elsewhere, such as to a login: write the address behind it, with a token"
            " that it takes"
        )
    if status == 401:
        return "; a token or password is missing, wrong or expired there: renew it where it is kept"
    if status == 403:
        return "; whoever asks may not do that: give it the right to read, or check the tenant"
    return ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it came of, those of every address that was tried as well."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
        waiting += [cause for cause in (one.__cause__, one.__context__) if cause is not None]


def _disbelieved(error: ssl.SSLCertVerificationError, url: str) -> str:
    host = urlsplit(url).hostname
    code = error.verify_code
    if code == _EXPIRED:
        return "is not believed: its certificate has expired; have it renewed there"
    if code == _NOT_YET:
        return "is not believed: its certificate is not valid yet; compare the clocks of both"
    if code in _UNKNOWN_AUTHORITY:
        return (
            "is not believed: its certificate is of an authority that is not known here; name the"
            " file of that authority, `ca` in a system's document"
        )
    if code in (_OTHER_NAME, _OTHER_ADDRESS):
        return (
            f"is not believed: its certificate is for another name than {host}; write the URL with"
            " the name that stands in it"
        )
    return f"is not believed: {error.verify_message}; see its certificate"


def _no_tls(error: ssl.SSLError) -> str:
    reason = (getattr(error, "reason", None) or "").lower().replace("_", " ")
    if isinstance(error, ssl.SSLEOFError) or not reason:
        return _CUT_OFF
    if "wrong version number" in reason or "record layer failure" in reason:
        return "does not speak TLS; write http:// instead of https://, or the port that does"
    if "alert" in reason:
        return (
            f"refuses the certificate it is shown ({reason}); see that `cert` and `key` are there,"
            " not expired, and of an authority that it believes"
        )
    return f"does not speak TLS as this machine does ({reason}); see its log"
