"""One incident as its pager, its responder and its links see it."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from gameday.errors import DriverError, StoreError
from gameday.incidents import deeplinks
from gameday.incidents.alerts import WATCHDOG, alerts_of, has_beat, instant
from gameday.ledger import Ledger
from gameday.model.page import Finding, Links, Page
from gameday.model.signals import Deploy
from gameday.model.slo import Slo
from gameday.ports import DeployLog, Target
from scoring.slo import nominal
from scoring.timeline import Fact, Kind, Timeline

BEFORE = timedelta(minutes=30)
"""How far back the deploy timeline goes (nominal time is compressed with everything else)."""

BEAT_EVERY = timedelta(seconds=4)
"""Beats are recorded this often; they may come more often."""


class Incident:
    """The incident of one run: the far side of every URL in its page.

    Args:
        latency_limit: requests slower than this break the SLO; None for an availability SLO.
        runbook: text of the runbook, served behind the runbook link.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        slo: Slo,
        target: Target,
        tools: deeplinks.Tools,
        deploys: DeployLog | None,
        runbook: str,
        latency_limit: timedelta | None,
        drill: bool = True,
    ) -> None:
        self.token = secrets.token_urlsafe(16)
        self.link_token = secrets.token_urlsafe(16)
        """Opens deeplinks and nothing else: links travel through chats and mails."""
        self._ledger = ledger
        self._slo = slo
        self._target = target
        self._tools = tools
        self._deploys = deploys
        self.runbook = runbook
        self.latency_limit = latency_limit
        self._drill = drill
        self._seen: set[tuple[str, bool, datetime | bool]] = set()
        self._beat_at: datetime | None = None
        self._page: Page | None = None
        self.before_mitigation: Callable[[], Awaitable[None]] | None = None
        """Awaited before anything is done to the target, so that it can be taken back."""
        self._real_windows = {nominal(w.long): w.long / target.time_scale for w in slo.windows}

    # --- in: the pager's webhook -------------------------------------------------------------

    def now(self) -> datetime:
        """Return the present instant by the run's clock."""
        return self._ledger.now()

    @property
    def timeline(self) -> Timeline:
        """Return the whole record of the run; what may be shown of it is the caller's business."""
        return self._ledger.timeline

    @property
    def page_sent(self) -> Page | None:
        """Return the page; None before there is one."""
        return self._page

    @property
    def rate_window(self) -> timedelta:
        """Return how far back the rates of the RED dashboard look."""
        return max(timedelta(seconds=5), min(self._real_windows.values()) / 12)

    def receive(
        self, payload: Mapping[str, Any], *, arrived_at: datetime | None = None
    ) -> Sequence[Fact]:
        """Record an Alertmanager webhook (version 4) and return the new facts; repeats give none.

        Unknown keys are ignored and absent ones tolerated: the payload has grown over the years.

        Args:
            arrived_at: when the request came, by `now`; reading, parsing and writing down take
                time of their own. None: now.

        Raises:
            UsageError: it is not shaped like a webhook of Alertmanager.
            StoreError: it could not be written down; Alertmanager is to send it again.
        """
        arrived_at = arrived_at or self.now()
        alerts = alerts_of(payload, received_at=arrived_at)
        if has_beat(payload):
            self._beat(arrived_at)
        facts = []
        for alert in alerts:
            key = (alert.fingerprint, alert.ends_at is None, alert.is_dated and alert.starts_at)
            if key in self._seen:
                continue
            told = alert.to_fact()
            facts.append(
                self._ledger.record(
                    told.kind,
                    source=told.source,
                    subject=told.subject,
                    data=told.data,
                    happened_at=arrived_at,
                )
            )
            # Only now: what could not be written down has to be taken when it is sent again.
            self._seen.add(key)
        return facts

    def _beat(self, arrived_at: datetime) -> None:
        if self._beat_at is None or arrived_at - self._beat_at >= BEAT_EVERY:
            self._ledger.record(
                Kind.PIPELINE_BEAT,
                source="alertmanager",
                subject=WATCHDOG,
                happened_at=arrived_at,
            )
            self._beat_at = arrived_at

    # --- out: the page -----------------------------------------------------------------------

    def page(self, received: Fact, *, base_url: str, burn_rate: float | None) -> Page:
        """Return the page for an alert that arrived, and keep it as this incident's page.

        Args:
            base_url: where this incident is served, as the responder reaches it.
            burn_rate: how fast the budget was burning then; None: not known.
        """
        data = received.data
        long = str(data.get("long", ""))
        window = self._real_windows.get(long, timedelta(minutes=1))
        fired_at = instant(data.get("starts_at")) or received.happened_at
        until = received.happened_at
        go = f"{base_url}/go/{self.link_token}"
        self._page = Page(
            incident=f"{base_url}/incidents/{self.token}",
            service=self._slo.service,
            slo=self._slo.id,
            alert=str(data.get("alert", "")),
            severity=str(data.get("severity", "page")),
            burn_rate=burn_rate,
            window=long,
            fired_at=fired_at,
            burn_from=min(fired_at, until) - window,
            burn_until=until,
            links=Links(
                red=f"{go}/red",
                traces=f"{go}/traces",
                profile=f"{go}/profile",
                runbook=f"{go}/runbook",
            ),
            summary=str(data.get("summary") or f"{self._slo.id} burns its error budget"),
            drill=self._drill,
            code=dict(self._tools.code),
        )
        return self._page

    def open_link(self, name: str, *, attributed: bool = True) -> str | None:
        """Record that a deeplink was opened and return where it leads.

        Args:
            attributed: whether the responder is known to have opened it; a chat's preview or a
                mail scanner opens links too, and counts for nothing.

        Returns None where there is no such link, or no page yet. ``runbook`` leads to a path on
        this server; the others to their tools, filtered to the burn window.
        """
        page = self._page
        if page is None or name not in type(page.links).model_fields:
            return None
        until = max(page.burn_until, self._ledger.now())
        since = page.burn_from
        match name:
            case "red":
                where = deeplinks.red(
                    self._tools, self._slo, since=since, until=until, window=self.rate_window
                )
            case "traces":
                where = deeplinks.traces(
                    self._tools,
                    self._slo,
                    since=since,
                    until=until,
                    slower=self.latency_limit or timedelta(0),
                )
            case "profile":
                where = deeplinks.profile(self._tools, self._slo, since=since, until=until)
            case _:
                where = f"/go/{self.link_token}/runbook.md"
        self._ledger.record(
            Kind.LINK_OPENED,
            source="responder" if attributed else "link",
            subject=name,
            data={"link": name} if attributed else {"link": name, "attributed": False},
        )
        return where

    # --- in: the responder -------------------------------------------------------------------

    def acknowledge(self) -> Fact:
        """Record that the on-call has it; a second time changes nothing."""
        known = self._ledger.timeline.first(Kind.ACKNOWLEDGED)
        return known or self._ledger.record(
            Kind.ACKNOWLEDGED, source="responder", subject=self._slo.id, data={"by": "on-call"}
        )

    def report(self, finding: Finding) -> Fact:
        """Record the finding of one funnel step."""
        return self._ledger.record(
            Kind.FINDING,
            source="responder",
            subject=str(finding.step),
            data={
                "step": str(finding.step),
                "summary": finding.summary,
                "detail": finding.detail,
            },
        )

    def tick(self, step: str, *, done: bool, note: str) -> Fact:
        """Record a runbook step ticked or skipped."""
        return self._ledger.record(
            Kind.RUNBOOK_STEP,
            source="responder",
            subject=step,
            data={"step": step, "done": done, "note": note},
        )

    def note(self, text: str) -> Fact:
        """Record a sentence of the responder's."""
        return self._ledger.record(
            Kind.NOTED, source="responder", subject=self._slo.id, data={"text": text}
        )

    async def mitigate(self, name: str, parameters: Mapping[str, str]) -> tuple[bool, str]:
        """Do what the responder asks for; return (whether it worked, what was done)."""
        asked = {"name": name, "parameters": dict(parameters), "by": "on-call"}
        self._ledger.record(Kind.MITIGATION_STARTED, source="responder", subject=name, data=asked)
        try:
            if self.before_mitigation is not None:
                await self.before_mitigation()
            ok, detail = True, await self._target.mitigate(name, parameters)
        except (DriverError, StoreError) as error:
            ok, detail = False, str(error)
        self._ledger.record(
            Kind.MITIGATION_APPLIED,
            source="target",
            subject=name,
            data={**asked, "ok": ok, "detail": detail},
        )
        return ok, detail

    async def deploys(self) -> Sequence[Deploy]:
        """Return what went live before and during the incident, oldest first."""
        if self._deploys is None:
            return ()
        now = self._ledger.now()
        return await self._deploys.deploys(since=now - BEFORE, until=now)

    def summary(self) -> dict[str, Any]:
        """Return the incident as its API shows it to the responder: the page and their own acts."""
        own = (
            Kind.ACKNOWLEDGED,
            Kind.LINK_OPENED,
            Kind.FINDING,
            Kind.RUNBOOK_STEP,
            Kind.MITIGATION_STARTED,
            Kind.MITIGATION_APPLIED,
        )
        return {
            "page": self._page.model_dump(mode="json") if self._page else None,
            "facts": [f.to_json() for f in self._ledger.timeline.of_kind(*own)],
        }
