"""``gameday faults``: what can be broken, where, and what takes it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from gameday.cli.output import print_json, print_table

if TYPE_CHECKING:
    from gameday.chaos.declaration import DeclaredFault


def faults(
    name: str | None = typer.Argument(None, help="One fault; all of them where it is left out."),
    experiment: bool = typer.Option(
        False, "--experiment", help="Print the fault's Chaos Toolkit experiment."
    ),
    page: bool = typer.Option(False, "--page", help="Print the page of all faults, in Markdown."),
    json: bool = typer.Option(False, "--json", help="Print what is declared as JSON."),
) -> None:
    """List the faults: where each acts, its parameters, what takes it back."""
    from gameday.chaos.experiment_file import experiment_file
    from gameday.chaos.page import page as page_of
    from gameday.chaos.registry import known
    from gameday.chaos.shipped import shipped
    from gameday.errors import UsageError

    if experiment and name is None:
        raise UsageError("say of which fault: gameday faults NAME --experiment")
    if name is None:
        shown = shipped(known())
        if page:
            print(page_of(shown), end="")
        elif json:
            print_json([_as_json(fault) for fault in shown])
        else:
            print_table(
                ("fault", "what happens", "acts on", "its recovery"),
                [(f.name, f.title, f.acts_on, f.undo) for f in shown],
                empty="no faults",
            )
        return
    [fault] = shipped([known().named(name)])
    if experiment:
        print(experiment_file(fault), end="")
    elif json:
        print_json(_as_json(fault))
    elif page:
        print(page_of([fault]), end="")
    else:
        _tell(fault)


def _tell(fault: DeclaredFault) -> None:
    from gameday.chaos.experiment_file import explained
    from gameday.chaos.page import counted_by, default_of, ends_by_itself, marked_by

    print(f"{fault.name}: {fault.title}\n\n{fault.description}\n")
    print(f"acts on: {fault.acts_on}")
    print(f"its recovery {fault.undo}")
    print(f"ends by itself: {ends_by_itself(fault).replace('`', '')}")
    print(f"bears its mark: {marked_by(fault).replace('`', '')}")
    print(f"{counted_by(fault)}\n")
    print_table(
        ("parameter", "type", "default", "meaning"),
        [(p.name, p.type.name, default_of(p), explained(p)) for p in fault.parameters],
        empty="it takes no parameters",
    )


def _as_json(fault: DeclaredFault) -> dict[str, Any]:
    from gameday.chaos.declaration import Nothing, Objects, Toxics
    from gameday.chaos.page import marked_by
    from gameday.chaos.parameters import FromEnvironment, OfSystem

    marks: list[str] = []
    if isinstance(fault.marks, Objects):
        marks = list(fault.marks.resources)
    elif not isinstance(fault.marks, Nothing):
        marks = ["toxics" if isinstance(fault.marks, Toxics) else "records"]
    return {
        "name": fault.name,
        "title": fault.title,
        "description": fault.description,
        "acts_on": str(fault.acts_on),
        "action": ".".join(fault.named(fault.inject)),
        "parameters": [
            {
                "name": p.name,
                "type": p.type.name,
                "choices": list(p.type.choices),
                "unit": p.unit,
                "default": p.default.to_json()
                if isinstance(p.default, FromEnvironment | OfSystem)
                else p.default,
                "meaning": p.meaning,
            }
            for p in fault.parameters
        ],
        "undo": fault.undo,
        "has_recovery": not isinstance(fault.recover, Nothing),
        "is_counted": not isinstance(fault.touches, Nothing),
        "marks": marks,
        "marked_by": marked_by(fault).replace("`", ""),
        "rights": [
            {"resource": r.resource, "verbs": list(r.verbs), "everywhere": r.everywhere}
            for r in (fault.rights if isinstance(fault.rights, tuple) else ())
        ],
        "elsewhere": {str(place): text for place, text in fault.elsewhere.items()},
    }
