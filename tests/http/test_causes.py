"""Why a tool did not answer, in words that say what to mend."""

from __future__ import annotations

import socket
import ssl
from datetime import timedelta

import httpx
import pytest

from gameday.http.causes import why_silent

HERE = "https://tools.example"


def caused(by: Exception) -> Exception:
    """Return what the library raises over something that went wrong below it."""
    error = httpx.ConnectError("")
    error.__cause__ = by
    return error


def tls(reason: str) -> ssl.SSLError:
    error = ssl.SSLError()
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "url", "expected"),
    [
        (caused(socket.gaierror()), HERE, "no address is known for tools.example"),
        (caused(ConnectionRefusedError()), HERE, "nothing listens there"),
        (caused(tls("WRONG_VERSION_NUMBER")), HERE, "write http:// instead of https://"),
        (caused(tls("TLSV1_ALERT_UNKNOWN_CA")), HERE, "refuses the certificate it is shown"),
        (caused(tls("NO_PROTOCOLS_AVAILABLE")), HERE, "(no protocols available); see its log"),
        (caused(ssl.SSLEOFError()), HERE, "where it asks for a certificate, see that `cert`"),
        # By the time the alert would be read, the connection may have been reset.
        (httpx.ReadError(""), HERE, "where it asks for a certificate, see that `cert`"),
        (httpx.ReadError(""), "http://tools.example", "does not answer (ReadError)"),
        (httpx.ConnectTimeout(""), HERE, "no connection within 2 s"),
        (httpx.ReadTimeout(""), HERE, "does not answer within 2 s, though it takes the connection"),
        (TimeoutError(), HERE, "it is not whole after 6 s"),
    ],
)
def test_what_went_wrong_is_told_with_what_to_do(error: Exception, url: str, expected: str) -> None:
    assert expected in why_silent(error, url, timedelta(seconds=2))
