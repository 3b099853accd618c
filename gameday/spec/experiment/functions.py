"""Python modules and functions, looked at without running them.

A module that is loaded already, or that holds no Python at all but belongs to Python, is looked at
as it is; of any other the source is read. What a source may bind in ways that only running it
shows is hidden, which is not absent.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from importlib.machinery import ExtensionFileLoader, ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

_BINDS_UNSEEN = frozenset({"globals", "locals", "vars", "exec", "eval", "setattr", "__getattr__"})


class Sight(Enum):
    """What can be said of something that was not found."""

    ABSENT = "absent"
    HIDDEN = "hidden"


@dataclass(frozen=True, slots=True)
class Function:
    """A function that is certain to be there.

    Attributes:
        signature: what it takes; None where a decorator may have changed it.
        is_callable: whether Python knows what it takes; where not, Chaos Toolkit does not call it.
    """

    signature: inspect.Signature | None
    is_callable: bool = True

    @property
    def parameters(self) -> Sequence[str]:
        """Return the names of what it takes; what Chaos Toolkit hands in by itself left out."""
        given = ("secrets", "configuration")
        return [n for n in (self.signature.parameters if self.signature else ()) if n not in given]

    @property
    def takes_secrets(self) -> bool:
        """Return whether secrets are handed to it where an activity names some."""
        return self.signature is not None and "secrets" in self.signature.parameters

    def misfit(self, arguments: Mapping[str, Any]) -> str | None:
        """Return why it cannot be called with these arguments by name; None where it can."""
        if not self.is_callable:
            return "Python cannot tell which arguments it takes"
        if self.signature is None:
            return None
        handed = dict(arguments)
        for name in ("secrets", "configuration"):
            if name in self.signature.parameters:
                handed[name] = None
        try:
            self.signature.bind(**handed)
        except TypeError as error:
            return str(error)
        return None


@dataclass(frozen=True, slots=True)
class Module:
    """What is bound in a module: to a function, or to something else (None).

    Attributes:
        is_whole: nothing can be bound in it that is not listed.
    """

    bound: Mapping[str, Function | Sight | None]
    is_whole: bool

    @property
    def names(self) -> Sequence[str]:
        """Return the functions that are certain."""
        return [name for name, what in self.bound.items() if isinstance(what, Function)]


def module_named(name: str) -> Module | Sight:
    """Return what is bound in the module that an import of this name would give."""
    loaded = sys.modules.get(name)
    if loaded is not None:
        return _of_loaded(loaded)
    try:
        spec = _found(name)
    except (ImportError, ValueError, AttributeError):
        return Sight.HIDDEN
    if spec is None or isinstance(spec, Sight):
        return spec or Sight.ABSENT
    belongs_to_python = name.partition(".")[0] in sys.stdlib_module_names
    if belongs_to_python and (
        spec.origin == "built-in" or isinstance(spec.loader, ExtensionFileLoader)
    ):
        return _of_loaded(importlib.import_module(name))
    if spec.origin is None or not spec.origin.endswith(".py"):
        # A folder without a source of its own binds nothing; a compiled module hides what it does.
        is_folder = spec.origin is None and spec.submodule_search_locations is not None
        return Module({}, is_whole=True) if is_folder else Sight.HIDDEN
    return _of_source(Path(spec.origin))


def function_named(module: Module, name: str) -> Function | Sight:
    """Return the function of this name in a module."""
    if name in module.bound:
        return module.bound[name] or Sight.ABSENT
    return Sight.ABSENT if module.is_whole else Sight.HIDDEN


def _found(name: str) -> ModuleSpec | Sight | None:
    """Return where a module lies; None where it does not, hidden where its package decides."""
    first, *rest = name.split(".")
    if not all((first, *rest)):
        return None
    spec = PathFinder.find_spec(first, [str(Path.cwd())]) or importlib.util.find_spec(first)
    full = first
    for part in rest:
        if spec is None:
            return None
        full = f"{full}.{part}"
        places = spec.submodule_search_locations
        below = _below(full, places) if places is not None else None
        if below is None and _meddles(spec):
            return Sight.HIDDEN
        spec = below
    return spec


def _below(full: str, places: Sequence[str]) -> ModuleSpec | None:
    for finder in sys.meta_path:
        spec = finder.find_spec(full, places, None)
        if spec is not None:
            return spec
    return None


def _meddles(spec: ModuleSpec) -> bool:
    """Return whether a package's own code may say where its modules lie."""
    if spec.origin is None or not spec.origin.endswith(".py"):
        return spec.origin is not None
    text = Path(spec.origin).read_text(encoding="utf-8", errors="replace")
    return "__path__" in text or "sys.modules" in text


def _of_loaded(module: ModuleType) -> Module:
    bound: dict[str, Function | Sight | None] = {}
    for name, value in vars(module).items():
        bound[name] = None
        if inspect.isfunction(value) or inspect.isbuiltin(value):
            try:
                bound[name] = Function(inspect.signature(value))
            except (ValueError, TypeError):
                bound[name] = Function(None, is_callable=False)
    return Module(bound, is_whole="__getattr__" not in bound)


def _of_source(path: Path) -> Module | Sight:
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return Sight.HIDDEN
    bound: dict[str, Function | Sight | None] = {}
    is_whole = not any(
        (isinstance(node, ast.Name) and node.id in _BINDS_UNSEEN)
        or (isinstance(node, ast.FunctionDef) and node.name == "__getattr__")
        for node in ast.walk(tree)
    )
    for name, what in _bindings(tree.body):
        if name == "*":
            is_whole = False
        else:
            bound[name] = Sight.HIDDEN if name in bound else what
    return Module(bound, is_whole)


def _bindings(body: Sequence[ast.stmt]) -> Iterator[tuple[str, Function | Sight | None]]:
    """Yield every name that statements bind where they stand, and to what."""
    for statement in body:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                signature = None if statement.decorator_list else _signature(statement.args)
                yield statement.name, Function(signature)
            case ast.ClassDef():
                # Decorated, it may become anything.
                yield statement.name, Sight.HIDDEN if statement.decorator_list else None
            case ast.Import() | ast.ImportFrom():
                for alias in statement.names:
                    name = alias.asname or alias.name
                    is_module = isinstance(statement, ast.Import)
                    yield name.partition(".")[0], None if is_module else Sight.HIDDEN
            case _:
                for inner in ("body", "orelse", "finalbody"):
                    yield from _bindings(getattr(statement, inner, []))
                for handler in getattr(statement, "handlers", []):
                    yield from _bindings(handler.body)
                for case in getattr(statement, "cases", []):
                    yield from _bindings(case.body)
                for node in ast.walk(statement):
                    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                        yield node.id, Sight.HIDDEN


def _signature(arguments: ast.arguments) -> inspect.Signature:
    kinds = inspect._ParameterKind
    required = inspect.Parameter.empty
    found: list[inspect.Parameter] = []
    positional = [(a, kinds.POSITIONAL_ONLY) for a in arguments.posonlyargs]
    positional += [(a, kinds.POSITIONAL_OR_KEYWORD) for a in arguments.args]
    first_default = len(positional) - len(arguments.defaults)
    for number, (argument, kind) in enumerate(positional):
        default = None if number >= first_default else required
        found.append(inspect.Parameter(argument.arg, kind, default=default))
    if arguments.vararg:
        found.append(inspect.Parameter(arguments.vararg.arg, kinds.VAR_POSITIONAL))
    for argument, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        default = required if value is None else None
        found.append(inspect.Parameter(argument.arg, kinds.KEYWORD_ONLY, default=default))
    if arguments.kwarg:
        found.append(inspect.Parameter(arguments.kwarg.arg, kinds.VAR_KEYWORD))
    return inspect.Signature(found)
