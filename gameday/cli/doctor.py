"""``gameday doctor``: what a game day needs, and what is missing here."""

from __future__ import annotations

import shutil
import sys

import typer

from gameday.cli.output import print_json, print_table

NEEDED = (
    ("prometheus", ("prometheus",), "evaluates the burn-rate alert"),
    ("alertmanager", ("prometheus-alertmanager", "alertmanager"), "sends the page"),
    ("git", ("git",), "the shop's history, blamed by the responder"),
)


def doctor(json: bool = typer.Option(False, "--json", help="Print it as JSON.")) -> int:
    """Say what is there and how to install what is not; exit 6 where something is missing."""
    rows: list[dict[str, object]] = [
        {
            "what": "python",
            "found": sys.version.split()[0],
            "why": "3.11 or newer",
            "ok": sys.version_info >= (3, 11),
        }
    ]
    for what, names, why in NEEDED:
        found = next((p for n in names if (p := shutil.which(n))), None)
        rows.append({"what": what, "found": found, "why": why, "ok": found is not None})
    missing = [str(r["what"]) for r in rows if not r["ok"]]
    if json:
        print_json({"ok": not missing, "checks": rows})
    else:
        print_table(
            ("what", "found", "why"),
            [(r["what"], r["found"] or "missing", r["why"]) for r in rows],
            empty="",
        )
        if missing:
            print(
                f"missing: {', '.join(missing)}. `make setup` installs them, or: "
                "apt-get install --no-install-recommends prometheus prometheus-alertmanager git",
                file=sys.stderr,
            )
    return 6 if missing else 0
