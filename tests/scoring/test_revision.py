"""Revisions: a hash may be shortened, a name may not."""

from __future__ import annotations

import pytest

from scoring.revision import same_revision

SHA1 = "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (SHA1, SHA1, True),
        (SHA1, SHA1[:7], True),
        (SHA1, SHA1[:12].upper(), True),
        (SHA256, SHA256[:40], False),  # a whole SHA-1 is no shortened SHA-256
        (SHA256, SHA256[:12], True),
        (SHA1, SHA1[:6], False),
        (SHA1, SHA1[:-1] + "0", False),
        ("v1.2.3", "v1.2.3", True),
        ("v1.2.3", "v1.2.30", False),
        ("release-1", "release-10", False),
        ("2026.11.27", "2026.11.27-2", False),
        ("sha256:" + SHA256, "sha256:" + SHA256[:12], False),
        ("sha256:" + SHA256, SHA256, False),
        ("main", "main", True),
        ("", "", False),
        ("", SHA1, False),
    ],
)
def test_two_revisions_are_one(one: str, other: str, expected: bool) -> None:
    assert (expected, expected) == (same_revision(one, other), same_revision(other, one))
