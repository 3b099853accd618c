"""A clock that jumps and an incident desk that remembers: what a responder needs of the world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from gameday.errors import DriverError
from gameday.model.page import Finding, Links, Page, Step
from gameday.model.signals import Deploy

__all__ = ["FakeDesk", "a_page"]

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
DESK = "http://desk.invalid"


class FakeDesk:
    """A `gameday.ports.IncidentDesk` in memory.

    Attributes:
        findings: as handed in, in order.
        ticks: step id → (done, note), the last word on each.
        mitigations: (name, parameters) as started.
        events: what was done, in order: ``ack``, ``follow red``, ``report trace`` …
    """

    def __init__(
        self,
        *,
        links: Mapping[str, str] | None = None,
        runbook: str = "",
        deploys: Sequence[Deploy] = (),
        broken: Mapping[str, DriverError] | None = None,
    ) -> None:
        """Prepare the answers.

        Args:
            links: where each deeplink of `a_page` leads, by name (red, traces, profile).
            runbook: the text behind the runbook link.
            broken: errors to raise instead: ``follow red``, ``read``, ``deploys``,
                ``mitigate shed-load`` …
        """
        self._links = dict(links or {})
        self._runbook = runbook
        self._deploys = tuple(deploys)
        self._broken = dict(broken or {})
        self.findings: list[Finding] = []
        self.ticks: dict[str, tuple[bool, str]] = {}
        self.mitigations: list[tuple[str, dict[str, str]]] = []
        self.events: list[str] = []

    def finding(self, step: Step) -> Finding:
        """Return the one finding of a step; `KeyError` where there is none."""
        for finding in self.findings:
            if finding.step is step:
                return finding
        raise KeyError(step)

    async def acknowledge(self) -> None:
        """Remember it."""
        self._do("ack")

    async def report(self, finding: Finding) -> None:
        """Remember the finding."""
        self._do(f"report {finding.step}")
        self.findings.append(finding)

    async def tick(self, step: str, *, done: bool, note: str = "") -> None:
        """Remember the tick."""
        self._do(f"tick {step}")
        self.ticks[step] = (done, note)

    async def mitigate(self, name: str, parameters: Mapping[str, str]) -> str:
        """Remember the mitigation."""
        self._do(f"mitigate {name}")
        self.mitigations.append((name, dict(parameters)))
        return "done"

    async def follow(self, link: str) -> str:
        """Return where the link leads."""
        name = link.rpartition("/")[2]
        self._do(f"follow {name}")
        return self._links[name]

    async def read(self, link: str) -> str:
        """Return the runbook."""
        self._do("read")
        return self._runbook

    async def deploys(self) -> Sequence[Deploy]:
        """Return the deploys."""
        self._do("deploys")
        return self._deploys

    def _do(self, event: str) -> None:
        self.events.append(event)
        if event in self._broken:
            raise self._broken[event]


def a_page(*, at: datetime, burn: timedelta = timedelta(seconds=60), service: str = "web") -> Page:
    """Return a page received at this instant, whose links lead to a `FakeDesk`."""
    return Page(
        incident=f"{DESK}/incidents/1",
        service=service,
        slo="orders-latency",
        alert="OrdersLatencyBudgetBurn",
        burn_rate=20.0,
        window="1h",
        fired_at=at,
        burn_from=at - burn,
        burn_until=at,
        links=Links(
            red=f"{DESK}/red",
            traces=f"{DESK}/traces",
            profile=f"{DESK}/profile",
            runbook=f"{DESK}/runbook",
        ),
        summary="the budget burns",
    )
