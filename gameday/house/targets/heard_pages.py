"""How the pages of a declared system are heard of: by the driver that its document asks for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gameday.drivers import alertmanager, pagerduty_incidents
from gameday.drivers.alertmanager import PolledPages
from gameday.drivers.pagerduty_incidents import PagerDutyIncidents
from gameday.drivers.sent_pages import SentPages
from gameday.http.credentials import credentials_of, secret_of
from gameday.incidents.alerts import instant
from gameday.model.system import PagerDutyService, SystemSpec

__all__ = ["HeardPages", "heard_pages", "pagerduty_of"]

Told = Callable[[Mapping[str, str]], Mapping[str, str] | None]


class PageReader(Protocol):
    """What reads pages where they come, and hands them on."""

    async def alive(self) -> None:
        """Return when it can; `DriverError` says why not."""

    async def carry(self, webhook: str) -> None:
        """Hand every page to this webhook, from now on."""


@dataclass(frozen=True, slots=True)
class HeardPages:
    """What hears of a system's pages, and what should be known of it before a drill.

    Attributes:
        take: takes the pages that are sent to us; None: they are fetched.
    """

    pages: PageReader
    notices: tuple[str, ...]
    take: Callable[[Mapping[str, Any]], Awaitable[None]] | None = None


def heard_pages(spec: SystemSpec, told: Told) -> HeardPages:
    """Return what hears of a system's pages.

    Args:
        told: returns the labels of an alert that is meant as gameday goes by them; None: it is
            another one.

    Raises:
        PermanentDriverError: a secret is not where the document says.
    """
    if spec.pages.pagerduty is not None:
        return HeardPages(
            pagerduty_of(spec.pages.pagerduty, told),
            (
                "pages are PagerDuty's incidents: one may have come up to"
                f" {pagerduty_incidents.EXACT.total_seconds():g} s later than is told, by"
                " PagerDuty's clock",
                "PagerDuty tells of no watchdog: that no page comes proves nothing",
            ),
        )
    if spec.pages.webhook is not None:
        sent = SentPages(told, instant)
        return HeardPages(
            sent,
            (
                "pages are sent to us: one has come when it is received here; what is not taken is"
                " sent again, up to a minute later",
            ),
            sent.take,
        )
    place = spec.pages.alertmanager
    assert place is not None  # other ways are refused when it is read
    return HeardPages(
        PolledPages(place.url, told, credentials=credentials_of(place)),
        (
            f"pages are polled: one may have come up to {alertmanager.POLL.total_seconds():g} s"
            " before it is seen",
        ),
    )


def pagerduty_of(at: PagerDutyService, told: Told) -> PagerDutyIncidents:
    """Return a document's service of PagerDuty; see `heard_pages`."""
    return PagerDutyIncidents(at.url, secret_of(at.token), at.service, told)
