"""The page of all faults, docs/faults.md, written from what they declare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gameday.chaos.completeness import PARTS
from gameday.chaos.declaration import (
    ActsOn,
    DeclaredFault,
    Hypothesis,
    Nothing,
    Objects,
    Records,
    Right,
    Toxics,
)
from gameday.chaos.experiment_file import scalar
from gameday.chaos.parameters import OF_SYSTEM, FromEnvironment, Parameter

HEAD = """\
# Faults

<!-- Written by `make faults` from gameday/chaos/faults; a test keeps it up to date. -->

A scenario names a fault's experiment and gives values to its parameters; `chaos run` plays the \
experiment alone.
`gameday faults` lists what is here, with those that installed packages bring; \
`gameday faults NAME` tells one.

gameday itself gives each fault its mark (`mark`, `toxic_name`, `change_name`), where its target \
is (`context`, `kubeconfig`, `control_url`, `toxiproxy_url`), `hold: 0`, and its `duration` as \
`ttl_s`.
It gives the scenario's `regions`, a single one also as `region`, and `blastRadius.pods` as \
`at_most`, where `with:` says nothing else.
A value that a parameter cannot have is refused before anything is injected.

No fault knows a name of any system: services, workloads, namespaces and regions below are those \
of the shop that comes along, on which the shipped experiments are played as they stand.
"""

OWN = """\
## A fault of your own

One file is one fault: `gameday/chaos/faults/NAME.py`, with its actions and probes, and `FAULT`, \
which declares all of it.
`make faults` then writes `experiments/NAME.yaml` and this page.
A package of yours brings a fault through an entry point:

```toml
[project.entry-points."gameday.faults"]
slow-disk = "our_faults.slow_disk:FAULT"
```

What only the system tells has the default `OF_SYSTEM`: it is left to whoever writes the experiment.
A fault that leaves out a part is refused when it is registered, with the part and what to write:
"""

END = """\
A part that it has not got is `Nothing("…")` with the reason, and stands in this page.
Any experiment of yours that names other actions is played as Chaos Toolkit plays it; the plan \
says that nobody counts how far it reaches.
"""

PLACES = {ActsOn.PROXY: "a proxy", ActsOn.SANDBOX: "the sandbox", ActsOn.CLUSTER: "a cluster"}


def page(faults: Iterable[DeclaredFault]) -> str:
    """Return the page, in Markdown."""
    known = list(faults)
    rows = [
        (
            f"[`{fault.name}`](#{fault.name})",
            fault.title,
            PLACES[fault.acts_on],
            fault.undo,
            ends_by_itself(fault),
        )
        for fault in known
    ]
    head = ("fault", "what happens", "acts on", "its recovery", "ends by itself")
    chapters = ["\n".join(_chapter(fault)) for fault in known]
    parts = [(f"`{name}`", what, f"`{write}`") for name, (what, write) in PARTS.items()]
    return "\n".join(
        [
            HEAD,
            *_table(head, rows),
            "",
            *chapters,
            OWN,
            *_table(("part", "what it is", "what to write"), parts),
            "",
            END.rstrip(),
            "",
        ]
    )


def ends_by_itself(fault: DeclaredFault) -> str:
    """Return whether the target ends the fault without gameday, and when."""
    if isinstance(fault.recover, Nothing):
        return "at once"
    if fault.parameter("ttl_s") is None:
        return "no"
    return "after `ttl_s`, in gameday's proxy" if fault.acts_on is ActsOn.PROXY else "after `ttl_s`"


def marked_by(fault: DeclaredFault) -> str:
    """Return what bears the fault's mark, as the end of a sentence."""
    match fault.marks:
        case Toxics():
            return "toxics of its name on the proxies"
        case Objects(fault=label, resources=resources):
            return f"{_listed(resources)}, labelled `gameday.dev/fault={label}`"
        case Records():
            return "a record of what was there before, in the sandbox's folder"
        case Nothing(because=because):
            return f"nothing, for {because}"


def counted_by(fault: DeclaredFault) -> str:
    """Return whether its blast radius is counted in pods, as a sentence."""
    if isinstance(fault.touches, Nothing):
        return f"The blast radius is not counted in pods: {fault.touches.because}."
    return "The blast radius is counted in pods, when a run is planned and when it injects."


def default_of(parameter: Parameter) -> str:
    """Return what an experiment starts with, for people; empty where its author has to say."""
    if isinstance(parameter.default, FromEnvironment):
        return f"${parameter.default.key}"
    return "" if parameter.default == OF_SYSTEM else scalar(parameter.default)


def _chapter(fault: DeclaredFault) -> Iterator[str]:
    yield f"## {fault.name}"
    yield ""
    yield f"{fault.title}, on {PLACES[fault.acts_on]}."
    yield fault.description
    yield ""
    if isinstance(fault.steady, Hypothesis):
        yield f"- It goes in where this holds: {fault.steady.title.lower()}."
    yield f"- Its recovery {fault.undo}. What bears its mark: {marked_by(fault)}."
    yield f"- {counted_by(fault)}"
    if fault.works_from_start:
        yield "- It counts from the beginning of its injection on."
    for place, text in fault.elsewhere.items():
        yield f"- Not on {PLACES[place]}: {text}."
    if fault.acts_on is ActsOn.CLUSTER:
        yield f"- Rights: {'; '.join(_right(r) for r in fault.rights)}."
    yield ""
    rows = [
        (f"`{p.name}`", p.type.name, f"{_quoted(default_of(p))}", _meaning(p))
        for p in fault.parameters
    ]
    yield from _table(("parameter", "type", "default", "meaning"), rows)
    yield ""


def _quoted(text: str) -> str:
    return f"`{text}`" if text else ""


def _right(right: Right) -> str:
    where = " everywhere" if right.everywhere else ""
    return f"{', '.join(right.verbs)} `{right.resource}`{where}"


def _meaning(parameter: Parameter) -> str:
    choices = ", ".join(f"`{c}`" for c in parameter.type.choices)
    return "; ".join(filter(None, (choices or parameter.unit, parameter.meaning)))


def _listed(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for row in (head, ("---",) * len(head), *rows):
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
