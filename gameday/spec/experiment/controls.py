"""An experiment's controls, as Chaos Toolkit takes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gameday.names import did_you_mean
from gameday.spec.experiment.findings import Findings, shown
from gameday.spec.tree import FieldPath, quoted

_SCOPES = ("before", "after")
_EXAMPLE = "{name: safeguard, provider: {type: python, module: my.control}}"


def check_controls(said: Findings, experiment: Mapping[str, Any]) -> None:
    """Note why Chaos Toolkit would not take the controls of an experiment and of its parts."""
    lists = list(_lists(experiment))
    names = [
        control["name"]
        for _, controls in lists
        if isinstance(controls, list)
        for control in controls
        if isinstance(control, dict) and "ref" not in control and "name" in control
    ]
    for at, controls in lists:
        if isinstance(controls, list):
            for number, control in enumerate(controls):
                _check_control(said, (*at, number), control, names)
        elif controls not in ("", {}):  # nothing to go through, and so nothing to object to
            said.add(at, f"{shown(controls)} is no list of controls", f"write '- {_EXAMPLE}'")


def named_controls(experiment: Mapping[str, Any]) -> list[str]:
    """Return the names of all controls in an experiment, in their order, each once."""
    found = (
        str(control["name"])
        for _, controls in _lists(experiment)
        for control in (controls if isinstance(controls, list) else ())
    )
    return list(dict.fromkeys(found))


def _lists(experiment: Mapping[str, Any]) -> Iterator[tuple[FieldPath, Any]]:
    """Yield all that stands under ``controls``, wherever it may, with its path."""
    yield ("controls",), experiment.get("controls", [])
    hypothesis = experiment.get("steady-state-hypothesis", {})
    probes: Any = ()
    if isinstance(hypothesis, dict):
        yield ("steady-state-hypothesis", "controls"), hypothesis.get("controls", [])
        probes = hypothesis.get("probes", ())
    sections: tuple[tuple[FieldPath, Any], ...] = (
        (("steady-state-hypothesis", "probes"), probes),
        (("method",), experiment.get("method")),
        (("rollbacks",), experiment.get("rollbacks")),
    )
    for at, activities in sections:
        for number, activity in enumerate(activities if isinstance(activities, list) else ()):
            if isinstance(activity, dict):
                yield (*at, number, "controls"), activity.get("controls", [])


def _check_control(said: Findings, at: FieldPath, control: Any, names: list[Any]) -> None:
    if not isinstance(control, dict):
        said.add(at, f"{shown(control)} is no control", f"write {_EXAMPLE}")
        return
    if "ref" in control and control["ref"] not in names:
        ours = [n for n in names if isinstance(n, str)]
        said.add(
            (*at, "ref"),
            f"there is no control {shown(control['ref'])}",
            did_you_mean(str(control["ref"]), ours, what="controls") if ours else "declare it",
        )
    for name in ("name", "provider"):
        if name not in control:
            said.add((*at, name), "is missing", f"write {_EXAMPLE}")
    scope = control.get("scope")
    if scope and scope not in _SCOPES:
        hint = did_you_mean(str(scope), _SCOPES, what="one of")
        said.add((*at, "scope"), f"{quoted(scope)} is no scope", hint)
    provider = control.get("provider", {})
    if not isinstance(provider, dict):
        said.add((*at, "provider"), f"{shown(provider)} is no provider", f"write {_EXAMPLE}")
    elif provider and "type" not in provider and control.get("name"):
        said.add((*at, "provider", "type"), "is missing", f"write {_EXAMPLE}")
    elif provider.get("type") == "python":
        module = provider.get("module")
        if not module:
            said.add((*at, "provider", "module"), "is missing", "name the Python module")
        elif not isinstance(module, str) or module.startswith("."):
            said.add(
                (*at, "provider", "module"),
                f"{shown(module)} is no module's full name",
                "write it as in `import my.control`",
            )
