"""``gameday doctor``: what a game day needs, and what is missing here."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from textwrap import fill

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


WIDTH = 96
"""Letters in a line of what to do: of any terminal that somebody opens at night."""


@dataclass(frozen=True, slots=True)
class Need:
    """One thing a game day needs.

    Attributes:
        found: where or which it is; None where it is missing or wrong.
        how: what to do about that.
        bars: whether no game day begins until it is done.
    """

    what: str
    found: str | None
    why: str
    ok: bool
    how: str = ""
    bars: bool = True


def doctor(
    system: str | None = typer.Option(
        None, "--system", metavar="NAME", help="Prove what this system's document says, instead."
    ),
    json: bool = typer.Option(False, "--json", help="Print it as JSON."),
) -> int:
    """Say what is there and what to do about what is not; exit 6 where something is missing.

    With --system nothing is looked at but that system: that each of its tools answers as a drill
    asks it, that its SLOs are measured now, that the alert's rule is loaded, that its page gets
    through, that what mitigates is there.
    """
    needs = _of_system(system) if system else [*_programs(), *_packages(), _settings()]
    missing = [need for need in needs if not need.ok]
    if json:
        print_json({"ok": not missing, "checks": [asdict(need) for need in needs]})
    elif system:
        _print_examined(system, needs)
    else:
        print_table(
            ("what", "found", "why"),
            [(c.what, c.found or ("missing" if not c.ok else "—"), c.why) for c in needs],
            empty="",
        )
        for need in missing:
            say(f"{need.what}: {need.how}")
    return 6 if missing else 0


def _print_examined(system: str, needs: Sequence[Need]) -> None:
    """Print what holds and what does not, and then, in the order to do it, what to do."""
    print_table(
        ("", "what", "found"),
        [("ok" if c.ok else "NOT" if c.how else "?", c.what, c.found or "—") for c in needs],
        empty="",
    )
    first = [need for need in needs if not need.ok and need.how]
    if not first:
        say(f"{system} is as its file says: a drill can be played on it")
        return
    for number, need in enumerate(first, start=1):
        print(f"\n{number}. {need.what}{f': {need.found}' if need.found else ''}")
        for line in need.how.splitlines():
            print(
                fill(
                    line,
                    WIDTH,
                    initial_indent="   ",
                    subsequent_indent="   ",
                    # What is typed or opened stays whole.
                    break_long_words=False,
                    break_on_hyphens=False,
                )
            )
    bars = any(need.bars for need in first)
    say(
        f"\n{len(first)} of {len(needs)} do not hold; "
        + (
            "no drill begins until they do"
            if bars
            else "a drill can be played, and says what it does not know"
        )
    )


def _of_system(name: str) -> list[Need]:
    """Return what was proven of a system.

    Raises:
        SpecError: a file is wrong.
        UsageError: there is no such system.
        PermanentDriverError: it is the sandbox, which is not up.
    """
    import asyncio

    from gameday.cli.door import sent_here
    from gameday.house.targets.choice import system_named
    from gameday.house.targets.drafted import filled_in
    from gameday.house.targets.examination import drilled_on, examined
    from gameday.settings import Settings

    found = system_named(name)
    slos = drilled_on(found.metadata.name)
    return [
        Need(one.what, one.found or None, "", one.ok, one.how, one.bars)
        for one in (
            *asyncio.run(examined(found, slos, sent_here=sent_here(Settings.from_environment()))),
            *filled_in(found),
        )
    ]


def _programs() -> Iterator[Need]:
    version = sys.version.split()[0]
    yield Need("python", version, "3.11 or newer", sys.version_info >= (3, 11), "install a newer")
    for what, names, why in PROGRAMS:
        found = next((p for n in names if (p := shutil.which(n))), None)
        yield Need(what, found, why, found is not None, INSTALL)


def _packages() -> Iterator[Need]:
    from gameday.extras import EXTRAS, Extra, absent, is_there

    for extra, contents in EXTRAS.items():
        found = "installed" if is_there(extra) else None
        # The others are for those who mean them; the sandbox is what everybody begins with.
        ok = found is not None or extra is not Extra.SANDBOX
        name, why = f"gameday[{extra}]", f"{contents.door} needs {contents.brings}"
        yield Need(name, found, why, ok, str(absent(extra)))


def _settings() -> Need:
    from gameday.errors import GamedayError
    from gameday.settings import find
    from gameday.settings.shown import notes

    why = "`gameday settings` shows what is in force"
    try:
        found = find()
    except GamedayError as error:
        return Need("settings", None, why, False, f"something in them is wrong:\n{error}")
    for note in notes(found):
        say(note)
    where = found.file.shown if found.file.path else "defaults"
    return Need("settings", f"{where}, {len(found.origins)} given", why, True)
