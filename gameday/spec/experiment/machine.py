"""What an experiment names outside itself: modules, functions, programs, variables.

Chaos Toolkit imports every module an experiment names to find out. A file is judged here before
any code it points at is run: modules are looked for as an import would, functions are read out of
their source. What cannot be told without running it is left to Chaos Toolkit.

A function that a module has not, or that takes other arguments, is wrong wherever it is played.
What this machine has not may be there where it is played.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Hashable, Iterator, Mapping
from typing import Any

from gameday.errors import Problem
from gameday.names import did_you_mean
from gameday.spec.document import Document
from gameday.spec.experiment.findings import Findings, shown
from gameday.spec.experiment.functions import Function, Sight, function_named, module_named
from gameday.spec.tree import FieldPath, quoted


def code_problems(document: Document) -> list[Problem]:
    """Return which functions are not what an experiment takes them for; its form is right already.

    Of modules that this machine has not, nothing is said.
    """
    said = Findings(document)
    for at, activity in _activities(document.data):
        check_code(said, at, activity)
    return said.problems


def check_code(said: Findings, at: FieldPath, activity: Mapping[str, Any]) -> None:
    """Note whether the function of an activity is not what it is taken for; its form is right."""
    if activity["provider"]["type"] == "python":
        _check_function(said, (*at, "provider"), activity["provider"])


def absences(document: Document) -> list[Problem]:
    """Return what an experiment needs and this machine has not; its form is right already."""
    said = Findings(document)
    _check_configuration(said, document.data)
    _check_secrets(said, ("secrets",), document.data.get("secrets", {}))
    for at, activity in _activities(document.data):
        provider = activity["provider"]
        if provider["type"] == "process" and not shutil.which(provider["path"]):
            said.add(
                (*at, "provider", "path"),
                f"this machine has no program {quoted(provider['path'])}",
                "install it, or write the full path; '~' is not resolved",
            )
        elif provider["type"] == "python" and module_named(provider["module"]) is Sight.ABSENT:
            said.add(
                (*at, "provider", "module"),
                f"this machine has no Python module {quoted(provider['module'])}",
                "install the package that brings it, or correct the name",
            )
    return said.problems


def _activities(data: Mapping[str, Any]) -> Iterator[tuple[FieldPath, Mapping[str, Any]]]:
    """Yield every activity that is written out, with its path."""
    found: list[tuple[FieldPath, Any]] = []
    probes = data.get("steady-state-hypothesis", {}).get("probes", [])
    for number, probe in enumerate(probes):
        at: FieldPath = ("steady-state-hypothesis", "probes", number)
        found.append((at, probe))
        tolerance = probe["tolerance"]
        if isinstance(tolerance, dict) and tolerance["type"] == "probe":
            found.append(((*at, "tolerance"), tolerance))
    for section in ("method", "rollbacks"):
        found += [((section, n), a) for n, a in enumerate(data.get(section, []))]
    for number, extension in enumerate(data.get("extensions") or ()):
        if extension["name"] == "gameday" and extension.get("present") is not None:
            found.append((("extensions", number, "present"), extension["present"]))
    return ((at, activity) for at, activity in found if activity.get("ref") is None)


def _check_configuration(said: Findings, data: Mapping[str, Any]) -> None:
    from chaoslib import convert_to_type

    for name, value in data.get("configuration", {}).items():
        at: FieldPath = ("configuration", name)
        if not isinstance(value, dict) or value.get("type") != "env":
            continue
        key = value["key"]
        if key not in os.environ and "default" not in value:
            said.add(
                at,
                f"the environment has no variable {quoted(key)}",
                f"set {key}, or add a default",
            )
            continue
        try:
            convert_to_type(value.get("env_var_type"), os.environ.get(key, value.get("default")))
        except Exception as error:  # noqa: BLE001  # whatever it raises, Chaos Toolkit ends by it
            kind = value.get("env_var_type")
            said.add(
                at,
                f"what {quoted(key)} holds is no {kind}: {error}",
                "change the variable, its default, or env_var_type",
            )


def _check_secrets(said: Findings, at: FieldPath, group: Mapping[Any, Any]) -> None:
    if group.get("type") == "env" and len(at) > 1:
        key = group["key"]
        if key not in os.environ:
            said.add(at, f"the environment has no variable {quoted(key)}", f"set {key}")
        return
    if group.get("type") == "vault" and len(at) > 1:
        return
    for name, value in group.items():
        if isinstance(value, dict):
            _check_secrets(said, (*at, name), value)


def _check_function(said: Findings, at: FieldPath, provider: Mapping[str, Any]) -> None:
    name = provider["module"]
    module = module_named(name)
    if isinstance(module, Sight):
        return
    function = function_named(module, provider["func"])
    if function is Sight.HIDDEN:
        return
    if not isinstance(function, Function):
        hint = did_you_mean(provider["func"], module.names, what="functions")
        said.add(
            (*at, "func"),
            f"{quoted(name)} has no function {quoted(provider['func'])}",
            hint if module.names else "correct the name",
        )
        return
    if function.takes_secrets and "secrets" in provider:
        secrets = provider["secrets"]
        if not isinstance(secrets, list | str | dict) or not all(
            isinstance(name, Hashable) for name in secrets
        ):
            said.add((*at, "secrets"), f"{shown(secrets)} is no list of secrets", "secrets: [name]")
    wrong = function.misfit(provider.get("arguments", {}))
    if wrong:
        parameters = ", ".join(function.parameters)
        hint = f"it takes: {parameters}" if parameters else "it takes no arguments"
        said.add((*at, "arguments"), f"{quoted(provider['func'])}: {wrong}", hint)
