"""What drawn experiments call: activities without effect, and a value that any tolerance takes."""

from __future__ import annotations

from typing import Any

__all__ = ["Anything", "act", "ask", "ask_with_secrets", "needs"]


class Anything(str):
    """A text that equals everything and lies between any two numbers."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return True

    def __ge__(self, other: object) -> bool:
        return True

    def __le__(self, other: object) -> bool:
        return True

    def get(self, name: str, default: object = None) -> Anything:
        """Return itself, as a mapping would a part of it."""
        return self


def act(**given: Any) -> None:
    """Do nothing, whatever is given."""


def ask(value: Any = None) -> Anything:
    """Return what any tolerance takes."""
    return Anything("1")


def ask_with_secrets(value: Any = None, secrets: Any = None, configuration: Any = None) -> Anything:
    """Return the same, of an activity that is handed secrets."""
    return Anything("1")


def needs(name: str, *, count: int = 1) -> None:
    """Do nothing with an argument that must be there, and one that may."""
