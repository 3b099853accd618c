"""Holding something against a contract, without a test runner; and the words contracts share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Generic, TypeVar

__all__ = ["Broken", "Refused", "case", "check", "promises", "refused"]

Subject = TypeVar("Subject")
Error = TypeVar("Error", bound=Exception)


class Broken(ExceptionGroup[Exception]):
    """Promises that were not kept; each error has a note that names its promise."""


def promises(contract: type) -> Sequence[str]:
    """Return the names of a contract's promises, in the order they are written."""
    found: dict[str, None] = {}
    for part in reversed(contract.__mro__):
        found |= dict.fromkeys(name for name in vars(part) if name.startswith("test_"))
    return tuple(found)


def check(contract: type, make: Callable[[], AbstractContextManager[Subject]]) -> Sequence[str]:
    """Return the promises that were kept: all of the contract's.

    Args:
        contract: a class of this package.
        make: opens a fresh subject for each promise.

    Raises:
        Broken: at least one was not kept.
    """
    broken: list[Exception] = []
    for name in promises(contract):
        try:
            with make() as subject:
                getattr(contract(), name)(subject)
        except Exception as error:  # noqa: BLE001  # whatever it is, the promise is not kept
            error.add_note(f"{contract.__name__}.{name}")
            broken.append(error)
    if broken:
        raise Broken(f"{len(broken)} of {len(promises(contract))} promises are broken", broken)
    return promises(contract)


@contextmanager
def case(what: object) -> Iterator[None]:
    """Name the case, one of several that a promise is tried with, in what goes wrong inside."""
    try:
        yield
    except Exception as error:
        error.add_note(f"with {what}")
        raise


class Refused(Generic[Error]):
    """An error that was expected.

    Attributes:
        error: there once it was raised.
    """

    error: Error


@contextmanager
def refused(kind: type[Error], words: str = "") -> Iterator[Refused[Error]]:
    """Fail unless what is done inside raises this kind of error, with these words in it.

    Args:
        words: a regular expression that is searched for in the message.
    """
    caught = Refused[Error]()
    try:
        yield caught
    except kind as error:
        caught.error = error
        assert re.search(words, str(error)), f"{words!r} is not in {str(error)!r}"
    else:
        raise AssertionError(f"no {kind.__name__}")
