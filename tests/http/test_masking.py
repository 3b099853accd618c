"""What others say, with the secrets in it covered."""

from __future__ import annotations

import pytest

from gameday.http.credentials import secret_of
from gameday.http.masking import masked, remember
from gameday.model.access import SecretRef


@pytest.mark.parametrize(
    ("name", "value", "said", "kept"),
    [
        ("DATABASE_PASSWORD", "hunter2!", "login hunter2! failed", "login ••• failed"),
        ("DATABASE_PASSWORD", "a/b c?d=e", "GET /?p=a%2Fb%20c%3Fd%3De", "GET /?p=•••"),
        ("DATABASE_PASSWORD", 'say "it"', '{"p": "say \\"it\\""}', '{"p": "•••"}'),
        ("DATABASE_URL", "postgresql://ada:hunter2!@db/x", "ada:hunter2!@db", "ada:•••@db"),
        ("API_KEY", "1", "1 of 10", "1 of 10"),
        ("XDG_SESSION_DESKTOP", "ubuntu-desktop", "on ubuntu-desktop", "on ubuntu-desktop"),
        ("GREETING", "good morning", "good morning", "good morning"),
    ],
)
def test_what_the_environment_holds_under_a_secrets_name_is_covered(
    name: str, value: str, said: str, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)

    assert kept == masked(said)


def test_a_secret_that_was_read_is_covered_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREETING", "s3cret-of-a-name-that-tells-nothing")
    said = "you said s3cret-of-a-name-that-tells-nothing"

    before = masked(said)
    secret_of(SecretRef(env="GREETING"))

    assert (said, "you said •••") == (before, masked(said))


def test_the_longer_of_two_secrets_is_covered_whole() -> None:
    remember("masked-one", "masked-one-and-two")

    assert "•••" == masked("masked-one-and-two")
