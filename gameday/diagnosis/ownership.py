"""Whose a frame is: the service's own, a library's, one that talks to somebody else. Pure.

A profile says nothing of that. It is told by where a file lies, by the names that run times and
widespread libraries give their packages, and, where the system's document says so, by those of the
service itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from gameday.model.signals import Frame

__all__ = ["is_own", "is_talking"]

_LIBRARY_FILES = re.compile(
    r"(^|/)(site-packages|dist-packages|lib/python\d[^/]*)/|^<|(^|/)lib-dynload/"  # Python
    r"|(^|/)(node_modules|vendor)/|^node:"  # Node.js, and Go's copies of what it needs
    r"|@v\d+\.|(^|/)(local|lib)/go[^/]*/src/"  # Go's modules, and what comes with Go
    r"|^/rustc/|/\.cargo/(registry|git)/|(^|/)library/(std|core|alloc)/"  # Rust
)

_OF_GO = (
    "archive bufio bytes cmp compress container context crypto database debug embed encoding errors"
    " expvar flag fmt go hash html image index internal io iter log maps math mime net os path"
    " plugin reflect regexp runtime slices sort strconv strings sync syscall testing text time"
    " unicode unique unsafe vendor weak"
)
"""The first element of every package that comes with Go; anybody else's has a dot, or is main."""

_LIBRARY_NAMES = re.compile(
    # the JVM, and what most services on it are built from
    r"(java|javax|jdk|sun|com\.sun|jakarta|kotlin|kotlinx|scala|groovy)\."
    r"|org\.(apache|springframework|hibernate|postgresql|eclipse|slf4j|reactivestreams)\."
    r"|(io\.(netty|grpc|ktor|undertow|micrometer|opentelemetry)|reactor|okhttp3|com\.(fasterxml"
    r"|zaxxer|mysql)|ch\.qos\.logback|net\.bytebuddy|one\.profiler)\."
    # .NET
    r"|(System|Microsoft|Interop|Npgsql|Grpc|Newtonsoft|Google\.Protobuf)\b[.!]"
    # Rust
    r"|<*&?(mut )?(std|core|alloc|tokio|hyper|futures_\w+|rayon_?\w*)::"
)

_TALKING_FILES = re.compile(
    r"(^|/)(psycopg(2|_pool|_c|_binary)?|asyncpg|pymysql|redis|pymongo|grpc|urllib3|requests|httpx"
    r"|httpcore|aiohttp)/|(^|/)(http/client|socket|ssl|selectors)\.py$|(^|/)urllib/request\.py$"
    r"|(^|/)node_modules/(pg|pg-pool|mysql2?|ioredis|redis|mongodb|undici|@grpc/grpc-js)/"
    r"|^node:(net|http|https|_http_client|internal/(dns|net))"
)

_TALKING_NAMES = re.compile(
    r"(java\.net\.|sun\.nio\.ch\.|java\.net\.http|org\.postgresql\.|com\.mysql\.|okhttp3\."
    r"|org\.apache\.(http|hc)\.|io\.grpc\.|io\.netty\.channel\.)"
    r"|(System\.Net\.|System\.Data\.|Npgsql\.|Grpc\.Net\.)"
    r"|(net\.\(\*|net/http\.\(\*(Transport|Client|persistConn)|database/sql\.|internal/poll\.)"
    r"|(std::net::|tokio::net::|hyper::client)"
)

_QUALIFIED = re.compile(r"[\w>)\]](\.|::|/|!)[\w<(.]")
"""What a profiler that writes no files names a function by; a bare name is the system's."""


def is_own(frame: Frame, *, marker: str | None, packages: Sequence[str] = ()) -> bool:
    """Return whether a frame is the service's own.

    Args:
        marker: the revision that ran, where paths hold it: then those are the service's own.
        packages: with which the names or the paths of its own functions begin; where some are
            given, they alone tell.
    """
    if packages:
        return any(_begins(frame, package) for package in packages)
    if marker:
        return marker in frame.file
    return not _is_library(frame)


def is_talking(frame: Frame) -> bool:
    """Return whether a frame, of a library, says that the thread waits for somebody else."""
    by_file = bool(_LIBRARY_FILES.search(frame.file) and _TALKING_FILES.search(frame.file))
    return by_file or bool(_is_named(frame) and _TALKING_NAMES.match(_name(frame)))


def _is_library(frame: Frame) -> bool:
    if _LIBRARY_FILES.search(frame.file):
        return True
    if frame.file.endswith(".go"):
        # Before the last slash a package's name has no dot; after it comes what is called.
        return re.split(r"[/.]", frame.function, maxsplit=1)[0] in _OF_GO.split()
    if not frame.file:
        return not _QUALIFIED.search(frame.function) or _is_named_as_library(frame)
    return _is_named(frame) and _is_named_as_library(frame)


def _is_named_as_library(frame: Frame) -> bool:
    first = re.split(r"[/.]", frame.function, maxsplit=1)[0]
    is_of_go = first in _OF_GO.split() and ("/" in frame.function or ".(*" in frame.function)
    return bool(_LIBRARY_NAMES.match(_name(frame))) or (not frame.file and is_of_go)


def _is_named(frame: Frame) -> bool:
    """Return whether the language is one whose functions bear their package's name."""
    return not frame.file or frame.file.endswith((".go", ".java", ".kt", ".scala", ".cs", ".rs"))


def _name(frame: Frame) -> str:
    # The JVM's own form has slashes where its languages have dots; Go's packages keep theirs.
    function = frame.function
    is_of_jvm = frame.file.endswith((".java", ".kt", ".scala")) or not frame.file
    if is_of_jvm and "::" not in function and ".(*" not in function and "/" in function:
        dotted = function.replace("/", ".")
        return dotted if _LIBRARY_NAMES.match(dotted) else function
    return function


def _begins(frame: Frame, package: str) -> bool:
    for text in (frame.function, frame.function.replace("/", "."), frame.file):
        rest = text.removeprefix(package)
        if rest != text and (not rest or not (rest[0].isalnum() or rest[0] == "_")):
            return True
    return f"/{package.strip('/')}/" in frame.file
