"""What is in force as people and programs read it: one row a setting, secrets covered."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from pydantic import SecretStr

from gameday.settings.page import Settings
from gameday.settings.reading import DEFAULT, ENVIRONMENT, Found, as_text, names, table_of, variable
from gameday.settings.values import COVER, covered


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting in force.

    Attributes:
        name: table and key in ``gameday.toml``, with a dot between them.
        variable: of the environment.
        value: as the environment writes it, secrets covered; empty where there is none.
        origin: ``default``, ``environment``, or file and line.
        about: its meaning, unit, default, and the reason for the default.
    """

    name: str
    variable: str
    value: str
    origin: str
    about: str

    def to_json(self) -> dict[str, str]:
        """Return it as ``gameday settings --json`` prints it."""
        return {
            "name": self.name,
            "variable": self.variable,
            "value": self.value,
            "from": self.origin,
            "about": self.about,
        }


def rows(found: Found) -> Iterator[SettingRow]:
    """Yield every setting in force, in the order of the page."""
    for table, key in names():
        value = getattr(getattr(found.settings, table), key)
        yield SettingRow(
            f"{table}.{key}",
            variable(table, key),
            fit_to_show(value),
            found.origins.get((table, key), DEFAULT),
            about(table)[key],
        )


def notes(found: Found) -> Iterator[str]:
    """Yield what an operator should know about settings that are right as they stand."""
    for name, hint in found.unknown.items():
        yield f"{name} is in the environment, and no setting of gameday ({hint})"
    path = found.file.path
    if path is None or not path.stat().st_mode & 0o044:
        return
    for row in rows(found):
        if row.origin not in (DEFAULT, ENVIRONMENT) and COVER in row.value:
            yield f"{row.origin}: {row.name} is secret, and others can read the file: `chmod 600`"


def fit_to_show(value: object) -> str:
    """Return a value as anybody may read it: secrets covered, also those within an address."""
    match value:
        case SecretStr():
            return COVER if value.get_secret_value() else ""
        case tuple():
            return ",".join(fit_to_show(one) for one in value)
        case str() if "://" in value:
            return covered(value)
        case _:
            return as_text(value)


@cache
def about(table: str) -> Mapping[str, str]:
    """Return what the page says about each setting of a table, each as one paragraph."""
    return _docstrings(table_of(table))


@cache
def about_tables() -> Mapping[str, str]:
    """Return what the page says about each table: of the field, else of its kind."""
    own = _docstrings(Settings)
    return {
        table.name: own.get(table.name) or " ".join((table_of(table.name).__doc__ or "").split())
        for table in fields(Settings)
    }


def _docstrings(group: type[Any]) -> Mapping[str, str]:
    """Return the strings under the fields of a class; Python keeps them in the source only."""
    body = ast.parse(inspect.cleandoc(inspect.getsource(group))).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for above, below in zip(body.body, body.body[1:], strict=False):
        match above, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = " ".join(text.split())
    return found


def page() -> str:
    """Return ``docs/settings.md``'s tables: every setting, from the page itself."""
    parts = []
    for table in fields(Settings):
        said = about_tables()[table.name].replace("``", "`")
        parts.append(f"\n## `[{table.name}]`\n\n{said}\n\n")
        parts.append("| key | variable | |\n|---|---|---|\n")
        parts += [
            f"| `{key}` | `{variable(table.name, key)}` | {_cell(text)} |\n"
            for key, text in about(table.name).items()
        ]
    return "".join(parts)


def _cell(text: str) -> str:
    meaning, _, default = text.partition(" Default: ")
    return f"{meaning} *Default:* {default}".replace("``", "`").replace("|", "\\|")
