"""The languages whose functions are told apart, by what their files are called."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import PurePosixPath

__all__ = ["SUFFIXES", "Language", "language_of"]


class Language(StrEnum):
    """A language, by its name as people write it."""

    PYTHON = "Python"
    GO = "Go"
    JAVA = "Java"
    KOTLIN = "Kotlin"
    TYPESCRIPT = "TypeScript"
    RUST = "Rust"
    CSHARP = "C#"


SUFFIXES: Mapping[str, Language] = {
    ".py": Language.PYTHON,
    ".go": Language.GO,
    ".java": Language.JAVA,
    ".kt": Language.KOTLIN,
    ".kts": Language.KOTLIN,
    # JavaScript is read as TypeScript without types.
    **dict.fromkeys(
        (".ts", ".mts", ".cts", ".tsx", ".js", ".mjs", ".cjs", ".jsx"), Language.TYPESCRIPT
    ),
    ".rs": Language.RUST,
    ".cs": Language.CSHARP,
}
"""What files of a language end with."""


def language_of(file: str) -> Language | None:
    """Return the language of a file; None where its functions are not told apart here."""
    return SUFFIXES.get(PurePosixPath(file).suffix.lower())
