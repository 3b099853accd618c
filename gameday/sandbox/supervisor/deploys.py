"""What went live when: the sandbox's own record of deploys."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class DeployRecord:
    """One deploy. ``region`` None: all regions at once."""

    service: str
    revision: str
    deployed_at: datetime
    region: str | None
    summary: str

    def to_json(self) -> dict[str, Any]:
        """Return it as the control API shows it."""
        return {
            "service": self.service,
            "revision": self.revision,
            "deployed_at": self.deployed_at.isoformat(),
            "region": self.region,
            "summary": self.summary,
        }

    def to_annotation(self) -> dict[str, Any]:
        """Return it as a Grafana annotation."""
        tags = ["deploy", self.service, self.region or "all-regions", self.revision]
        return {
            "time": int(self.deployed_at.timestamp() * 1000),
            "tags": tags,
            "text": f"{self.service} {self.revision[:12]}: {self.summary}",
        }


class DeployBook:
    """Every deploy so far, oldest first, and what is live where."""

    def __init__(self) -> None:
        self._records: list[DeployRecord] = []
        self._live: dict[tuple[str, str], list[str]] = {}

    @property
    def records(self) -> Sequence[DeployRecord]:
        """All deploys, oldest first."""
        return tuple(self._records)

    def add(self, record: DeployRecord, regions: Collection[str]) -> None:
        """Note a deploy to these regions."""
        self._records.append(record)
        for region in regions:
            live = self._live.setdefault((record.service, region), [])
            if not live or live[-1] != record.revision:
                live.append(record.revision)

    def live(self, service: str, region: str) -> str:
        """Return the revision that serves requests."""
        return self._live[service, region][-1]

    def previous(self, service: str, region: str) -> str | None:
        """Return the revision that was live before the present one; None: there was none."""
        live = self._live[service, region]
        return live[-2] if len(live) > 1 else None

    def taken_back(self, service: str, regions: Collection[str]) -> None:
        """Note that the present deploy of these regions was a rollback.

        It and what it took back are forgotten as steps of the way: otherwise rolling back twice
        would bring the bad release back.
        """
        for region in regions:
            del self._live[service, region][-2:]
