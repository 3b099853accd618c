"""What a system's document lets a responder do to it, and how each is taken back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from gameday.model.access import Header, Secret, Url, one_of, written_secrets, wrong
from gameday.model.cluster_act import ClusterAct
from gameday.model.noun import Name, Noun, PositiveDuration, Text
from gameday.model.placeholders import placeholders, texts_in

__all__ = ["DONE_WITHIN", "WITHIN", "Call", "Command", "DeclaredMitigation"]

METHODS = ("get", "post", "put", "patch", "delete")

WITHIN = timedelta(seconds=30)
"""How long what a responder starts may take, where nobody says: longer than a restart, and shorter
than anybody waits with users down."""


DONE_WITHIN = timedelta(seconds=60)
"""How long whoever asked waits for the outcome; drivers have shorter limits, which say more."""


class Command(Noun):
    """A program of the operator's list, run without a shell on the machine gameday runs on."""

    run: Annotated[tuple[Text, ...], Field(min_length=1)]
    """The program and its arguments; ``{region}`` and its like stand for parameters."""
    within: PositiveDuration = WITHIN


class Call(Noun):
    """One HTTP request."""

    get: Url | None = None
    post: Url | None = None
    put: Url | None = None
    patch: Url | None = None
    delete: Url | None = None
    json_: dict[str, Any] | None = Field(default=None, alias="json")
    headers: dict[str, Header] = Field(default_factory=dict)
    token: Secret | None = None
    """Sent as a bearer token."""
    within: PositiveDuration = WITHIN

    @model_validator(mode="after")
    def _is_one_request(self) -> Call:
        one_of(self, dict(zip(METHODS, METHODS, strict=True)), "write post: https://HOST/PATH")
        for name in written_secrets(self.headers):
            raise wrong(
                f"the header '{name}' holds a secret itself",
                "write where it is found: {env: NAME} or {file: PATH}; or use token",
            )
        return self

    @property
    def method(self) -> str:
        """Return the method, in small letters."""
        return next(m for m in METHODS if getattr(self, m) is not None)

    @property
    def url(self) -> str:
        """Return where it goes, with its placeholders."""
        return str(getattr(self, self.method))


def _kind_of_undo(value: Any) -> str:
    if isinstance(value, Command) or (isinstance(value, dict) and "run" in value):
        return "as-command"
    return "as-call" if isinstance(value, dict | Call) else "as-word"


Undone = Annotated[
    Annotated[Literal["none"], Tag("as-word")]
    | Annotated[Command, Tag("as-command")]
    | Annotated[Call, Tag("as-call")],
    Discriminator(_kind_of_undo),
]
"""How something is taken back: ``none``, a command, or an HTTP call."""


class DeclaredMitigation(Noun):
    """Something a responder may do to the system, and how it is taken back."""

    name: Name
    command: Command | None = None
    http: Call | None = None
    kubernetes: ClusterAct | None = None
    chaostoolkit: dict[str, Any] | None = None
    undo: Undone | None = None
    """``none`` where nothing is to be taken back; the plan says so."""

    @model_validator(mode="after")
    def _is_one_thing(self) -> DeclaredMitigation:
        kinds = ("command", "http", "kubernetes", "chaostoolkit")
        one_of(self, dict(zip(kinds, kinds, strict=True)), "write command: {run: [PROGRAM, …]}")
        if self.kubernetes is not None and self.undo is not None:
            raise wrong(
                f"'{self.name}' says how it is undone",
                "leave undo out: how the object was before the run is noted, and put back",
            )
        if (self.command or self.http) and self.undo is None:
            raise wrong(
                f"'{self.name}' has no undo",
                "write how it is taken back when the drill is over, or undo: none",
            )
        return self

    @property
    def parameters(self) -> tuple[str, ...]:
        """Return the names of the parameters it takes: those its own texts hold, in order."""
        return tuple(dict.fromkeys(p for text in self._texts() for p in placeholders(text)))

    def _texts(self) -> Iterator[str]:
        for one in (self.command, self.http, self.undo):
            if isinstance(one, Command):
                yield from one.run
            elif isinstance(one, Call):
                yield one.url
                yield from texts_in({**one.headers, "": one.json_})
        if self.kubernetes is not None:
            yield from self.kubernetes.texts()
