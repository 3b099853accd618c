"""What is in force, and where each value comes from.

The environment wins over the file. Both are read by pydantic-settings into the page; everything
that is wrong is said at once, each with the file and line or the variable it comes from.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from pydantic import SecretStr, ValidationError

from gameday.errors import Problem, SpecError
from gameday.names import did_you_mean, nearest
from gameday.quantity import written
from gameday.settings import file as files
from gameday.settings.file import SettingsFile
from gameday.settings.page import Settings
from gameday.settings.values import Folder, Names, Secrets

if TYPE_CHECKING:
    from datetime import timedelta

    from pydantic_settings import BaseSettings

PREFIX = "GAMEDAY_"
FILE_VARIABLE = "GAMEDAY_SETTINGS_FILE"
"""Names the file of settings, which is then not looked for; ``/dev/null`` stands for none."""

PLUMBING: Mapping[str, str] = {
    "GAMEDAY_SANDBOX_TOKEN": "what the components of a sandbox ask for",
    "GAMEDAY_SANDBOX_FOLDER": "marks the processes of a sandbox, so that `down` finds them all",
}
"""Variables between processes of ours; nobody sets them by hand, and they are no settings."""

_TABLE_PREFIX = {"retention": "RETENTION_", "run": "RUN_", "kube": "KUBE_", "links": "LINK_"} | {
    "drill_pager": "DRILL_",
    "drill": "DRILL_",
    "hook": "HOOK_",
}
"""Where the variables of a table differ from its keys; the names of the others say enough."""

DEFAULT = "default"
ENVIRONMENT = "environment"
Name = tuple[str, str]
"""A setting: its table and its key."""


@dataclass(frozen=True, slots=True)
class Found:
    """The settings in force.

    Attributes:
        file: the file they come from; its path is None where there is none.
        origins: where each setting comes from that is not the default.
        unknown: variables ``GAMEDAY_…`` of the environment that are no settings, with what may
            have been meant. Somebody else's program may own them, so that they are no error.
    """

    settings: Settings
    file: SettingsFile = field(default_factory=SettingsFile)
    origins: Mapping[Name, str] = field(default_factory=dict)
    unknown: Mapping[str, str] = field(default_factory=dict)


def names() -> Iterator[Name]:
    """Yield every setting there is, in the order of the page."""
    for table in fields(Settings):
        for key in fields(table_of(table.name)):
            yield table.name, key.name


def variable(table: str, key: str) -> str:
    """Return the variable of the environment that says a setting."""
    return f"{PREFIX}{_TABLE_PREFIX.get(table, '')}{key.upper()}"


def find(environment: Mapping[str, str] | None = None, *, folder: Path | None = None) -> Found:
    """Return the settings in force, and where they come from.

    Args:
        environment: ours by default.
        folder: where the file is looked for; the working directory by default.

    Raises:
        SpecError: a value is none of its kind, or the file holds what is no setting; all of it.
        UsageError: the file cannot be read, or is somebody else's.
    """
    env = os.environ if environment is None else environment
    file = _file(env, folder)
    problems = [] if file.path is None else list(_strangers(file))
    from_file = {name: _from_file(name, file) for name in names() if _is_in(name, file)}
    from_env = {n: env[variable(*n)] for n in names() if _is_given(n, env.get(variable(*n)))}
    origins = {name: f"{file.shown}:{file.line(*name)}" for name in from_file}
    origins |= dict.fromkeys(from_env, ENVIRONMENT)
    known = {("store", "state"): _usual_state(env)} | from_file
    try:
        settings = _validated(from_env, known)
    except ValidationError as error:
        problems += [_problem(e, origins, file) for e in error.errors(include_url=False)]
    if problems:
        raise SpecError(sorted(problems, key=lambda p: (p.line == 0, p.line, p.field)))
    return Found(settings, file, origins, _unknown(env))


def handed_down(settings: Settings) -> dict[str, str]:
    """Return the environment by which a process of ours gets these very settings.

    It reads no file any more: one that is edited while a run goes on changes nothing about it.
    """
    told = {FILE_VARIABLE: os.devnull}
    for table, key in names():
        value = getattr(getattr(settings, table), key)
        if value != default_of(table, key):
            told[variable(table, key)] = as_text(value)
    return told


def as_text(value: object) -> str:
    """Return a value as the environment writes it, secrets included."""
    match value:
        case None:
            return "none"
        case SecretStr():
            return value.get_secret_value()
        case bool():
            return str(value).lower()
        case tuple():
            return ",".join(as_text(one) for one in value)
        case str() | Path():
            return str(value)
        case _:
            span: timedelta = value  # type: ignore[assignment]  # the page has no other kinds
            return written(span)


def default_of(table: str, key: str) -> object:
    """Return what the page says without anybody's word."""
    return next(f.default for f in fields(table_of(table)) if f.name == key)


@cache
def table_of(table: str) -> Any:
    """Return the class of the page that a table is read into."""
    return get_type_hints(Settings)[table]


@cache
def _kinds(table: str) -> Mapping[str, Any]:
    return get_type_hints(table_of(table), include_extras=True)


def _file(env: Mapping[str, str], folder: Path | None) -> SettingsFile:
    if chosen := env.get(FILE_VARIABLE):
        return files.read(Path(chosen).expanduser().absolute(), is_chosen=True)
    path = files.found_from((folder or Path.cwd()).absolute())
    return files.read(path, is_chosen=False) if path else SettingsFile()


def _usual_state(env: Mapping[str, str]) -> str:
    """Return where state lies by default, by the XDG Base Directory Specification."""
    home = env.get("XDG_STATE_HOME") or "~/.local/state"
    return str(Path(home) / "gameday")


def _is_given(name: Name, value: str | None) -> bool:
    """Return whether a variable says something; an empty one only where a list may be empty."""
    if value is None:
        return False
    return bool(value.strip()) or _kinds(name[0])[name[1]] in (Names, Secrets)


def _is_in(name: Name, file: SettingsFile) -> bool:
    table = file.tables.get(name[0])
    return isinstance(table, dict) and name[1] in table


def _from_file(name: Name, file: SettingsFile) -> object:
    value = file.tables[name[0]][name[1]]
    if _kinds(name[0])[name[1]] is Folder and isinstance(value, str) and file.path is not None:
        is_tilde = value.startswith("~")
        return value if is_tilde else str(file.path.parent / value)
    return value


def _strangers(file: SettingsFile) -> Iterator[Problem]:
    """Yield what stands in the file and is no setting."""
    valid = [f"{table}.{key}" for table, key in names()]
    tables = [f.name for f in fields(Settings)]
    for table, said in file.tables.items():
        line = file.line(table)
        if table not in tables:
            near = nearest(table, tables, cutoff=0.7) if isinstance(said, dict) else None
            hint = f"did you mean [{near}]?" if near else _meant(table, valid, tables)
            yield Problem(file.shown, line, table, "there is no such setting", hint)
        elif not isinstance(said, dict):
            yield Problem(
                file.shown, line, table, "this is a table of settings", f"write [{table}] above it"
            )
        else:
            keys = [f.name for f in fields(table_of(table))]
            for key in said:
                if key not in keys:
                    yield Problem(
                        file.shown,
                        file.line(table, key),
                        f"{table}.{key}",
                        "there is no such setting",
                        did_you_mean(key, keys, what=f"in [{table}]"),
                    )


def _meant(name: str, valid: list[str], tables: list[str]) -> str:
    """Return what may have been meant by a key or a table that stands at the top of the file."""
    by_key = {dotted.partition(".")[2]: dotted for dotted in reversed(valid)}
    by_variable = {variable(*d.split(".")).removeprefix(PREFIX).lower(): d for d in valid}
    folded = {**by_key, **by_variable}
    near = nearest(name.lower().removeprefix(PREFIX.lower()), folded, cutoff=0.7)
    if near is None:
        return "tables: " + ", ".join(tables)
    table, key = folded[near].split(".")
    return f"did you mean {key} under [{table}]?"


def _unknown(env: Mapping[str, str]) -> Mapping[str, str]:
    valid = {FILE_VARIABLE, *PLUMBING, *(variable(*name) for name in names())}
    return {
        name: did_you_mean(name, valid, what="settings")
        for name in sorted(env)
        if name.startswith(PREFIX) and name not in valid
    }


def _problem(error: Any, origins: Mapping[Name, str], file: SettingsFile) -> Problem:
    table, key = (*error["loc"], "", "")[:2]
    context = error.get("ctx") or {}
    hint = str(context.get("hint", ""))
    if origins.get((table, key)) == ENVIRONMENT:
        return Problem(ENVIRONMENT, 0, variable(table, key), error["msg"], hint)
    where = f"{table}.{key}".rstrip(".")
    return Problem(file.shown, file.line(table, key) or file.line(table), where, error["msg"], hint)


def _validated(*by_rank: Mapping[Name, object]) -> Settings:
    """Return the settings these sources make up, the first of which wins.

    Raises:
        ValidationError: a value is none of its kind.
    """
    read = _page()(by_rank=by_rank)
    return Settings(**{table.name: getattr(read, table.name) for table in fields(Settings)})


@cache
def _page() -> Callable[..., BaseSettings]:
    """Return the page as pydantic-settings wants it; late, since loading that takes a while."""
    from pydantic import create_model
    from pydantic_settings import (
        BaseSettings,
        InitSettingsSource,
        PydanticBaseSettingsSource,
    )

    class Sources(BaseSettings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            *_: PydanticBaseSettingsSource,
            **__: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            # Its own sources know neither our variables' names nor the lines of a file.
            assert isinstance(init_settings, InitSettingsSource)
            given: Sequence[Mapping[Name, object]] = init_settings.init_kwargs["by_rank"]
            return tuple(InitSettingsSource(settings_cls, _by_table(values)) for values in given)

    tables: dict[str, Any] = {
        table.name: (table_of(table.name), ... if table.name == "store" else table_of(table.name)())
        for table in fields(Settings)
    }
    return create_model("Page", __base__=Sources, **tables)


def _by_table(values: Mapping[Name, object]) -> dict[str, Any]:
    tables: dict[str, dict[str, object]] = {}
    for (table, key), value in values.items():
        tables.setdefault(table, {})[key] = value
    return tables
