"""Deeplinks that are signed, expire and cannot be guessed, and where they lead. Pure.

A link names an incident and one of its views, nothing else: no address travels in it, so that a
forged one could not send a responder anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import urlsplit

from gameday.errors import Refused
from gameday.incidents.signed import Signed
from gameday.incidents.state import IncidentState
from gameday.model.links import filled_link

VIEWS = ("red", "traces", "profile", "runbook")
"""What a page links to."""

LINK_LIFETIME = timedelta(hours=72)
"""A link works this long after its page: past the 48 h in which the postmortem is written."""

BURN = timedelta(hours=1)
"""How far before the page the linked span begins: the long window of the first page branch."""


class LinkRefused(Refused):
    """A deeplink is forged, altered or expired."""


class Signer:
    """Makes and reads the tokens of deeplinks.

    Args:
        key: the server's secret, at least 32 random bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._signed = Signed(key, "go")

    def token(self, incident: str, view: str, *, expires_at: datetime) -> str:
        """Return the token of a link to one view of an incident."""
        return self._signed.written([incident, view, int(expires_at.timestamp())])

    def read(self, token: str, *, now: datetime) -> tuple[str, str]:
        """Return (incident, view) of a token.

        Raises:
            LinkRefused: it is forged, altered or expired; the message does not say which part.
        """
        said = self._signed.read(token)
        if said is None:
            raise LinkRefused("this link is not valid; open it from the page again")
        incident, view, expires_at = said
        if now.timestamp() > expires_at:
            raise LinkRefused("this link has expired; `gameday incident show` has the incident")
        return str(incident), str(view)


class Destinations(Protocol):
    """Where the views of an incident lead, besides to the console's own."""

    @property
    def is_open(self) -> bool:
        """Whether the tools may be opened by whoever has the link, without signing in here."""

    def is_chosen(self, view: str) -> bool:
        """Return whether somebody chose where this view leads people, instead of the console."""

    def chosen(self, incident: IncidentState, view: str) -> str | None:
        """Return where it leads people then; None: nobody chose."""

    def tool(self, incident: IncidentState, view: str) -> str | None:
        """Return the URL of a view in its tool, also for programs; None: there is none."""


@dataclass(frozen=True, slots=True)
class Templates:
    """The tools that the operator names by templates.

    Attributes:
        by_view: URL per view with ``{service}``, ``{slo}``, ``{from}``, ``{to}`` (milliseconds),
            ``{incident}``. A view without one leads to what the alert itself names: the query
            behind it, its ``runbook_url``.
    """

    by_view: Mapping[str, str] = field(default_factory=dict)
    is_open: bool = False

    def is_chosen(self, view: str) -> bool:
        """Return whether there is a template."""
        return bool(self.by_view.get(view))

    def chosen(self, incident: IncidentState, view: str) -> str | None:
        """Return the template filled in."""
        template = self.by_view.get(view)
        if not template:
            return None
        since, until = incident.starts_at - BURN, incident.paged_at
        return led(template, incident, since=since, until=until)

    def tool(self, incident: IncidentState, view: str) -> str | None:
        """Return the template filled in, or what the alert names."""
        if self.is_chosen(view):
            return self.chosen(incident, view)
        told = incident.first.told
        named = {"red": told.generator_url, "runbook": told.annotations.get("runbook_url", "")}
        found = named.get(view, "")
        return found if _leads_to_the_web(found) else None


def led(template: str, incident: IncidentState, *, since: datetime, until: datetime) -> str:
    """Return where a template leads for an incident, over this span."""
    values = {
        "service": incident.service,
        "slo": incident.slo,
        "from": str(round(since.timestamp() * 1000)),
        "to": str(round(until.timestamp() * 1000)),
        "incident": incident.id,
    }
    return filled_link(template, values)


def _leads_to_the_web(url: str) -> bool:
    # An alert's labels are a stranger's text: no javascript:, no data:, nothing that breaks the
    # header it is sent in.
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https")
        and bool(parts.netloc)
        and url.isascii()
        and url.isprintable()
        and not any(c in url for c in " <>\"'\\")
    )
