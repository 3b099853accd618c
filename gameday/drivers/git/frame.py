"""A frame as profilers write it → which function of the source is meant. Pure.

Compilers and run times rename what people wrote: closures get numbers, packages slashes, methods
their class in brackets. What is undone here is documented by each; where a name could mean several
things, it is left as it stands, and then found or not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gameday.drivers.git.language import Language

__all__ = ["FrameName", "frame_of", "place_of"]

STATIC = "<clinit>"
INIT = "<init>"
"""What the JVM calls what has no name in the source: what a class does once, and a constructor."""


@dataclass(frozen=True, slots=True)
class FrameName:
    """The function a frame means.

    Attributes:
        parts: its name, after the packages, types and functions it lies in, outermost first; empty
            where there is none.
        is_anonymous: whether what is meant is a function without a name inside it.
        trait: of Rust's ``<Cart as Priced>::total`` the trait; else empty.
        types: simple names of the parameters' types, where the profiler writes them.
        folders: of Go's import path, what stands before the package.
    """

    parts: tuple[str, ...]
    is_anonymous: bool = False
    trait: str = ""
    types: tuple[str, ...] | None = None
    folders: tuple[str, ...] = ()


_PLACES = (
    re.compile(r"(?P<name>.*\S) \((?P<file>[^()]*\.\w+):(?P<line>\d+)(?::\d+)?\)"),
    re.compile(r"(?P<file>\S.*\.\w+):(?P<line>\d+) - (?P<name>\S.*)"),
    re.compile(r"(?P<file>\S.*\.\w+):(?P<name>[^:]+):(?P<line>\d+)"),
)


def place_of(function: str, file: str, line: int) -> tuple[str, str, int]:
    """Return name, file and line of a frame, out of the name where the frame has no more.

    Profilers without a field for it write ``checkout (app.py:42)``, ``app.py:42 - checkout`` or
    ``./app.js:checkout:42``.
    """
    for form in _PLACES:
        if found := form.fullmatch(function.strip()):
            return found["name"], file or found["file"], line or int(found["line"])
    return function.strip(), file, line


def frame_of(function: str, language: Language) -> FrameName:
    """Return what a name means in a language."""
    return _READERS[language](function.strip())


_SIGNATURE = re.compile(r"(?P<head>.*[^.\s(])\((?P<types>[^()]*)\)(?P<back>\[*[\w/]*;?)")
_DESCRIPTOR = re.compile(r"\[*(?:[BCDFIJSZ]|L[^;]+;)")
_PRIMITIVES = {
    "B": "byte", "C": "char", "D": "double", "F": "float",
    "I": "int", "J": "long", "S": "short", "Z": "boolean",
}  # fmt: skip


def _signed(name: str) -> tuple[str, tuple[str, ...] | None]:
    """Return a name without its signature, and the simple names of the types that it held."""
    found = _SIGNATURE.fullmatch(name)
    if found is None:
        return name, None
    types = found["types"]
    if found["back"]:  # a method's descriptor, as the JVM writes it
        each = _DESCRIPTOR.findall(types)
        if "".join(each) != types:
            return name, None
        return found["head"], tuple(map(_described, each))
    return found["head"], tuple(simple(t) for t in types.split(",") if t.strip())


def _described(descriptor: str) -> str:
    base = descriptor.lstrip("[")
    name = _PRIMITIVES.get(base) or re.split(r"[/$]", base[1:-1])[-1]
    return name + "[]" * (len(descriptor) - len(base))


def simple(written: str) -> str:
    """Return the simple name of a type: ``java.util.List<String>`` is ``List``."""
    text = _without(written, "<", ">").strip().split(" ")
    name = text[0] if len(text) == 1 or not text[-1] else text[-2]  # ``string name`` names both
    return re.split(r"[.:/]+", name)[-1]


def _without(text: str, opening: str, closing: str) -> str:
    """Return a text without what stands in these brackets, which may be nested."""
    kept, depth = [], 0
    for letter in text:
        if letter == opening:
            depth += 1
        elif letter == closing and depth:
            depth -= 1
        elif not depth:
            kept.append(letter)
    return "".join(kept)


def _split(text: str, separators: str) -> tuple[str, ...]:
    return tuple(part for part in re.split(separators, text) if part)


_COMPREHENSION = re.compile(r"<(lambda|listcomp|genexpr|dictcomp|setcomp|module)>")


def _python(name: str) -> FrameName:
    parts = _split(_signed(name)[0].replace(".<locals>", ""), r"[.:]")
    named = tuple(part for part in parts if not _COMPREHENSION.fullmatch(part))
    return FrameName(named, is_anonymous=len(named) < len(parts))


_GO_CLOSURE = re.compile(r"(\.(func|gowrap|deferwrap)\d+|\.\d+|-range\d+)+$")


def _go(name: str) -> FrameName:
    # The dots of an import path's last element are escaped: gopkg.in/yaml%2ev3.Marshal
    path, _, last = _without(name, "[", "]").rpartition("/")
    last = last.removesuffix("-fm").replace("(*", "").replace("(", "").replace(")", "")
    named = _GO_CLOSURE.sub("", last)
    parts = tuple(
        part.replace("%2e", ".") for part in _split(named, r"\.") if part not in ("glob",)
    )
    folders = tuple(part for part in path.split("/") if part)
    if folders and re.fullmatch(r"v\d+", parts[0] if parts else ""):
        parts = (folders[-1], *parts[1:])  # a major version is no package
    is_closure = "func" in last[len(named) :] or "wrap" in last[len(named) :]
    return FrameName(parts, is_anonymous=is_closure, folders=folders)


_LAMBDA = re.compile(r"lambda\$(?P<of>.+?)\$\d+|(?P<by>.+?)\$lambda\$\d+(\$\d+)*")
_GIVEN = {"new": INIT, "static": STATIC}


def _jvm(name: str) -> FrameName:
    name, types = _signed(name)
    owner, _, method = name.replace("/", ".").replace("::", ".").replace("#", ".").rpartition(".")
    if not method:
        return FrameName(())
    owner, is_class_of_lambda, _ = owner.partition("$$Lambda")
    pieces = _split(_without(owner, "<", ">"), r"[.$]")
    named = tuple(piece for piece in pieces if not piece.isdigit())
    in_class_without_name = bool(is_class_of_lambda) or len(named) < len(pieces)
    if found := _LAMBDA.fullmatch(method):
        of = found["of"] or found["by"]
        return FrameName((*named, _GIVEN.get(of, of)), is_anonymous=True)
    if is_class_of_lambda or (in_class_without_name and method in _CALLED_BY_THE_RUN_TIME):
        # Kotlin's lambdas are classes: of Shop$checkout$1 only the function around it has a name.
        return FrameName(named, is_anonymous=True)
    if method.startswith("access$"):
        method = method.removeprefix("access$")
    method = re.sub(r"\$default$|-[0-9A-Za-z_-]{7}$|\$[a-z_0-9]+$", "", method)
    return FrameName((*named, method), types=types)


_CALLED_BY_THE_RUN_TIME = {"invoke", "invokeSuspend", "emit"}

_JS_WORDS = re.compile(r"^(async |new |get |set |static |bound )+")
_JS_ANONYMOUS = {"anonymous", "(anonymous)", "<anonymous>", "(anonymous function)"}


def _typescript(name: str) -> FrameName:
    name = re.sub(r" \[as [^\]]+\]$", "", _JS_WORDS.sub("", name))
    name = re.sub(r":L#?\d+(:C#?\d+)?$", "", name)
    parts = _split(name, r"\.|(?<!^)#|/")
    named = tuple(part for part in parts if part not in _JS_ANONYMOUS)
    is_anonymous = len(named) < len(parts)
    if is_anonymous and named in (("Object",), ("Module",), ("process",)):
        named = ()  # what a module is called on, not where a function lies
    return FrameName(named, is_anonymous=is_anonymous)


_RUST_HASH = re.compile(r"::h[0-9a-f]{16}$")
_RUST_MADE = re.compile(r"\{.*\}")
_RUST_CLOSURE = re.compile(r"\{+(closure|async|coroutine)[^}]*\}+")


def _rust(name: str) -> FrameName:
    name, trait = _RUST_HASH.sub("", name), ""
    while name.startswith("<") and (end := _closing(name)) > 0:
        inside, rest = name[1:end], name[end + 1 :]
        of, _, as_trait = _outer(inside)
        trait = trait or _last(as_trait)
        name = of + rest
    pieces = _split(_without(name.lstrip("&"), "<", ">"), "::")
    named = tuple(p for p in pieces if not _RUST_MADE.fullmatch(p))
    is_anonymous = any(_RUST_CLOSURE.fullmatch(p) for p in pieces)
    return FrameName(named, is_anonymous=is_anonymous, trait=trait)


def _closing(text: str) -> int:
    depth = 0
    for position, letter in enumerate(text):
        depth += (letter == "<") - (letter == ">" and text[position - 1] != "-")
        if not depth:
            return position
    return -1


def _outer(text: str) -> tuple[str, str, str]:
    """Return what stands before and after the ``as`` that is in no brackets."""
    depth = 0
    for position, letter in enumerate(text):
        depth += (letter == "<") - (letter == ">")
        if not depth and text.startswith(" as ", position):
            return text[:position], " as ", text[position + 4 :]
    return text, "", ""


def _last(path: str) -> str:
    return (_split(_without(path, "<", ">"), "::") or ("",))[-1]


_CS_LAMBDA = re.compile(r"(<>c\w*(<[^>]*>)?[.+/!])?<(?P<of>[\w.]+)>b__\w*")
_CS_MACHINE = re.compile(r"<(?P<of>[\w.]+)>d(__\d+)?(`\d+)?(<[^>]*>)?[.+/!]+MoveNext")
_CS_LOCAL = re.compile(r"(<>c\w*[.+/!])?<(?P<of>[\w.]+)>g__(?P<local>\w+)\|[\d_]*")


def _csharp(name: str) -> FrameName:
    name, types = _signed(name)
    name, lambdas = _CS_LAMBDA.subn(lambda m: m["of"], name)
    name = _CS_MACHINE.sub(lambda m: m["of"], name)
    name = _CS_LOCAL.sub(lambda m: f"{m['of']}.{m['local']}", name)
    name = name.replace(".ctor", f".{_HIDDEN_INIT}").replace(".cctor", f".{_HIDDEN_STATIC}")
    name = re.sub(r"`\d+", "", _without(_without(name, "<", ">"), "[", "]"))
    hidden = {_HIDDEN_INIT: INIT, _HIDDEN_STATIC: STATIC}
    # A property's accessors are methods to the run time.
    accessor = re.compile(r"^(get|set|init|add|remove)_(?=\w)")
    parts = tuple(accessor.sub("", hidden.get(p, p)) for p in _split(name, r"::|[.!+/:]"))
    return FrameName(parts, is_anonymous=bool(lambdas), types=None if lambdas else types)


_HIDDEN_INIT, _HIDDEN_STATIC = "\0init", "\0static"

_READERS: Mapping[Language, Callable[[str], FrameName]] = {
    Language.PYTHON: _python,
    Language.GO: _go,
    Language.JAVA: _jvm,
    Language.KOTLIN: _jvm,
    Language.TYPESCRIPT: _typescript,
    Language.RUST: _rust,
    Language.CSHARP: _csharp,
}
