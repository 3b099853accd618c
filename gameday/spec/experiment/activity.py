"""One action or probe, as Chaos Toolkit takes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from gameday.names import did_you_mean
from gameday.spec.experiment.findings import Findings, is_number, is_seconds, shown, variable
from gameday.spec.tree import FieldPath, quoted

TYPES = ("action", "probe")
PROVIDERS = ("python", "http", "process")
_PARAMETER = re.compile(r"\$\{([^}]*)\}")
_NEEDS = {"python": ("module", "func"), "http": ("url",), "process": ("path",)}


@dataclass(frozen=True, slots=True)
class Known:
    """What the rest of an experiment says that an activity may lean on.

    Attributes:
        activities: by the names that a ``ref`` may give; of a name given twice the last.
        variables: that ``${…}`` may stand for.
    """

    activities: Mapping[Any, Mapping[str, Any]] = field(default_factory=dict)
    variables: frozenset[Any] = frozenset()


def check_activity(said: Findings, at: FieldPath, activity: Any, known: Known) -> None:
    """Note why Chaos Toolkit would not take an activity, or could not play it."""
    if not isinstance(activity, dict) or not activity:
        said.add(at, f"{shown(activity)} is no activity", "write type, name and provider")
        return
    if activity.get("ref") is not None:
        _check_reference(said, (*at, "ref"), activity["ref"], known)
        return
    _check_type(said, at, activity.get("type"), TYPES, what="activity")
    if not activity.get("name"):
        said.add((*at, "name"), "is missing", "name the activity")
    timeout = activity.get("timeout")
    if timeout is not None and not is_number(timeout):
        said.add((*at, "timeout"), f"{shown(timeout)} is no number of seconds", "timeout: 10")
    _check_pauses(said, (*at, "pauses"), activity.get("pauses"), known)
    if "background" in activity and not isinstance(activity["background"], bool):
        said.add(
            (*at, "background"),
            f"{shown(activity['background'])} is neither true nor false",
            "write true or false, without quotes",
        )
    _check_provider(said, (*at, "provider"), activity.get("provider"), known)


def _check_reference(said: Findings, at: FieldPath, name: Any, known: Known) -> None:
    if not isinstance(name, str) or not name:
        said.add(at, f"{shown(name)} is no name of an activity", "give the activity's name")
        return
    found = known.activities.get(name)
    if found is None:
        names = [n for n in known.activities if isinstance(n, str)]
        said.add(
            at,
            f"no activity of the method or the hypothesis has the name {quoted(name)}",
            did_you_mean(name, names, what="names") if names else "write the activity out",
        )
    elif found.get("ref") is not None:
        said.add(at, f"{quoted(name)} is itself a reference", "give the activity that it means")


def _check_type(
    said: Findings, at: FieldPath, value: Any, types: tuple[str, ...], *, what: str
) -> None:
    if not value:
        said.add((*at, "type"), "is missing", " or ".join(types))
    elif value not in types:
        hint = did_you_mean(str(value), types, what="one of")
        said.add((*at, "type"), f"{quoted(value)} is no type of {what}", hint)


def _check_pauses(said: Findings, at: FieldPath, pauses: Any, known: Known) -> None:
    if pauses is None:
        return
    if not isinstance(pauses, dict):
        said.add(at, f"{shown(pauses)} are no pauses", "pauses: {before: 1, after: 5}")
        return
    for name in ("before", "after"):
        value = pauses.get(name)
        # Nothing, 0 and an empty list are no pause; an empty text is not even that.
        if is_seconds(value) or (not value and value != ""):
            continue
        parameter = variable(value)
        if parameter is None:
            said.add(
                (*at, name),
                f"{shown(value)} is no number of seconds",
                f"write {name}: 5, or {name}: ${{parameter}}",
            )
        elif parameter not in known.variables:
            said.add(
                (*at, name),
                f"there is no parameter {quoted(parameter)}",
                did_you_mean(parameter, [str(v) for v in known.variables], what="parameters")
                or "declare it in configuration",
            )


def _check_provider(said: Findings, at: FieldPath, provider: Any, known: Known) -> None:
    if not provider:
        said.add(at, "is missing", "provider: {type: python, …}")
        return
    if not isinstance(provider, dict):
        said.add(at, f"{shown(provider)} is no provider", "provider: {type: python, …}")
        return
    kind = provider.get("type")
    _check_type(said, at, kind, PROVIDERS, what="provider")
    if kind not in PROVIDERS:
        return
    for name in _NEEDS[kind]:
        value = provider.get(name)
        if not value:
            said.add((*at, name), "is missing", f"add {name}")
        elif not isinstance(value, str):
            said.add((*at, name), f"{shown(value)} is no text", f"put quotes around the {name}")
    if kind == "python":
        _check_python(said, at, provider)
    elif kind == "http":
        _check_http(said, at, provider, known)
    else:
        _check_process(said, at, provider)


def _check_python(said: Findings, at: FieldPath, provider: Mapping[str, Any]) -> None:
    arguments = provider.get("arguments", {})
    if not isinstance(arguments, dict):
        said.add(
            (*at, "arguments"),
            f"{shown(arguments)} are no arguments",
            "write arguments: {name: value}, or leave it out",
        )
    else:
        for name in arguments:
            if not isinstance(name, str):
                said.add(
                    (*at, "arguments", name),
                    f"{shown(name)} is no name of an argument",
                    "put quotes around it",
                )
    if isinstance(provider.get("module"), str) and provider["module"].startswith("."):
        said.add(
            (*at, "module"),
            f"{quoted(provider['module'])} is no module's full name",
            "write it without the dot in front",
        )


def _check_url(said: Findings, at: FieldPath, url: str, known: Known) -> None:
    named = _PARAMETER.findall(url)
    if any(name in known.variables for name in named):
        return  # its values make it one, or not
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and not named
    except ValueError:
        is_url = False
    if not is_url:
        said.add(
            at, f"{quoted(url)} is no URL", "write it whole, as in https://shop.example/health"
        )


def _is_timeout(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) == 2 and all(v is None or _is_timeout(v) for v in value)
    return is_number(value) and not isinstance(value, bool) and value > 0


def _check_http(said: Findings, at: FieldPath, provider: Mapping[str, Any], known: Known) -> None:
    if isinstance(provider.get("url"), str):
        _check_url(said, (*at, "url"), provider["url"], known)
    if not isinstance(provider.get("method", "GET"), str):
        said.add((*at, "method"), f"{shown(provider['method'])} is no method", "method: POST")
    headers = provider.get("headers")
    if headers and not isinstance(headers, dict):
        said.add((*at, "headers"), f"{shown(headers)} are no headers", "headers: {name: value}")
    else:
        for name, value in (headers or {}).items():
            if not isinstance(name, str) or not isinstance(value, str | None):
                said.add(
                    (*at, "headers", name), f"{shown(value)} is no text", "put quotes around it"
                )
    timeout = provider.get("timeout")
    if timeout is not None and variable(timeout) is None and not _is_timeout(timeout):
        said.add((*at, "timeout"), f"{shown(timeout)} is no number of seconds", "timeout: 10")
    arguments = provider.get("arguments")
    is_json = isinstance(headers, dict) and headers.get("Content-Type") == "application/json"
    goes_as_json = is_json and str(provider.get("method", "GET")).upper() != "GET"
    if arguments and not isinstance(arguments, dict | str) and not goes_as_json:
        said.add(
            (*at, "arguments"), f"{shown(arguments)} are no arguments", "arguments: {name: value}"
        )


def _check_process(said: Findings, at: FieldPath, provider: Mapping[str, Any]) -> None:
    arguments = provider.get("arguments", [])
    if not isinstance(arguments, list | dict | str):
        said.add(
            (*at, "arguments"),
            f"{shown(arguments)} are no arguments",
            "write a list: arguments: [--name, value]",
        )
    timeout = provider.get("timeout")
    if timeout is not None and not is_number(timeout):
        said.add((*at, "timeout"), f"{shown(timeout)} is no number of seconds", "timeout: 10")
