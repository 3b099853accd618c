"""A deploy marker as a fact: what a pipeline says that it put live. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gameday.errors import UsageError
from gameday.incidents.alerts import instant, text
from scoring.timeline import Fact, Kind


def deploy_fact(sent: Mapping[str, Any], *, by: str, now: datetime) -> Fact:
    """Return a deploy marker as it goes on record.

    Raises:
        UsageError: it does not name a service and a revision.
    """
    service, revision = text(sent.get("service")), text(sent.get("revision"))
    if not service or not revision:
        raise UsageError("a deploy has a `service` and a `revision`")
    at = instant(sent.get("deployed_at")) or now
    region = text(sent.get("region"))
    return Fact(
        id=f"deploy/{service}/{revision}/{region}/{at.isoformat()}",
        kind=Kind.DEPLOYED,
        happened_at=at,
        recorded_at=now,
        source="deploy",
        subject=service,
        data={
            "service": service,
            "revision": revision,
            "region": region,
            "summary": text(sent.get("summary")),
            "by": by,
        },
    )
