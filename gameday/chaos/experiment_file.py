"""The experiment of a fault, as Chaos Toolkit reads it, written from its declaration.

What is shipped under ``experiments/`` is this text, and `chaos run` plays it alone. Parameters are
said in the declaration alone; here they become values with a comment each.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from gameday.chaos.completeness import HOLD
from gameday.chaos.declaration import ADDRESSES, Activity, ActsOn, DeclaredFault, Nothing
from gameday.chaos.parameters import OF_SYSTEM, FromEnvironment, Parameter
from gameday.drafts.blanks import MARK

WIDTH = 100
COMMENT_AT = 28
"""Column in which the meanings of parameters begin, where their values leave room."""

HOLDS = timedelta(seconds=5)
"""How long an experiment that is played alone keeps its fault, where it says nothing else."""

WHERE = {
    ActsOn.PROXY: "",
    ActsOn.SANDBOX: " against the running sandbox",
    ActsOn.CLUSTER: ", in a context and in namespaces that the settings allow,",
}


def experiment_file(fault: DeclaredFault) -> str:
    """Return the experiment of a fault, in YAML."""
    parts = [
        list(_head(fault)),
        list(_configuration(fault)),
        list(_steady(fault)),
        list(_method(fault)),
    ]
    if isinstance(fault.recover, Activity):
        parts.append(["rollbacks:", *_activity("action", fault, fault.recover)])
    own = list(_own_block(fault))
    if own:
        parts.append(own)
    if isinstance(fault.recover, Activity):
        parts.append(["runtime:", "  rollbacks: {strategy: always}"])
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def _head(fault: DeclaredFault) -> Iterator[str]:
    opening = f"{fault.title}. `chaos run experiments/{fault.name}.yaml` plays it alone"
    where = WHERE[fault.acts_on]
    if isinstance(fault.recover, Activity):
        opening += f"{where} and recovers."
    else:
        opening += f"{where.rstrip(',')}. There is nothing to take back: {fault.recover.because}."
    yield from _wrapped(opening, "# ")
    yield from _wrapped(
        f"Written by `gameday faults {fault.name} --experiment` from what the fault declares.", "# "
    )
    yield f"title: {scalar(fault.title)}"
    yield "description: >-"
    yield from _wrapped(fault.description, "  ")
    if fault.tags:
        yield f"tags: {scalar(list(fault.tags))}"
    if fault.contributions:
        yield "contributions:"
        yield from (f"  {name}: {level}" for name, level in fault.contributions.items())


def _configuration(fault: DeclaredFault) -> Iterator[str]:
    addresses = ADDRESSES[fault.acts_on]
    own = [p for p in fault.parameters if p.name not in addresses]
    yield "configuration:"
    yield from (_parameter(p) for p in own)
    if isinstance(fault.recover, Activity):
        held = round(HOLDS.total_seconds())
        yield _commented(f"  {HOLD}: {held}", "seconds; gameday holds the fault itself")
    yield from (_parameter(p) for p in fault.parameters if p.name in addresses)


def _parameter(parameter: Parameter) -> str:
    if parameter.default == OF_SYSTEM:
        return f"  {parameter.name}: {scalar(f'{MARK} {explained(parameter)}')}"
    line = f"  {parameter.name}: {scalar(parameter.default)}"
    return _commented(line, explained(parameter))


def explained(parameter: Parameter) -> str:
    """Return what a parameter means, with its choices or its unit."""
    if parameter.type.choices:
        return f"{' | '.join(parameter.type.choices)}: {parameter.meaning}"
    return "; ".join(filter(None, (parameter.unit, parameter.meaning)))


def _commented(line: str, meaning: str) -> str:
    return f"{line.ljust(COMMENT_AT - 2)}  # {meaning}"


def _steady(fault: DeclaredFault) -> Iterator[str]:
    if isinstance(fault.steady, Nothing):
        yield f"# No steady state: {fault.steady.because}."
        return
    yield "steady-state-hypothesis:"
    yield f"  title: {scalar(fault.steady.title)}"
    yield "  probes:"
    lines = list(_activity("probe", fault, fault.steady.probe))
    tolerant = [*lines[:2], "    tolerance: true", *lines[2:]]
    yield from (f"  {line}" for line in tolerant)


def _method(fault: DeclaredFault) -> Iterator[str]:
    yield "method:"
    yield from _activity("action", fault, fault.inject)
    if isinstance(fault.recover, Activity):
        yield f'    pauses: {{after: "${{{HOLD}}}"}}'
    else:
        yield "    # Until it is over; a game day does not wait."
        yield f"    pauses: {{after: {fault.settles.total_seconds():g}}}"


def _own_block(fault: DeclaredFault) -> Iterator[str]:
    if not isinstance(fault.is_present, Activity) and not fault.works_from_start:
        return
    counts = ", and that it counts from its start on" if fault.works_from_start else ""
    yield f"# Read by gameday: whether the fault is still in place{counts}."
    yield "extensions:"
    yield "  - name: gameday"
    if fault.works_from_start:
        yield "    injected: at-start"
    if isinstance(fault.is_present, Activity):
        yield "    present:"
        lines = _activity("probe", fault, fault.is_present)
        yield from (f"  {line.replace('  - ', '    ', 1)}" for line in lines)


def _activity(kind: str, fault: DeclaredFault, activity: Activity) -> Iterator[str]:
    module, func = fault.named(activity)
    yield f"  - type: {kind}"
    yield f"    name: {scalar(activity.words)}"
    yield "    provider:"
    yield "      type: python"
    yield f"      module: {module}"
    yield f"      func: {func}"
    yield "      arguments:"
    taken = activity.arguments(fault.parameters)
    ordered = [(a, p.name) for p in fault.parameters for a, name in taken.items() if name == p.name]
    yield from (f"        {argument}: ${{{parameter}}}" for argument, parameter in ordered)


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
    )


def scalar(value: Any) -> str:
    """Return a value as it stands in YAML, on one line."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case FromEnvironment():
            return scalar(value.to_json())
        case Mapping():
            return "{" + ", ".join(f"{k}: {scalar(v)}" for k, v in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(scalar(v) for v in value) + "]"
        case str():
            return value if _is_plain(value) else json.dumps(value, ensure_ascii=False)
        case _:
            return json.dumps(value)


def _is_plain(text: str) -> bool:
    import yaml

    try:
        # Within a list or a mapping on one line, which is stricter than a line of its own.
        return bool(yaml.safe_load(f"[{text}]") == [text])
    except yaml.YAMLError:
        return False
