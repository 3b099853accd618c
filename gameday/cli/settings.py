"""``gameday settings``: what is in force, and where each value comes from."""

from __future__ import annotations

import typer

from gameday.cli.output import print_json, print_table, say


def settings(
    json: bool = typer.Option(
        False, "--json", help="Print them as JSON, with what each means and why its default is."
    ),
) -> None:
    """Show every setting in force and where it comes from; secrets are covered.

    The environment (GAMEDAY_…) wins over gameday.toml, which is looked for in the working directory
    and above it up to the top of the repository. GAMEDAY_SETTINGS_FILE names another file.
    """
    from gameday.settings import find
    from gameday.settings.shown import notes, rows

    found = find()
    shown = list(rows(found))
    if json:
        print_json(
            {
                "file": str(found.file.path) if found.file.path else None,
                "settings": [row.to_json() for row in shown],
                "unknown": [{"variable": v, "hint": h} for v, h in found.unknown.items()],
            }
        )
    else:
        print_table(
            ("setting", "variable", "value", "from"),
            [(row.name, row.variable, row.value, row.origin) for row in shown],
            empty="",
        )
        if found.file.path is None:
            say("no gameday.toml was found from here on upwards; docs/settings.md shows one")
    for note in notes(found):
        say(note)
