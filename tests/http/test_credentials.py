"""Secrets are found where a document says, and told nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gameday.errors import PermanentDriverError
from gameday.http.credentials import Credentials, credentials_of, secret_of
from gameday.model.access import Basic, Reached, SecretRef

URL = "http://127.0.0.1:9"


def test_an_address_is_asked_with_its_headers_and_its_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PROMETHEUS_TOKEN", "HUNTER2\n")
    told = Reached(
        url=URL,
        headers={"X-Scope-OrgID": "books"},
        bearer_token=SecretRef(env="PROMETHEUS_TOKEN"),
    )

    credentials = credentials_of(told)

    assert {"X-Scope-OrgID": "books", "Authorization": "Bearer HUNTER2"} == credentials.headers
    assert "HUNTER2" not in repr(credentials)
    assert "HUNTER2" not in repr(told)


def test_a_name_and_a_password_are_sent_as_http_has_them(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("open sesame\n")
    password = SecretRef(file=str(tmp_path / "password"))

    credentials = credentials_of(
        Reached(url=URL, basic=Basic(username="Aladdin", password=password))
    )

    # The example of RFC 7617, section 2.
    assert {"Authorization": "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="} == credentials.headers


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read (FileNotFoundError)"),
        (b"", "not set or empty"),
        (b" \n", "not set or empty"),
        (b"HUNTER2\nHUNTER3", "several lines or no text"),
        (b"HUNTER2\xff", "cannot be read (UnicodeDecodeError)"),
    ],
)
def test_a_secret_that_is_not_there_is_said_with_its_place_and_nothing_of_it(
    tmp_path: Path, text: bytes | None, said: str
) -> None:
    path = tmp_path / "secret"
    if text is not None:
        path.write_bytes(text)

    with pytest.raises(PermanentDriverError, match=re.escape(said)) as caught:
        secret_of(SecretRef(file=str(path)))

    assert str(path) in str(caught.value)
    assert "HUNTER" not in str(caught.value)


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROMETHEUS_TOKEN", raising=False)

    with pytest.raises(PermanentDriverError, match="the variable PROMETHEUS_TOKEN"):
        secret_of(SecretRef(env="PROMETHEUS_TOKEN"))


def test_certificates_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    (tmp_path / "own.pem").write_text("none")

    with pytest.raises(PermanentDriverError, match=r"own\.pem"):
        Credentials(ca=str(tmp_path / "own.pem")).verify("https://prometheus.example")
