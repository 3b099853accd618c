"""An experiment as a whole, as Chaos Toolkit takes it: `ensure_experiment_is_valid` and beyond.

Chaos Toolkit tells an empty ``rollbacks:`` from none by falling over it. What makes it fall over
is refused here in words. Source: chaoslib 1.44, `experiment`, `caching`, `configuration`,
`secret`, `extension`, `hypothesis`, `deprecation`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any

from gameday.errors import Problem
from gameday.names import did_you_mean
from gameday.spec.document import Document, not_a_mapping
from gameday.spec.experiment.activity import Known, check_activity
from gameday.spec.experiment.controls import check_controls
from gameday.spec.experiment.findings import Findings, shown
from gameday.spec.experiment.tolerance import check_tolerance
from gameday.spec.tree import FieldPath, quoted

HYPOTHESIS = "steady-state-hypothesis"
ENVIRONMENT_TYPES = ("str", "string", "int", "integer", "float", "number", "bytes", "bool", "json")
_ACTIVITIES = "write '- type: …' below it, or []"


def form_problems(document: Document) -> list[Problem]:
    """Return why Chaos Toolkit would not take an experiment, wherever it is played."""
    data = document.data
    if not isinstance(data, dict):
        return [*document.problems, not_a_mapping(document)]
    said = Findings(document)
    for name in ("title", "description"):
        if not data.get(name):
            said.add((name,), "is missing", f"add {name}")
    known = _known(data)
    _check_tags(said, data.get("tags"))
    _check_extensions(said, data.get("extensions"), known)
    _check_configuration(said, data.get("configuration", {}))
    _check_secrets(said, data.get("secrets", {}))
    _check_hypothesis(said, data, known)
    method = data.get("method")
    if "method" not in data:
        said.add(("method",), "is missing", "add method")
    elif not isinstance(method, list):
        said.add(("method",), f"{shown(method)} is no list of activities", _ACTIVITIES)
    else:
        for number, activity in enumerate(method):
            check_activity(said, ("method", number), activity, known)
    _check_rollbacks(said, data.get("rollbacks", []), known)
    _check_names(said, data)
    check_controls(said, data)
    said.problems += [
        document.problem(path, "holds one half of a character", "write the character itself")
        for path in _halves(data)
    ]
    return [*document.problems, *said.problems]


def _known(data: Mapping[str, Any]) -> Known:
    """Return what activities may refer to: those of the method, then those of the hypothesis."""
    named = {
        activity["name"]: activity
        for _, activity in _referable(data)
        if activity.get("name") and isinstance(activity["name"], Hashable)
    }
    variables: set[Any] = set()
    configuration, secrets = data.get("configuration"), data.get("secrets")
    variables.update(configuration if isinstance(configuration, dict) else ())
    for group in secrets.values() if isinstance(secrets, dict) else ():
        variables.update(group if isinstance(group, dict) else ())
    return Known(named, frozenset(variables))


def _referable(data: Mapping[str, Any]) -> Iterator[tuple[FieldPath, Mapping[str, Any]]]:
    hypothesis = data.get(HYPOTHESIS)
    probes = hypothesis.get("probes") if isinstance(hypothesis, dict) else None
    sections: tuple[tuple[FieldPath, Any], ...] = (
        (("method",), data.get("method")),
        ((HYPOTHESIS, "probes"), probes),
    )
    for at, activities in sections:
        for number, activity in enumerate(activities if isinstance(activities, list) else ()):
            if isinstance(activity, dict):
                yield (*at, number), activity


def _check_names(said: Findings, data: Mapping[str, Any]) -> None:
    for at, activity in _referable(data):
        if not isinstance(activity.get("name"), Hashable):
            said.add((*at, "name"), f"{shown(activity['name'])} is no name", "write it as text")


def _check_tags(said: Findings, tags: Any) -> None:
    if not tags or isinstance(tags, str):
        return
    if not isinstance(tags, list | dict):
        said.add(("tags",), f"{shown(tags)} is no list of tags", "tags: [one, other]")
        return
    for number, tag in enumerate(tags):
        if not isinstance(tag, str) or not tag:
            said.add(("tags", number), f"{shown(tag)} is no tag", "put quotes around it")


def _check_extensions(said: Findings, extensions: Any, known: Known) -> None:
    if not extensions:
        return
    if not isinstance(extensions, list):
        said.add(
            ("extensions",), f"{shown(extensions)} is no list of extensions", "- name: my-extension"
        )
        return
    for number, extension in enumerate(extensions):
        at: FieldPath = ("extensions", number)
        name = extension.get("name") if isinstance(extension, dict) else None
        if not isinstance(extension, dict):
            said.add(at, f"{shown(extension)} is no extension", "write '- name: my-extension'")
        elif not isinstance(name, str) or not name.strip():
            message = f"{shown(name)} is no name" if name else "is missing"
            said.add((*at, "name"), message, "name the extension")
        elif name == "gameday" and extension.get("present") is not None:
            check_activity(said, (*at, "present"), extension["present"], known)


def _check_configuration(said: Findings, configuration: Any) -> None:
    if not isinstance(configuration, dict):
        said.add(
            ("configuration",),
            "must be a mapping of parameters",
            "write 'name: value' below it, or leave it out",
        )
        return
    for name, value in configuration.items():
        at: FieldPath = ("configuration", name)
        if not isinstance(value, dict):
            continue
        if value.get("type") == "env":
            _check_variable(said, at, value)
            kind = value.get("env_var_type")
            if kind is not None and kind not in ENVIRONMENT_TYPES:
                hint = did_you_mean(str(kind), ENVIRONMENT_TYPES, what="one of")
                said.add((*at, "env_var_type"), f"{quoted(kind)} is no type of variable", hint)
        elif value.get("type") == "probe":
            provider = value.get("provider")
            if not isinstance(provider, dict) or "type" not in provider:
                said.add(
                    (*at, "provider"),
                    "is missing, or has no type: no probe can be asked for the value",
                    "provider: {type: python, …}",
                )


def _check_variable(said: Findings, at: FieldPath, value: Mapping[str, Any]) -> None:
    key = value.get("key")
    if not isinstance(key, str):
        message = f"{shown(key)} is no name of a variable" if "key" in value else "is missing"
        said.add((*at, "key"), message, "name the environment's variable")


def _check_secrets(said: Findings, secrets: Any) -> None:
    if not isinstance(secrets, dict):
        said.add(
            ("secrets",),
            "must be a mapping of groups of secrets",
            "write 'group: {name: …}' below it, or leave it out",
        )
        return
    for name, group in secrets.items():
        if isinstance(group, dict):
            _check_group(said, ("secrets", name), group)
        else:
            said.add(
                ("secrets", name), f"{shown(group)} is no group of secrets", f"{name}: {{name: …}}"
            )


def _check_group(said: Findings, at: FieldPath, group: Mapping[Any, Any]) -> None:
    if group.get("type") == "env":
        _check_variable(said, at, group)
    elif group.get("type") != "vault":
        for name, value in group.items():
            if isinstance(value, dict):
                _check_group(said, (*at, name), value)


def _check_hypothesis(said: Findings, data: Mapping[str, Any], known: Known) -> None:
    if HYPOTHESIS not in data:
        return
    hypothesis = data[HYPOTHESIS]
    at: FieldPath = (HYPOTHESIS,)
    if not isinstance(hypothesis, dict):
        said.add(at, "must be a mapping", "write title and probes below it, or leave it out")
        return
    if not hypothesis.get("title"):
        said.add((*at, "title"), "is missing", "say what holds while all is well")
    probes = hypothesis.get("probes", [])
    at = (*at, "probes")
    if not isinstance(probes, list):
        said.add(at, f"{shown(probes)} is no list of activities", _ACTIVITIES)
        return
    for number, probe in enumerate(probes):
        check_activity(said, (*at, number), probe, known)
        if not isinstance(probe, dict) or not probe:
            continue
        if "tolerance" not in probe:
            hint = "say what it must return, as in tolerance: true"
            said.add((*at, number, "tolerance"), "is missing", hint)
        else:
            check_tolerance(
                said,
                (*at, number, "tolerance"),
                probe["tolerance"],
                known,
                provider=_provider(probe, known),
            )


def _provider(probe: Mapping[str, Any], known: Known) -> str:
    """Return the kind of a probe's provider, of one it refers to where it does."""
    name = probe.get("ref")
    meant = known.activities.get(name, probe) if isinstance(name, str) else probe
    provider = meant.get("provider")
    return str(provider.get("type")) if isinstance(provider, dict) else ""


def _check_rollbacks(said: Findings, rollbacks: Any, known: Known) -> None:
    if rollbacks in ("", {}):  # nothing to go through, and so nothing to object to
        return
    if not isinstance(rollbacks, list):
        said.add(("rollbacks",), f"{shown(rollbacks)} is no list of activities", _ACTIVITIES)
        return
    for number, activity in enumerate(rollbacks):
        check_activity(said, ("rollbacks", number), activity, known)


def _halves(value: Any, path: FieldPath = ()) -> Iterator[FieldPath]:
    """Yield where a text holds half of a character, which YAML's ``\\ud83d`` writes."""
    if isinstance(value, str):
        if any("\ud800" <= c <= "\udfff" for c in value):
            yield path
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from _halves(key, (*path, str(key)))
            yield from _halves(entry, (*path, key))
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            yield from _halves(entry, (*path, number))
