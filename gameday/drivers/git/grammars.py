"""Functions out of tree-sitter's trees; the only module that knows it.

Each grammar calls its nodes otherwise. What differs between languages stands in `_DIALECTS`; the
walk over the tree is one.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath
from typing import Any

from gameday.drivers.git.frame import INIT, STATIC, simple
from gameday.drivers.git.functions import SourceFunction
from gameday.drivers.git.language import Language

__all__ = ["parsed"]


@dataclass(frozen=True, slots=True)
class _Dialect:
    """How a grammar calls what counts.

    Attributes:
        module: the package that has it.
        entry: the function of it that returns it.
        scopes: nodes that lie around functions and have a name.
        functions: nodes that are functions, and what each is called where its source gives no name.
        lambdas: nodes that are functions without a name of their own.
        packages: nodes that say in which package all of the file is.
        parameters: nodes of one parameter, where they tell overloads apart.
        before: siblings before a function that belong to it.
    """

    module: str
    entry: str
    scopes: frozenset[str]
    functions: Mapping[str, str]
    lambdas: frozenset[str]
    packages: frozenset[str] = frozenset()
    parameters: frozenset[str] = frozenset()
    before: frozenset[str] = frozenset()


_DIALECTS: Mapping[Language, _Dialect] = {
    Language.PYTHON: _Dialect(
        "tree_sitter_python", "language",
        scopes=frozenset({"class_definition"}),
        functions={"function_definition": ""},
        lambdas=frozenset({"lambda"}),
        before=frozenset({"decorator"}),
    ),
    Language.GO: _Dialect(
        "tree_sitter_go", "language",
        scopes=frozenset(),
        functions={"function_declaration": "", "method_declaration": ""},
        lambdas=frozenset({"func_literal"}),
        packages=frozenset({"package_clause"}),
    ),
    Language.JAVA: _Dialect(
        "tree_sitter_java", "language",
        scopes=frozenset({
            "class_declaration", "interface_declaration", "enum_declaration",
            "record_declaration", "annotation_type_declaration",
        }),
        functions={
            "method_declaration": "", "constructor_declaration": INIT,
            "compact_constructor_declaration": INIT, "static_initializer": STATIC,
        },
        lambdas=frozenset({"lambda_expression"}),
        packages=frozenset({"package_declaration"}),
        parameters=frozenset({"formal_parameter", "spread_parameter"}),
    ),
    Language.KOTLIN: _Dialect(
        "tree_sitter_kotlin", "language",
        scopes=frozenset({"class_declaration", "object_declaration", "companion_object"}),
        functions={
            "function_declaration": "", "secondary_constructor": INIT,
            "anonymous_initializer": INIT, "getter": "get", "setter": "set",
        },
        lambdas=frozenset({"lambda_literal", "anonymous_function"}),
        packages=frozenset({"package_header"}),
        parameters=frozenset({"parameter"}),
    ),
    Language.TYPESCRIPT: _Dialect(
        "tree_sitter_typescript", "language_tsx",
        scopes=frozenset({
            "class_declaration", "abstract_class_declaration", "internal_module", "module",
        }),
        functions={
            "function_declaration": "", "generator_function_declaration": "",
            "method_definition": "",
        },
        lambdas=frozenset({"arrow_function", "function_expression", "generator_function"}),
        before=frozenset({"decorator"}),
    ),
    Language.RUST: _Dialect(
        "tree_sitter_rust", "language",
        scopes=frozenset({"mod_item", "impl_item", "trait_item"}),
        functions={"function_item": ""},
        lambdas=frozenset({"closure_expression"}),
        before=frozenset({"attribute_item"}),
    ),
    Language.CSHARP: _Dialect(
        "tree_sitter_c_sharp", "language",
        scopes=frozenset({
            "namespace_declaration", "class_declaration", "struct_declaration",
            "record_declaration", "interface_declaration", "enum_declaration",
        }),
        functions={
            "method_declaration": "", "constructor_declaration": INIT, "property_declaration": "",
            "local_function_statement": "", "operator_declaration": "operator",
            "destructor_declaration": "Finalize", "indexer_declaration": "Item",
        },
        lambdas=frozenset({"lambda_expression", "anonymous_method_expression"}),
        packages=frozenset({"file_scoped_namespace_declaration"}),
        parameters=frozenset({"parameter"}),
    ),
}  # fmt: skip


def parsed(source: str, language: Language, file: str) -> Sequence[SourceFunction]:
    """Return the functions of a source that lies at this path."""
    dialect = _DIALECTS[language]
    entry = dialect.entry
    if PurePosixPath(file).suffix.lower() in (".ts", ".mts", ".cts"):
        entry = "language_typescript"  # where <T>x is a type, and not an element as in .tsx
    tree = _parser(dialect.module, entry).parse(source.encode())
    root = tree.root_node
    package = tuple(
        part
        for node in root.children
        if node.type in dialect.packages
        for part in _package(node).split(".")
        if part
    )
    # Go's symbols name a package by its folder, which may be called otherwise.
    optional = frozenset({0} if language is Language.GO else ())
    if language is Language.KOTLIN:
        stem = PurePosixPath(file).stem
        package = (*package, f"{stem[:1].upper()}{stem[1:]}Kt")
        optional = frozenset({len(package) - 1})
    return list(_Walk(dialect, language).below(root, package, optional, ""))


@cache
def _parser(module: str, entry: str) -> Any:
    from tree_sitter import Language as Grammar
    from tree_sitter import Parser

    return Parser(Grammar(getattr(importlib.import_module(module), entry)()))


@dataclass(frozen=True, slots=True)
class _Walk:
    dialect: _Dialect
    language: Language

    def below(
        self, node: Any, within: tuple[str, ...], optional: frozenset[int], trait: str
    ) -> Iterator[SourceFunction]:
        """Yield the functions below a node."""
        for child in node.children:
            kind = child.type
            if kind in self.dialect.scopes:
                names = self._scope(child)
                inner = optional
                if kind == "companion_object":
                    inner = optional | {len(within)}
                implements = child.child_by_field_name("trait") if kind == "impl_item" else None
                yield from self.below(
                    child,
                    (*within, *names),
                    inner,
                    _bare(_text(implements)) if implements is not None else "",
                )
            elif kind in self.dialect.functions:
                name, around = self._name(child), (*within, *self._receiver(child))
                yield self._function(child, name, around, optional, trait)
                yield from self.below(child, (*around, name), optional | {len(around)}, "")
            elif kind in self.dialect.lambdas:
                name = self._given(child)
                yield self._function(child, name, within, optional, trait)
                inside = (*within, name) if name else within
                yield from self.below(
                    child, inside, optional | {len(within)} if name else optional, ""
                )
            else:
                yield from self.below(child, within, optional, trait)

    def _function(
        self, node: Any, name: str, within: tuple[str, ...], optional: frozenset[int], trait: str
    ) -> SourceFunction:
        first = node.start_point[0]
        before = node.prev_named_sibling
        while before is not None and (
            before.type in self.dialect.before or before.type.endswith("comment")
        ):
            if before.type in self.dialect.before:
                first = before.start_point[0]
            before = before.prev_named_sibling
        return SourceFunction(
            name=name,
            within=within,
            first=first + 1,
            last=node.end_point[0] + 1,
            optional=optional,
            trait=trait,
            types=self._types(node) if self.dialect.parameters else None,
        )

    def _name(self, node: Any) -> str:
        given = self.dialect.functions[node.type]
        if given in ("get", "set"):  # of Kotlin, where the property around it has the name
            variable = _first(node.parent, "variable_declaration")
            name = _text(_first(variable, "identifier")) if variable is not None else ""
            return f"{given}{name[:1].upper()}{name[1:]}"
        return given or _unquoted(_text(node.child_by_field_name("name")))

    def _given(self, node: Any) -> str:
        """Return what a function without a name is bound to; empty where it is to nothing."""
        if self.language is not Language.TYPESCRIPT:
            return ""
        around = node.parent
        match around.type if around is not None else "":
            case "variable_declarator" | "public_field_definition" | "field_definition":
                return _unquoted(_text(around.child_by_field_name("name")))
            case "pair":
                return _unquoted(_text(around.child_by_field_name("key")))
            case "assignment_expression":
                return _text(around.child_by_field_name("left")).rsplit(".", 1)[-1]
            case _:
                return _text(node.child_by_field_name("name"))

    def _scope(self, node: Any) -> tuple[str, ...]:
        named = node.child_by_field_name("type" if node.type == "impl_item" else "name")
        if named is None:
            return ("Companion",) if node.type == "companion_object" else ()
        if node.type == "impl_item":
            return (_bare(_text(named)),)
        return tuple(part for part in _unquoted(_text(named)).split(".") if part)

    def _receiver(self, node: Any) -> tuple[str, ...]:
        """Return the type a method of Go is declared on."""
        receiver = node.child_by_field_name("receiver") if self.language is Language.GO else None
        if receiver is None:
            return ()
        declared = _first(receiver, "parameter_declaration")
        return (_bare(_text(declared.child_by_field_name("type")).lstrip("*"), "["),)

    def _types(self, node: Any) -> tuple[str, ...] | None:
        listed = node.child_by_field_name("parameters")
        if listed is None:
            listed = _first(node, "function_value_parameters")
        if listed is None:
            return None
        return tuple(
            simple(_type_text(one))
            for one in listed.children
            if one.type in self.dialect.parameters
        )


def _type_text(parameter: Any) -> str:
    typed = parameter.child_by_field_name("type")
    if typed is not None:
        return _text(typed)
    if parameter.type == "spread_parameter":
        return f"{_text(parameter.named_children[0])}[]"
    return _text(parameter.named_children[-1])  # Kotlin: ``a: Int``


def _package(node: Any) -> str:
    return _text(node.named_children[0]) if node.named_children else ""


def _first(node: Any, kind: str) -> Any:
    return next((child for child in node.named_children if child.type == kind), None)


def _bare(path: str, bracket: str = "<") -> str:
    """Return the last name of a path, without what it is generic over."""
    return path.partition(bracket)[0].strip().rsplit("::", 1)[-1].lstrip("&").strip()


def _unquoted(text: str) -> str:
    return text.strip("'\"`[]").lstrip("#")


def _text(node: Any) -> str:
    return node.text.decode(errors="replace") if node is not None else ""
