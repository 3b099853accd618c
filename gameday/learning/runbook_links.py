"""Where a runbook's links lead, and whether somebody who is paged gets there.

What is behind a link is looked up by the house; here it is only judged.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from gameday.http.address import is_loopback
from gameday.learning.flaw import Flaw, FlawKind
from gameday.learning.runbook_page import RunbookPage
from gameday.model.alerting_rule import AlertingRule
from gameday.spec.contents import WrittenLink

__all__ = ["LinkedFile", "addresses_of", "alert_flaws", "link_flaws", "paths_of", "unreachable"]

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//")
_FILLED_IN = re.compile(r"\{\{|\{%|\$\{|<[A-Za-z]")
_BRANCHES = r"(?P<branch>main|master|develop|trunk|HEAD)"
_MOVING = (
    re.compile(
        rf"https?://(?:www\.)?github\.com/[^/]+/[^/]+/(?:blob|tree|raw)/{_BRANCHES}(?:/|\Z)"
    ),
    re.compile(
        rf"https?://raw\.githubusercontent\.com/[^/]+/[^/]+/(?:refs/heads/)?{_BRANCHES}(?:/|\Z)"
    ),
    re.compile(rf"https?://[^/]+/.+/-/(?:blob|tree|raw)/{_BRANCHES}(?:/|\Z)"),
    re.compile(rf"https?://bitbucket\.org/[^/]+/[^/]+/src/{_BRANCHES}(?:/|\Z)"),
    re.compile(rf"https?://[^/]+/[^/]+/[^/]+/(?:src|raw)/branch/{_BRANCHES}(?:/|\Z)"),
)
"""Files and folders of a branch, at GitHub, GitLab, Bitbucket, Gitea and Forgejo."""

# Commands that open a loopback address to whoever reads on.
_OPENS_A_DOOR = re.compile(r"port-forward|\bssh\b[^\n]*\s-\w*L|kubectl\s+proxy|minikube\s+service")
_IN_CLUSTER = re.compile(r"\.svc(?:\.cluster\.local)?\Z")


@dataclass(frozen=True, slots=True)
class LinkedFile:
    """What was found at a path.

    Attributes:
        exists: whether there is a file or a folder.
        anchors: what ``#…`` may name in it; None where it is no Markdown.
    """

    exists: bool
    anchors: frozenset[str] | None = None


def paths_of(page: RunbookPage) -> Sequence[str]:
    """Return the local paths its links lead to, relative to where its own is, each once."""
    found = (_path(link, page.file) for link in page.contents.links)
    return list(dict.fromkeys(path for path in found if path))


def addresses_of(page: RunbookPage) -> Sequence[str]:
    """Return the addresses on the web that its links lead to, without their anchors, each once."""
    found = (link.to.partition("#")[0] for link in page.contents.links)
    return list(dict.fromkeys(to for to in found if _is_web(to)))


def link_flaws(
    page: RunbookPage, places: Mapping[str, LinkedFile], dead: Mapping[str, str]
) -> Iterator[Flaw]:
    """Yield what is wrong with its links.

    Args:
        places: what stands at each of `paths_of`.
        dead: of `addresses_of`, those that lead nowhere, each with why.
    """
    has_door = any(_OPENS_A_DOOR.search(code.text) for code in page.contents.code)
    told: set[tuple[FlawKind, str]] = set()
    for link in page.contents.links:
        for kind, what, remedy in _judged(link, page, places, dead, has_door=has_door):
            # The same address twice is one thing to mend.
            if (kind, link.to) not in told:
                told.add((kind, link.to))
                yield Flaw(kind, page.file, link.line, what, remedy)


def alert_flaws(rules: Sequence[AlertingRule]) -> Iterator[Flaw]:
    """Yield the alerts whose ``runbook_url`` nobody can open on whom they call."""
    for rule in rules:
        url = rule.runbook_url
        why = unreachable(url) if url else ""
        if why:
            yield Flaw(
                FlawKind.UNREACHABLE,
                rule.place,
                rule.line,
                f"whoever {rule.name} pages cannot open its runbook_url {url!r}: {why}",
                "write the address at which the runbook is read from a phone",
            )


def unreachable(url: str) -> str:
    """Return why a page's reader cannot open a runbook's address; empty where nothing says so."""
    if "{{" in url:  # filled in when the alert fires
        return ""
    if not _SCHEME.match(url):
        return "it is a path, which leads nowhere outside the repository"
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return "it is no address"
    if parts.scheme == "file":
        return "it is a file of somebody's own machine"
    if parts.scheme not in ("http", "https", "") or not host:
        return "it is no address that a browser opens"
    if is_loopback(host) or host == "0.0.0.0":
        return "it is the reader's own machine"
    if _IN_CLUSTER.search(host):
        return "it is a name that only the cluster knows"
    return ""


def _judged(
    link: WrittenLink,
    page: RunbookPage,
    places: Mapping[str, LinkedFile],
    dead: Mapping[str, str],
    *,
    has_door: bool,
) -> Iterator[tuple[FlawKind, str, str]]:
    to = link.to
    if not to:
        yield FlawKind.LINK, "a link leads nowhere: its address is empty", "write where it leads"
    elif _is_web(to):
        yield from _on_the_web(to, dead, has_door=has_door)
    elif to.startswith("file:"):
        what = f"{to} is a file of somebody's own machine"
        yield FlawKind.UNREACHABLE, what, "link to a page that everybody can open"
    elif to.startswith("#"):
        yield from _anchor(to[1:], page.contents.anchors, "this page")
    elif path := _path(link, page.file):
        yield from _local(to, path, page, places)


def _on_the_web(
    to: str, dead: Mapping[str, str], *, has_door: bool
) -> Iterator[tuple[FlawKind, str, str]]:
    why = dead.get(to.partition("#")[0])
    if why:
        yield FlawKind.LINK, f"{to} leads nowhere: {why}", "link to where it is now, or take it out"
        return
    if is_loopback(to) and not has_door:
        what = f"{to} is the reader's own machine, and no command here opens a way to it"
        yield (
            FlawKind.UNREACHABLE,
            what,
            "say how it is reached, or link to what everybody can open",
        )
        return
    found = next((m for pattern in _MOVING if (m := pattern.match(to))), None)
    if found is not None:
        yield (
            FlawKind.MOVING_BRANCH,
            f"{to} follows the branch {found['branch']}: what it shows may change, or go",
            "link to a tag or a commit",
        )


def _local(
    to: str, path: str, page: RunbookPage, places: Mapping[str, LinkedFile]
) -> Iterator[tuple[FlawKind, str, str]]:
    anchor = to.partition("#")[2]
    place = places.get(path, LinkedFile(exists=False))
    if path == posixpath.normpath(page.file) and not anchor:
        what = f"{to} leads to the page that it stands on"
        yield FlawKind.LINK, what, "link to what was meant, or take it out"
    elif not place.exists:
        # Without an ending it may be an address that a site generator makes.
        if posixpath.splitext(path)[1]:
            yield FlawKind.LINK, f"{to} leads nowhere: there is no such file", "correct the path"
    elif anchor and place.anchors is not None:
        yield from _anchor(anchor, place.anchors, posixpath.basename(path))


def _anchor(anchor: str, known: frozenset[str], where: str) -> Iterator[tuple[FlawKind, str, str]]:
    name = unquote(anchor).removeprefix("user-content-")
    if name in ("", "top") or name.startswith(":~:"):
        return
    if name.lower() not in {one.lower() for one in known}:
        what = f"#{anchor} leads to the top: {where} has no heading or anchor of that name"
        yield FlawKind.ANCHOR, what, "write a heading in small letters, with - for each space"


def _path(link: WrittenLink, file: str) -> str:
    """Return the path a link leads to; empty where it leads to none, or nobody can tell."""
    to = link.to.partition("#")[0].partition("?")[0]
    if not to or to.startswith("/") or _SCHEME.match(to) or _FILLED_IN.search(to):
        return ""
    # A name alone is looked for in a whole site by those who generate it.
    if link.by_generator and not to.startswith("."):
        return ""
    return posixpath.normpath(posixpath.join(posixpath.dirname(file), unquote(to)))


def _is_web(to: str) -> bool:
    return to.startswith(("http://", "https://")) and not _FILLED_IN.search(to)
