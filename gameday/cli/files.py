"""``gameday validate`` and ``gameday schema``: files before anything runs."""

from __future__ import annotations

from pathlib import Path

import typer

from gameday.cli.output import counted, print_json, say


def validate(
    paths: list[Path] = typer.Argument(
        help="Files or folders: scenarios, systems, programmes, OpenSLO documents, runbooks,"
        " experiments."
    ),
    json: bool = typer.Option(False, "--json", help="Print the problems as JSON."),
) -> int:
    """Check files and print every problem with file, line, field and what to write instead."""
    from dataclasses import asdict

    from gameday.spec import absent_here, validate_file

    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files += sorted(
                p for p in path.rglob("*") if p.suffix in {".yaml", ".yml", ".md", ".json"}
            )
        else:
            files.append(path)
    problems = [p for f in files for p in validate_file(f)]
    if json:
        print_json({"files": len(files), "problems": [asdict(p) for p in problems]})
    else:
        for problem in problems:
            print(problem)
        for absence in (a for f in files if f.suffix != ".md" for a in absent_here(f)):
            say(f"notice: {absence}")
        say(f"{counted(len(files), 'file')}, {counted(len(problems), 'problem')}")
    return 2 if problems else 0


def schema(
    kind: str = typer.Argument(help="scenario, system, programme, runbook, result, plan or task"),
) -> None:
    """Print the JSON Schema of a kind of file, or of what `run` and `plan` print as JSON."""
    from gameday.spec import schema as schema_of

    print_json(schema_of(kind))
