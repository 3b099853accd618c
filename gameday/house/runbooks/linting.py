"""Runbooks linted: what their links, commands and queries name is looked up, then all is judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from gameday.drivers.bash import Bash
from gameday.drivers.web_links import WebLinks
from gameday.errors import PermanentDriverError, SpecError
from gameday.house.runbooks.prometheus import AskedPrometheus
from gameday.house.runbooks.shelf import Shelf
from gameday.http.address import is_loopback
from gameday.learning.flaw import Flaw, FlawKind
from gameday.learning.lint import Seen, flaws_in
from gameday.learning.runbook_code import Script, ShellFault, metrics_of, scripts_of
from gameday.learning.runbook_links import LinkedFile, addresses_of, alert_flaws, paths_of
from gameday.spec.contents import contents_of
from gameday.spec.document import read_text

__all__ = ["Linted", "linted"]


@dataclass(frozen=True, slots=True)
class Linted:
    """What became of it.

    Attributes:
        flaws: ordered by file and line.
        unseen: what was not looked at, each in a sentence with what to do about it.
    """

    flaws: Sequence[Flaw]
    unseen: Sequence[str]


async def linted(
    shelf: Shelf,
    *,
    today: date,
    bash: Bash,
    prometheus: AskedPrometheus | None = None,
    web: WebLinks | None = None,
) -> Linted:
    """Return every flaw of the runbooks and rules of a shelf.

    Args:
        prometheus: where the metrics of their queries are to be; its own alerting rules are judged
            as well.
        web: visits the addresses they link to; None: they are not looked at.

    Raises:
        DriverError: Prometheus does not answer.
    """
    unseen: list[str] = []
    places = _places(shelf)
    faults = _faults(shelf, bash, unseen)
    metrics = {name for page in shelf.pages for name in metrics_of(page)}
    lacking: frozenset[str] = frozenset()
    rules = list(shelf.rules)
    if prometheus is not None:
        lacking = await prometheus.lacking(metrics)
        rules += await prometheus.alerting_rules()
    elif metrics:
        unseen.append(
            f"metrics of queries, {len(metrics)}: --prometheus URL or --system NAME asks for them"
        )
    dead = await _dead(shelf, web, unseen)
    seen = Seen(
        places=places,
        dead=dead,
        faults=faults,
        lacking=lacking,
        prometheus=prometheus.name if prometheus is not None else "",
    )
    flaws = [
        *(
            Flaw(FlawKind.FORM, p.file, p.line, p.message, p.hint or "correct it")
            for p in shelf.unreadable
        ),
        *(flaw for page in shelf.pages for flaw in flaws_in(page, seen, today)),
        *alert_flaws(rules),
    ]
    return Linted(sorted(flaws, key=lambda flaw: (flaw.file, flaw.line)), unseen)


def _places(shelf: Shelf) -> Mapping[str, LinkedFile]:
    return {path: _place(Path(path)) for page in shelf.pages for path in paths_of(page)}


def _place(path: Path) -> LinkedFile:
    try:
        if not path.exists():
            return LinkedFile(exists=False)
        if path.suffix != ".md":
            return LinkedFile(exists=True)
        return LinkedFile(exists=True, anchors=contents_of(read_text(path)).anchors)
    except (OSError, ValueError, SpecError):  # there, but nothing that can be read
        return LinkedFile(exists=True)


async def _dead(shelf: Shelf, web: WebLinks | None, unseen: list[str]) -> Mapping[str, str]:
    """Return the addresses that lead nowhere, each with why."""
    addresses = list(dict.fromkeys(to for page in shelf.pages for to in addresses_of(page)))
    # What a command opens a way to is there only while somebody runs it.
    addresses = [to for to in addresses if not is_loopback(to)]
    if web is None:
        if addresses:
            unseen.append(f"addresses on the web, {len(addresses)}: --online visits them")
        return {}
    found = await web.visit(addresses)
    unseen += [f"{to}: {link.unknown}" for to, link in found.items() if link.unknown]
    return {to: link.dead for to, link in found.items() if link.dead}


def _faults(shelf: Shelf, bash: Bash, unseen: list[str]) -> Mapping[Script, ShellFault]:
    scripts = list(dict.fromkeys(s for page in shelf.pages for s in scripts_of(page)))
    faults: dict[Script, ShellFault] = {}
    try:
        for script in scripts:
            fault = bash.fault(script.text)
            if fault is not None:
                faults[script] = ShellFault(*fault)
    except PermanentDriverError as error:
        unseen.append(f"commands were not read: {error}")
    return faults
