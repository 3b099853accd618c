"""What an experiment declares, and what gameday makes of it.

The child imports this too, and nothing that takes long: every import delays its fault.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Hashable, Mapping
from datetime import timedelta
from typing import Any

Experiment = dict[str, Any]

NAMES = ("toxic_name", "change_name", "mark")
"""Parameters that, where an experiment declares them, are given the undo's id."""


def read(path: str) -> Experiment:
    """Return the experiment in a YAML or JSON file, as Chaos Toolkit reads it.

    Raises:
        UsageError: there is no such file, or Chaos Toolkit would not take what it holds.
    """
    from gameday.errors import SpecError, UsageError
    from gameday.spec.experiment import experiment_document, experiment_problems

    try:
        document = experiment_document(path)
        problems = experiment_problems(document)
    except SpecError as error:
        raise UsageError(str(error)) from error
    if problems:
        raise UsageError(str(SpecError(problems)))
    experiment: Experiment = document.data
    return experiment


def carried(experiment: Mapping[str, Any]) -> dict[str, Any]:
    """Return an experiment as JSON can carry it: ``{"experiment": …}``, exactly where it can.

    A date, bytes, or a key that is no text is no JSON. Who only looks finds text in its place;
    beside it stands ``exact``, the whole as YAML, for an action has to get what was written.
    """
    try:
        if json.loads(json.dumps(experiment)) == experiment:
            return {"experiment": experiment}
    except (TypeError, ValueError):
        pass
    import yaml

    exact: str = yaml.safe_dump(dict(experiment), allow_unicode=True, sort_keys=False)
    return {"experiment": _as_json(experiment), "exact": exact}


def uncarried(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the experiment that `carried` made this of."""
    exact = data.get("exact")
    if not exact:
        return dict(data["experiment"])
    import yaml

    return dict(yaml.safe_load(exact))


def _as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _as_json(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_as_json(entry) for entry in value]
    is_json = value is None or isinstance(value, bool | int | str)
    return value if is_json or (isinstance(value, float) and value == value) else str(value)


def declared(experiment: Experiment) -> Mapping[str, Any]:
    """Return the parameters an experiment declares, with its own values."""
    configuration = experiment.get("configuration")
    return configuration if isinstance(configuration, dict) else {}


def parameters(
    experiment: Experiment,
    given: Mapping[str, Any],
    *,
    undo: str,
    duration: timedelta,
    addresses: Mapping[str, str | None],
) -> dict[str, Any]:
    """Return the values to play an experiment with: only of parameters it declares.

    Args:
        given: by the scenario; what the experiment does not declare is left out.
        undo: id of the undo; the name of everything the fault adds.
        duration: handed on as a time to live, for targets that can end a fault by themselves.
        addresses: of the target's control APIs and cluster, used where nothing else is given.
    """
    ours: dict[str, Any] = {
        **{key: url for key, url in addresses.items() if url and not given.get(key)},
        **dict.fromkeys(NAMES, undo),
        "ttl_s": duration.total_seconds(),
        "hold": 0,  # the conductor holds the fault
    }
    return {k: v for k, v in {**given, **ours}.items() if k in declared(experiment)}


def present_probe(experiment: Experiment) -> dict[str, Any] | None:
    """Return the probe that tells whether the fault is in place, from gameday's extension block.

    ``extensions: [{name: gameday, present: {type: probe, …}}]``: true means it still is.
    """
    probe = _own_block(experiment).get("present")
    return probe if isinstance(probe, dict) else None


def works_from_start(experiment: Experiment) -> bool:
    """Return whether the fault hurts from the beginning of its first action on.

    ``extensions: [{name: gameday, injected: at-start}]``. Else it is in place when its last action
    has ended, which for one that takes half a minute is long after the first page.
    """
    return _own_block(experiment).get("injected") == "at-start"


def _own_block(experiment: Experiment) -> Mapping[str, Any]:
    for block in experiment.get("extensions") or ():
        if isinstance(block, dict) and block.get("name") == "gameday":
            return block
    return {}


def is_toxics_only(experiment: Experiment) -> bool:
    """Return whether all the experiment does is add toxics that carry the fault's name.

    An action of ours that takes ``toxic_name`` adds such toxics and nothing else: no fault that
    marks otherwise is registered with a parameter of this name.
    """
    providers = [
        activity.get("provider") or {}
        for activity in experiment["method"]
        if isinstance(activity, dict) and activity.get("type") == "action"
    ]
    return (
        "toxic_name" in declared(experiment) and bool(providers) and all(map(_is_toxic, providers))
    )


def _is_toxic(provider: Mapping[str, Any]) -> bool:
    arguments = provider.get("arguments")
    return (
        str(provider.get("module", "")).startswith("gameday.chaos.")
        and isinstance(arguments, Mapping)
        and arguments.get("toxic_name") == "${toxic_name}"
    )


def has_hypothesis(experiment: Experiment) -> bool:
    """Return whether the experiment has a steady-state hypothesis with a probe."""
    hypothesis = experiment.get("steady-state-hypothesis")
    return isinstance(hypothesis, dict) and bool(hypothesis.get("probes"))


def with_values(experiment: Experiment, configuration: Mapping[str, Any]) -> Experiment:
    """Return a copy in which the parameters have these values and references are resolved.

    Values are written into the experiment, and not handed to chaoslib apart: its validation
    would otherwise miss an environment variable that the value makes unnecessary.
    """
    played = copy.deepcopy(experiment)
    if configuration:
        played["configuration"] = {**declared(played), **configuration}
    hypothesis = played.get("steady-state-hypothesis") or {}
    found = (hypothesis.get("probes"), played.get("method"), played.get("rollbacks"))
    sections: list[list[Any]] = [section for section in found if section]
    # As Chaos Toolkit looks them up: of the method first, a probe of the hypothesis before it.
    # What only a rollback is called can be found in undos of earlier versions.
    named = {
        a["name"]: a
        for section in (found[2], found[1], found[0])
        for a in section or ()
        if isinstance(a, dict) and a.get("name") and isinstance(a["name"], Hashable)
    }
    for section in sections:
        for index, activity in enumerate(section):
            if isinstance(activity, dict) and activity.get("ref") in named:
                meant = copy.deepcopy(named[activity["ref"]])
                # What its value is held against, a probe says where it is referred to.
                held = {k: v for k, v in activity.items() if k == "tolerance"}
                section[index] = {**meant, **held} if section is found[0] else meant
    for activity in (a for section in sections for a in section if isinstance(a, dict)):
        if activity.get("pauses", {}) is None:
            del activity["pauses"]  # Chaos Toolkit takes it, and falls over it while it plays
    return played


def to_inject(experiment: Experiment) -> Experiment:
    """Return what puts the fault in place: hypothesis and method, without the pause that holds it.

    Pauses between actions are part of the fault; from the last action on they only hold it.
    """
    played = copy.deepcopy(experiment)
    method = played["method"]
    last = max((i for i, a in enumerate(method) if a.get("type") == "action"), default=0)
    for index in range(last, len(method)):
        pauses = dict(method[index].get("pauses") or {})
        pauses.pop("after", None)
        if index > last:
            pauses.pop("before", None)
        method[index]["pauses"] = pauses
    return played


def to_recover(experiment: Experiment) -> Experiment:
    """Return what takes the fault back: the rollbacks alone."""
    played = copy.deepcopy(experiment)
    played["method"] = []
    played.pop("steady-state-hypothesis", None)
    return played


def to_check(experiment: Experiment) -> Experiment:
    """Return what tells whether the fault is there: one probe, or the hypothesis."""
    played = copy.deepcopy(experiment)
    played["method"] = []
    played["rollbacks"] = []
    probe = present_probe(experiment)
    if probe is not None:
        played["steady-state-hypothesis"] = {
            "title": "The fault is in place",
            "probes": [{**probe, "tolerance": True}],
        }
    return played
