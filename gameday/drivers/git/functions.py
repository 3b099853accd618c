"""The functions of a source file: what each is called, where it lies, where it begins and ends.

Python is read by Python's own parser, everything else by tree-sitter, which comes with an extra.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gameday.drivers.git.language import Language
from gameday.extras import Extra, require

__all__ = ["SourceFunction", "functions_of"]


@dataclass(frozen=True, slots=True)
class SourceFunction:
    """One function of a file.

    Attributes:
        name: empty for a lambda and its like.
        within: packages, types and functions around it, outermost first.
        optional: those of ``within`` that a frame may leave out: functions around it, a companion,
            the class that Kotlin makes of a file.
        first: its first line, decorators and attributes included, from 1 on.
        last: its last line.
        trait: what it implements, in Rust.
        types: simple names of its parameters' types; None where they are not read.
    """

    name: str
    within: tuple[str, ...]
    first: int
    last: int
    optional: frozenset[int] = frozenset()
    trait: str = ""
    types: tuple[str, ...] | None = None

    @property
    def path(self) -> str:
        """Its name and what it lies in, for messages."""
        return ".".join((*self.within, self.name or "<anonymous>"))


def functions_of(source: str, language: Language, file: str) -> Sequence[SourceFunction]:
    """Return the functions of a source, in no order that counts.

    Args:
        file: its path, whose name Kotlin makes a class of.

    Raises:
        NotInstalled: what reads this language is not there; says what to type.
    """
    # Some editors begin a file with a mark that is no part of the language.
    source = source.removeprefix("\ufeff")
    if language is Language.PYTHON:
        try:
            return list(_python(ast.parse(source), (), frozenset()))
        except (SyntaxError, ValueError, RecursionError):
            pass  # written for another Python than this one
    require(Extra.CODE)
    from gameday.drivers.git.grammars import parsed

    return parsed(source, language, file)


def _python(
    node: ast.AST, within: tuple[str, ...], optional: frozenset[int]
) -> Iterator[SourceFunction]:
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                starts = [child.lineno, *(d.lineno for d in child.decorator_list)]
                yield SourceFunction(
                    child.name, within, min(starts), child.end_lineno or child.lineno, optional
                )
                inner = (*within, child.name)
                yield from _python(child, inner, optional | {len(within)})
            case ast.ClassDef():
                yield from _python(child, (*within, child.name), optional)
            case ast.Lambda():
                yield SourceFunction(
                    "", within, child.lineno, child.end_lineno or child.lineno, optional
                )
                yield from _python(child, within, optional)
            case _:
                yield from _python(child, within, optional)
