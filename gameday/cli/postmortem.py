"""``gameday postmortem``: what people write of an incident, read before others read it."""

from __future__ import annotations

from pathlib import Path

import typer

from gameday.cli.output import counted, print_json, say
from gameday.legible import legible

app = typer.Typer(
    help="Postmortems: what they lack, and what in them accuses people.", no_args_is_help=True
)


@app.callback()
def _postmortem() -> None:
    """Keep `check` a command of its own while it is the only one."""


@app.command()
def check(
    files: list[Path] = typer.Argument(metavar="FILE...", help="Postmortems in Markdown."),
    json: bool = typer.Option(False, "--json", help="Print gaps and accusations as JSON."),
) -> int:
    """Say what a postmortem lacks, and which sentences accuse people.

    Each accusation comes with its reason and a wording to use instead.

    Exit codes: 0 whole and blameless, 1 a gap or an accusation, 2 a file cannot be read.
    """
    from gameday.learning.accusation import accusations_in
    from gameday.learning.gaps import gaps_in
    from gameday.spec.document import read_text

    texts = {path: read_text(path) for path in files}
    gaps = {path: gaps_in(text) for path, text in texts.items()}
    accusations = {path: accusations_in(text) for path, text in texts.items()}
    lacking = sum(map(len, gaps.values()))
    accusing = sum(map(len, accusations.values()))
    code = 1 if lacking or accusing else 0
    if json:
        print_json(
            [
                {
                    "file": str(path),
                    "gaps": [{"line": g.line, "part": g.part, "what": g.what} for g in gaps[path]],
                    "accusations": [
                        {
                            "line": a.sentence.line,
                            "kind": a.kind,
                            "sentence": a.sentence.words,
                            "said": a.said,
                            "why": a.why,
                            "instead": a.instead,
                        }
                        for a in accusations[path]
                    ],
                }
                for path in files
            ]
        )
        return code
    for path in files:
        for gap in gaps[path]:
            print(legible(f"{path}:{gap.line}: {gap.part}: {gap.what}"))
        for accusation in accusations[path]:
            where = f"{path}:{accusation.sentence.line}"
            print(legible(f"{where}: “{accusation.said}” accuses: {accusation.why}"))
            print(legible(f"    in: {accusation.sentence.words}"))
            print(f"    instead: {accusation.instead}")
    say(
        f"{counted(len(files), 'postmortem')}, {counted(lacking, 'gap')},"
        f" {counted(accusing, 'accusation')}"
    )
    return code
