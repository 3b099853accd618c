"""What an address says of where it leads, and no more."""

from __future__ import annotations

import pytest

from gameday.http.address import is_loopback


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://127.0.0.1:9090", True),
        ("http://127.8.0.1", True),
        ("http://localhost:9090/x", True),
        ("http://prometheus.localhost", True),
        ("http://[::1]:9090", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("http://127.example.com", False),
        ("http://127.0.0.1.nip.example", False),
        ("http://localhost.example.com", False),
        ("https://prom.example", False),
        ("http://10.0.0.1:9090", False),
        ("http://[::1", False),
        ("", False),
    ],
)
def test_loopback_is_told_by_the_address_itself(address: str, expected: bool) -> None:
    assert expected == is_loopback(address)
