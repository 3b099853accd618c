"""``gameday postmortem``: what people write of an incident, read before others read it."""

from __future__ import annotations

from pathlib import Path

import typer

from gameday.cli.output import counted, print_json, say
from gameday.legible import legible

app = typer.Typer(
    help="Postmortems: what they lack, and what in them blames.", no_args_is_help=True
)


@app.callback()
def _postmortem() -> None:
    """Keep `check` a command of its own while it is the only one."""


@app.command()
def check(
    files: list[Path] = typer.Argument(metavar="FILE...", help="Postmortems in Markdown."),
    json: bool = typer.Option(False, "--json", help="Print the findings as JSON."),
) -> int:
    """Say what a postmortem lacks, and which sentences blame people, with a wording to use instead.

    Exit codes: 0 nothing found, 1 something found, 2 a file cannot be read.
    """
    from gameday.learning.blame import blame_in
    from gameday.learning.gaps import gaps_in
    from gameday.spec.document import read_text

    texts = {path: read_text(path) for path in files}
    gaps = {path: gaps_in(text) for path, text in texts.items()}
    blames = {path: blame_in(text) for path, text in texts.items()}
    count = sum(len(found) for by_file in (gaps, blames) for found in by_file.values())
    if json:
        print_json(
            [
                {
                    "file": str(path),
                    "gaps": [{"line": g.line, "part": g.part, "what": g.what} for g in gaps[path]],
                    "blames": [
                        {
                            "line": b.sentence.line,
                            "kind": b.kind,
                            "sentence": b.sentence.words,
                            "said": b.said,
                            "why": b.why,
                            "instead": b.instead,
                        }
                        for b in blames[path]
                    ],
                }
                for path in files
            ]
        )
        return 1 if count else 0
    for path in files:
        for gap in gaps[path]:
            print(legible(f"{path}:{gap.line}: {gap.part}: {gap.what}"))
        for blame in blames[path]:
            print(legible(f"{path}:{blame.sentence.line}: “{blame.said}” blames: {blame.why}"))
            print(legible(f"    in: {blame.sentence.words}"))
            print(f"    instead: {blame.instead}")
    say(f"{counted(len(files), 'postmortem')}, {counted(count, 'finding')}")
    return 1 if count else 0
