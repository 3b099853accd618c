"""What a system's document lets a responder do to it, and how each is taken back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from gameday.model.access import (
    Header,
    Secret,
    Url,
    checked_url,
    one_of,
    written_secrets,
    wrong,
)
from gameday.model.cluster_act import ClusterAct
from gameday.model.noun import Name, Noun, PositiveDuration, Text
from gameday.model.placeholders import filled_in, placeholders, texts_in
from scoring.timeline import TAKE_BACK

__all__ = ["DONE_WITHIN", "WITHIN", "ChaosAction", "Call", "Command", "DeclaredMitigation"]

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


_NAMED = "write ${NAME} in its place, and secrets: {http: {NAME: {env: VARIABLE}}}"


class ChaosAction(Noun):
    """One action of Chaos Toolkit, written as in an experiment's method.

    What its provider may say is Chaos Toolkit's, and judged where experiments are; here only that
    nothing of it is a secret, or decided by whoever gives the parameters.
    """

    type: Literal["action"] = "action"
    name: Text
    provider: dict[str, Any]
    """Its texts may hold ``{region}`` and its like, which stand for parameters."""
    secrets: dict[Text, dict[Text, Secret]] = Field(default_factory=dict)
    """Groups of secrets, as an experiment has them; ``${NAME}`` stands for one."""
    within: PositiveDuration = WITHIN

    @model_validator(mode="after")
    def _holds_and_leaves_open_what_it_may(self) -> ChaosAction:
        for field in ("type", "module", "func", "path"):
            if any(placeholders(text) for text in texts_in(self.provider.get(field))):
                raise wrong(
                    f"the provider's {field} is a parameter",
                    "write out what is called; parameters belong into its arguments",
                )
        arguments = self.provider.get("arguments")
        is_process = self.provider.get("type") == "process"
        if (
            is_process
            and isinstance(arguments, str)
            and placeholders(arguments, spare_variables=True)
        ):
            # Chaos Toolkit gives a text to a shell, and what the parameter holds with it.
            raise wrong(
                "a shell would read the parameters in its arguments",
                "write a list: arguments: [--name, '{value}']",
            )
        url = self.provider.get("url")
        if isinstance(url, str) and "://" in url and "${" not in url:  # its form is judged later
            try:
                checked_url(url)
            except PydanticCustomError as error:
                raise wrong(f"the url {error.message()}", _NAMED) from error
        said = self.provider.get("headers")
        headers = said if isinstance(said, dict) else {}
        for name in written_secrets(headers):
            if "${" not in headers[name]:
                raise wrong(f"the header '{name}' holds a secret itself", _NAMED)
        return self

    def with_parameters(self, parameters: Mapping[str, str]) -> ChaosAction:
        """Return it with every parameter filled in; secrets stay named.

        A value stays where it stands: it names no other host or path, and no secret.
        """
        quoted = {name: quote(value, safe="") for name, value in parameters.items()}
        plain = {name: value.replace("$", "$$") for name, value in parameters.items()}
        # Chaos Toolkit reads these for ${NAME} always, and its arguments where there are secrets.
        values = {
            "url": quoted,
            "headers": plain,
            "arguments": plain if self.secrets else parameters,
        }
        provider = {
            field: filled_in(value, values.get(field, {}), spare_variables=True)
            for field, value in self.provider.items()
        }
        return self.model_copy(update={"provider": provider})

    def activity(self) -> dict[str, Any]:
        """Return it as it stands in the method of an experiment."""
        return {"type": self.type, "name": self.name, "provider": self.provider}

    def parameters(self) -> Iterator[str]:
        """Yield the names of the parameters that its texts hold; may yield one twice."""
        for text in texts_in([self.provider.get(f) for f in ("url", "headers", "arguments")]):
            yield from placeholders(text, spare_variables=True)


def _kind_of_undo(value: Any) -> str:
    if isinstance(value, ChaosAction) or (
        isinstance(value, dict) and {"provider", "name"} & set(value)
    ):
        return "as-action"
    if isinstance(value, Command) or (isinstance(value, dict) and "run" in value):
        return "as-command"
    return "as-call" if isinstance(value, dict | Call) else "as-word"


Undone = Annotated[
    Annotated[Literal["none"], Tag("as-word")]
    | Annotated[Command, Tag("as-command")]
    | Annotated[Call, Tag("as-call")]
    | Annotated[ChaosAction, Tag("as-action")],
    Discriminator(_kind_of_undo),
]
"""How something is taken back: ``none``, a command, an HTTP call, or an action."""


class DeclaredMitigation(Noun):
    """Something a responder may do to the system, and how it is taken back."""

    name: Name
    command: Command | None = None
    http: Call | None = None
    kubernetes: ClusterAct | None = None
    chaostoolkit: ChaosAction | None = None
    undo: Undone | None = None
    """``none`` where nothing is to be taken back; the plan says so."""

    @model_validator(mode="after")
    def _is_one_thing(self) -> DeclaredMitigation:
        kinds = ("command", "http", "kubernetes", "chaostoolkit")
        if self.name == TAKE_BACK:
            raise wrong(
                f"{TAKE_BACK!r} is gameday's own: it takes back what was applied",
                "give the mitigation another name",
            )
        one_of(self, dict(zip(kinds, kinds, strict=True)), "write command: {run: [PROGRAM, …]}")
        if self.kubernetes is not None and self.undo is not None:
            raise wrong(
                f"'{self.name}' says how it is undone",
                "leave undo out: how the object was before the run is noted, and put back",
            )
        if self.kubernetes is None and self.undo is None:
            raise wrong(
                f"'{self.name}' has no undo",
                "write how it is taken back when the drill is over, or undo: none",
            )
        return self

    @property
    def parameters(self) -> tuple[str, ...]:
        """Return the names of the parameters it takes: those its own texts hold, in order."""
        return tuple(dict.fromkeys(self._parameters()))

    def _parameters(self) -> Iterator[str]:
        for one in (self.command, self.http, self.chaostoolkit, self.kubernetes, self.undo):
            match one:
                case Command():
                    yield from _in(one.run)
                case Call():
                    yield from _in([one.url, one.headers, one.json_])
                case ChaosAction():
                    yield from one.parameters()
                case ClusterAct():
                    yield from _in(list(one.texts()))
                case _:
                    pass


def _in(values: Any) -> Iterator[str]:
    yield from (name for text in texts_in(values) for name in placeholders(text))
