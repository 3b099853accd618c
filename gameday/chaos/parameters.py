"""Parameters of faults: what their values may look like, and those that many faults share.

A value may have come as text, from a command line or an environment variable, so every reader here
takes both. What is no value fails the activity that was given it, in one sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from chaoslib.exceptions import ActivityFailed

from gameday.quantity import QuantityError, duration, ratio
from gameday.settings import variable

LEFT_OUT: Any = type("LeftOut", (), {"__repr__": lambda _: "left out", "__slots__": ()})()
"""What a part of a declaration is until somebody writes it; never registered."""


# --- reading values ------------------------------------------------------------------------------


def limit(allowed: str | float, of: int) -> int:
    """Return how many of so many are allowed: ``3``, or ``50%`` rounded down."""
    text = str(allowed).strip()
    try:
        if text.endswith("%"):
            # A hair's breadth, because 0.29 * 100 is less than 29.
            return int(ratio(text) * of + 1e-9)
        count = float(text)
    except ValueError as problem:
        raise ActivityFailed(f"at_most: {problem}") from problem
    if count != int(count) or count < 0:
        raise ActivityFailed(f"at_most must be a whole number or a share (50%), not {allowed!r}")
    return int(count)


def whole(what: str, value: str | float | None, *, least: int = 0) -> int | None:
    """Return a whole number; None where none was given."""
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except ValueError as problem:
        raise ActivityFailed(f"{what} must be a number, not {value!r}") from problem
    if number != int(number) or number < least:
        raise ActivityFailed(f"{what} must be a whole number from {least} on, not {value!r}")
    return int(number)


def truth(what: str, value: bool | str) -> bool:
    """Return a yes or no."""
    text = str(value).strip().lower()
    if text not in ("true", "false"):
        raise ActivityFailed(f"{what} must be true or false, not {value!r}")
    return text == "true"


def milliseconds(what: str, value: str) -> int:
    """Return a duration (``400ms``, ``1.5s``) in whole milliseconds."""
    try:
        return round(duration(value) / timedelta(milliseconds=1))
    except QuantityError as problem:
        raise ActivityFailed(f"{what}: {problem}") from problem


def seconds(what: str, value: float | str | None) -> timedelta | None:
    """Return a number of seconds above 0; None where none was given."""
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except ValueError as problem:
        raise ActivityFailed(f"{what} must be a number of seconds, not {value!r}") from problem
    if not 0 < number < 10 * 365 * 86400:
        raise ActivityFailed(f"{what} must be more than 0 seconds, not {value!r}")
    return timedelta(seconds=number)


def share(what: str, value: float | str) -> float:
    """Return a ratio, 0–1, from itself or from a percentage (``50%``)."""
    try:
        # From the command line a plain number arrives as text.
        text = isinstance(value, str) and not value.strip().endswith("%")
        return ratio(float(value) if text else value)
    except ValueError as problem:
        raise ActivityFailed(f"{what}: {problem}") from problem


def names(value: str | Sequence[str] | None) -> list[str]:
    """Return names from a list or from ``a,b``, each once, in order; empty where none is given."""
    given = value.split(",") if isinstance(value, str) else list(value or ())
    return list(dict.fromkeys(str(n).strip() for n in given if str(n).strip()))


# --- types ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Type:
    """What the values of a parameter look like.

    Attributes:
        name: for people: ``duration``.
        read: raises `ActivityFailed` for what is no such value; takes the parameter's name first.
        has_unit: whether a value tells its unit itself, or needs none; else the parameter says it.
        choices: all values there are; empty: more than can be listed.
    """

    name: str
    read: Callable[[str, Any], object]
    has_unit: bool = True
    choices: tuple[str, ...] = ()


def _scalar(what: str, value: Any) -> None:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise ActivityFailed(f"{what} must be text, not {value!r}")


def _names(what: str, value: Any) -> None:
    if not isinstance(value, str | list | tuple):
        raise ActivityFailed(f"{what} must be a list, or text with commas, not {value!r}")


def _percent(what: str, value: Any) -> None:
    text = str(value).strip()
    share(what, text if text.endswith("%") else f"{text}%")


TEXT = Type("text", _scalar)
LABELS = Type("labels", _scalar)
NAMES = Type("names", _names)
DURATION = Type("duration", milliseconds)
RATIO = Type("ratio", share)
PERCENT = Type("percentage", _percent)
LIMIT = Type("count or share", lambda _what, value: limit(value, 100))
TRUTH = Type("true or false", truth)
COUNT = Type("whole number", whole, has_unit=False)
SECONDS = Type("number", seconds, has_unit=False)


def one_of(*choices: str) -> Type:
    """Return the type of a parameter that is one of these words."""

    def read(what: str, value: Any) -> None:
        if value not in choices:
            raise ActivityFailed(f"{what} must be one of {', '.join(choices)}, not {value!r}")

    return Type("choice", read, choices=choices)


# --- parameters ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OfSystem:
    """The default of what only the system tells: the name of a service of it, or of a namespace.

    A fault has none. What is shipped states those of the system it is shipped for
    (`gameday.chaos.shipped`); in any other experiment they are left to its author.
    """

    def to_json(self) -> None:
        """Return it as data: there is no value."""
        return


OF_SYSTEM = OfSystem()


@dataclass(frozen=True, slots=True)
class FromEnvironment:
    """A default that an experiment reads from the environment where it is played; else none."""

    key: str

    def to_json(self) -> dict[str, Any]:
        """Return it as Chaos Toolkit's configuration says it."""
        return {"type": "env", "key": self.key, "default": None}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a fault, said once: the experiment's file and the docs are made from it.

    Attributes:
        default: what the experiment's file starts with. An action that an experiment of
            somebody's gives no value has the default of its own signature.
        meaning: for people, without the type.
        unit: what a bare number counts; empty where a value tells by itself.
    """

    name: str
    type: Type = LEFT_OUT
    default: Any = LEFT_OUT
    meaning: str = LEFT_OUT
    unit: str = ""

    def problem(self, value: Any) -> str | None:
        """Return what is wrong with a value; None where nothing is, or where none is given."""
        if value is None or value == "" or isinstance(value, FromEnvironment | OfSystem):
            return None
        try:
            self.type.read(self.name, value)
        except (ActivityFailed, TypeError) as refusal:
            return str(refusal)
        return None


NAMESPACE = Parameter("namespace", TEXT, OF_SYSTEM, "one that the settings allow")
SELECTOR = Parameter("selector", LABELS, OF_SYSTEM, 'of the pods; "*": all of the namespace')
AT_MOST = Parameter(
    "at_most", LIMIT, "50%", "of the living pods of the namespaces: the blast radius"
)
MARK = Parameter(
    "mark", TEXT, "gameday", "on every object that is changed; what the recovery goes by"
)
CONTEXT = Parameter(
    "context", TEXT, FromEnvironment(variable("kube", "context")), "null: the current one"
)
KUBECONFIG = Parameter("kubeconfig", TEXT, FromEnvironment("KUBECONFIG"), "null: ~/.kube/config")
ON_CLUSTER = (AT_MOST, MARK, CONTEXT, KUBECONFIG)
"""What every fault on a cluster takes."""

CONTROL_URL = Parameter(
    "control_url",
    TEXT,
    FromEnvironment(variable("tools", "control_url")),
    "null: the running sandbox",
)
