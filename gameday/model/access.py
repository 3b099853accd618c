"""How an address of a system is asked, as a document says it: secrets are named, never written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from gameday.model.noun import Noun, Text
from gameday.model.secret_names import is_secret

__all__ = [
    "Access",
    "Basic",
    "Header",
    "Reached",
    "Secret",
    "SecretRef",
    "Url",
    "check_service",
    "checked_url",
    "one_of",
    "written_secrets",
    "wrong",
]


_SERVICE = re.compile(r"[a-z0-9][-a-z0-9]*/[a-z][-a-z0-9]*:([a-z][-a-z0-9]*|[1-9][0-9]*)")


def written_secrets(headers: Mapping[str, Any]) -> Iterator[str]:
    """Yield the headers whose value is written out where only its place should be named."""
    for name, value in headers.items():
        if isinstance(value, str) and is_secret(name):
            yield name[:60]


def wrong(message: str, hint: str) -> PydanticCustomError:
    """Return what is wrong with a part of a system, and what to write instead."""
    return PydanticCustomError("system", message, {"hint": hint})


def one_of(noun: Noun, names: Mapping[str, str], hint: str) -> None:
    """Refuse a noun that states none, or several, of these fields (name here → name in a file)."""
    stated = [shown for name, shown in names.items() if getattr(noun, name) is not None]
    if not stated:
        raise wrong(f"states none of {', '.join(names.values())}", hint)
    if len(stated) > 1:
        raise wrong(f"states {' and '.join(stated)}: only one of them can hold", hint)


def _no_plain_secret(value: Any) -> Any:
    # Never quoted: what stands here is the secret itself.
    if value is not None and not isinstance(value, dict | SecretRef):
        raise wrong("holds a secret itself", "write where it is found: {env: NAME} or {file: PATH}")
    return value


def checked_url(value: Any) -> Any:
    """Return an address as it is; refuse what is none, and one that holds a secret."""
    if isinstance(value, str) and not value.startswith(("http://", "https://")):
        raise wrong("is no address", "write http://HOST:PORT or https://HOST")
    if isinstance(value, str) and "@" in value.partition("://")[2].partition("/")[0]:
        raise wrong("holds a user and a password", "write basic: {username: …, password: {env: …}}")
    if isinstance(value, str):
        for pair in value.partition("?")[2].partition("#")[0].split("&"):
            name, _, said = pair.partition("=")
            if said and is_secret(name):
                raise wrong(
                    f"holds a secret itself, '{name[:60]}'",
                    "send it as a token or in a header, {env: NAME} or {file: PATH}",
                )
    return value


Url = Annotated[str, BeforeValidator(checked_url)]
"""A base URL, with the path prefix if it has one, and without a secret."""


class SecretRef(Noun):
    """Where a secret is found; the secret itself stands in no file of ours."""

    env: Text | None = None
    """A variable of the environment."""
    file: Text | None = None
    """A file that holds it and nothing else; from the working directory."""
    kubernetes: Text | None = None
    """A Secret of the cluster and its key: ``namespace/name/key``."""

    @model_validator(mode="after")
    def _names_one_place(self) -> SecretRef:
        places = {"env": "env", "file": "file", "kubernetes": "kubernetes"}
        one_of(self, places, "write {env: NAME} or {file: PATH}")
        return self


Secret = Annotated[SecretRef, BeforeValidator(_no_plain_secret)]


def _kind_of_header(value: Any) -> str:
    return "as-secret" if isinstance(value, dict | SecretRef) else "as-text"


Header = Annotated[
    Annotated[Text, Tag("as-text")] | Annotated[SecretRef, Tag("as-secret")],
    Discriminator(_kind_of_header),
]
"""What a header says: a text, or where it is found."""


class Basic(Noun):
    """A user's name and password, as HTTP has them."""

    username: Text
    password: Secret


class Access(Noun):
    """How an address is asked: who asks, and whom to believe."""

    headers: dict[str, Header] = Field(default_factory=dict)
    """Sent with every request, such as a tenant: ``X-Scope-OrgID: books``."""
    bearer_token: Secret | None = None
    basic: Basic | None = None
    ca: Text | None = None
    """A file of the authorities that are believed, in PEM; else the machine's own."""
    cert: Text | None = None
    """A file of the client's certificate, in PEM."""
    key: Text | None = None
    """The key of that certificate."""

    @model_validator(mode="after")
    def _is_asked_one_way(self) -> Access:
        if self.bearer_token is not None and self.basic is not None:
            raise wrong("states bearerToken and basic", "one way to say who asks: keep one")
        if self.key is not None and self.cert is None:
            raise wrong("has a key and no cert", "add cert: PATH, the certificate it belongs to")
        for name in written_secrets(self.headers):
            raise wrong(
                f"the header '{name}' holds a secret itself",
                "write where it is found: {env: NAME} or {file: PATH}; or use bearerToken",
            )
        return self


def check_service(place: Access, service: str | None) -> None:
    """Refuse a Service that is no Service, or is asked as an API server cannot ask it."""
    if service is None:
        return
    if not _SERVICE.fullmatch(service):
        raise wrong("names no Service of a cluster", "write service: NAMESPACE/NAME:PORT")
    own = place.bearer_token or place.basic or place.ca or place.cert
    if own or place.headers:
        raise wrong(
            "says how a Service is asked",
            "leave it out: the API server passes on no header and no credentials; or write url",
        )


class GrafanaSource(Noun):
    """A data source of a Grafana, asked through it; who asks stands beside it, as for a URL."""

    url: Url
    """Of the Grafana."""
    datasource: Text
    """The data source's name, or its UID."""


class Reached(Access):
    """Where a tool is, and how it is asked: at an address, or behind what has one."""

    url: Url = ""
    service: Text | None = None
    """A Service of the system's cluster, through its API server: ``monitoring/prometheus:9090``."""
    grafana: GrafanaSource | None = None
    """A data source, through the Grafana that has it."""

    @model_validator(mode="after")
    def _is_somewhere(self) -> Reached:
        ways = {"url": self.url, "service": self.service, "grafana": self.grafana}
        stated = [way for way, told in ways.items() if told]
        if not stated:
            raise wrong("states no url", "write url: http://HOST:PORT")
        if len(stated) > 1:
            said = f"states {' and '.join(stated)}: only one of them can hold"
            raise wrong(said, "keep one of them")
        check_service(self, self.service)
        return self
