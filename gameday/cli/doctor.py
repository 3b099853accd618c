"""``gameday doctor``: what a game day needs, and what is missing here."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import typer

from gameday.cli.output import print_json, print_table, say

PROGRAMS = (
    ("prometheus", ("prometheus",), "evaluates the burn-rate alert"),
    ("alertmanager", ("prometheus-alertmanager", "alertmanager"), "sends the page"),
    ("git", ("git",), "the shop's history, blamed by the responder"),
)
INSTALL = (
    "`make setup` installs it, or: "
    "apt-get install --no-install-recommends prometheus prometheus-alertmanager git"
)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing a game day needs.

    Attributes:
        found: where or which it is; None where it is missing or wrong.
        how: what to do about that.
    """

    what: str
    found: str | None
    why: str
    ok: bool
    how: str = ""


def doctor(
    system: str | None = typer.Option(
        None, "--system", metavar="NAME", help="Prove what this system's document says, instead."
    ),
    json: bool = typer.Option(False, "--json", help="Print it as JSON."),
) -> int:
    """Say what is there and what to do about what is not; exit 6 where something is missing.

    With --system nothing is looked at but that system: that each of its tools answers as a drill
    asks it, that its SLOs are measured now, that the alert's rule is loaded, that what mitigates is
    there.
    """
    checks = _of_system(system) if system else [*_programs(), *_packages(), _settings()]
    missing = [check for check in checks if not check.ok]
    if json:
        print_json({"ok": not missing, "checks": [asdict(check) for check in checks]})
    else:
        print_table(
            ("what", "found", "why"),
            [(c.what, c.found or ("missing" if not c.ok else "—"), c.why) for c in checks],
            empty="",
        )
        for check in missing:
            say(f"{check.what}: {check.how}")
    return 6 if missing else 0


def _of_system(name: str) -> list[Check]:
    """Return what was proven of a system.

    Raises:
        SpecError: a file is wrong.
        UsageError: there is no such system.
    """
    import asyncio

    from gameday.house.targets.drafted import filled_in
    from gameday.house.targets.examination import drilled_on, examined
    from gameday.spec import Catalogue, read_system

    found = read_system(Catalogue.around().system(name))
    slos = drilled_on(found.metadata.name)
    return [
        Check(proof.what, proof.found or None, "", proof.ok, proof.how)
        for proof in (
            *asyncio.run(examined(found, slos)),
            *filled_in(found.metadata.name),
        )
    ]


def _programs() -> Iterator[Check]:
    version = sys.version.split()[0]
    yield Check("python", version, "3.11 or newer", sys.version_info >= (3, 11), "install a newer")
    for what, names, why in PROGRAMS:
        found = next((p for n in names if (p := shutil.which(n))), None)
        yield Check(what, found, why, found is not None, INSTALL)


def _packages() -> Iterator[Check]:
    from gameday.extras import EXTRAS, Extra, absent, is_there

    for extra, contents in EXTRAS.items():
        found = "installed" if is_there(extra) else None
        # The others are for those who mean them; the sandbox is what everybody begins with.
        ok = found is not None or extra is not Extra.SANDBOX
        name, why = f"gameday[{extra}]", f"{contents.door} needs {contents.brings}"
        yield Check(name, found, why, ok, str(absent(extra)))


def _settings() -> Check:
    from gameday.errors import GamedayError
    from gameday.settings import find
    from gameday.settings.shown import notes

    why = "`gameday settings` shows what is in force"
    try:
        found = find()
    except GamedayError as error:
        return Check("settings", None, why, False, f"something in them is wrong:\n{error}")
    for note in notes(found):
        say(note)
    where = found.file.shown if found.file.path else "defaults"
    return Check("settings", f"{where}, {len(found.origins)} given", why, True)
