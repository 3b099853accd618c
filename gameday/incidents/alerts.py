"""What an Alertmanager webhook says, as values: pure, and forgiving where it may be."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gameday.errors import UsageError
from scoring.timeline import Fact, Kind

LONGEST_TEXT = 1024
"""Characters of a label or annotation that are kept: names, sentences, links; not dumps."""

MOST_LABELS = 64
"""Labels of an alert that are kept; Prometheus' own default limit is far higher and never used."""

MOST_ALERTS = 10_000
"""Alerts of one webhook; a body within the size limit cannot hold more real ones."""

WATCHDOG = "Watchdog"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of a webhook.

    Attributes:
        fingerprint: which alert it is: Alertmanager's, else a hash of the labels.
        starts_at: when it fired, by Prometheus.
        is_dated: whether it said so itself; otherwise it is taken to have fired when it arrived.
        ends_at: when it cleared, by Prometheus; None: it is firing.
        received_at: when the webhook arrived here.
    """

    fingerprint: str
    starts_at: datetime
    ends_at: datetime | None
    received_at: datetime
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    generator_url: str = ""
    drill: str | None = None
    drill_until: datetime | None = None
    is_dated: bool = True

    @property
    def name(self) -> str:
        """The alert's name."""
        return self.labels.get("alertname", "")

    @property
    def service(self) -> str:
        """The service it is about."""
        return self._told_service or "unknown"

    @property
    def _told_service(self) -> str:
        # What names it differs from place to place.
        return self.labels.get("service") or self.labels.get("job") or ""

    @property
    def slo(self) -> str:
        """The SLO it is about; an alert without one stands for itself."""
        return self.labels.get("slo") or self.name or "unknown"

    @property
    def group(self) -> str:
        """The group it belongs to."""
        return group_of(self.service, self.slo)

    @property
    def firing_id(self) -> str:
        """Which firing of which alert it is; the same in every webhook about it."""
        return f"{self.fingerprint}@{self.starts_at.isoformat()}"

    def to_fact(self) -> Fact:
        """Return the fact that is stored; the same alert sent again gives the same id."""
        is_over = self.ends_at is not None
        ends = f"-{self.ends_at.isoformat()}" if self.ends_at else ""
        return Fact(
            id=f"{self.group}/{self.firing_id}{ends}",
            kind=Kind.PAGE_RESOLVED if is_over else Kind.PAGE_RECEIVED,
            happened_at=self.received_at,
            recorded_at=self.received_at,
            source="alertmanager",
            subject=self.slo,
            data=self.to_data(),
        )

    def to_data(self) -> dict[str, Any]:
        """Return what its fact holds: what the labels say of it, and the alert as it came."""
        said = self.labels.get
        return {
            "alert": self.name,
            "service": self._told_service,
            "slo": said("slo", ""),
            "severity": said("severity", ""),
            "long": said("long_window", ""),
            "burn_rate": said("burn_rate", ""),
            "summary": self.annotations.get("summary", ""),
            "starts_at": self.starts_at.isoformat() if self.is_dated else None,
            "ends_at": self.ends_at.isoformat() if self.ends_at else None,
            "fingerprint": self.fingerprint,
            "labels": dict(self.labels),
            "annotations": dict(self.annotations),
            "generator_url": self.generator_url,
            "drill": self.drill,
            "drill_until": self.drill_until.isoformat() if self.drill_until else None,
        }

    @classmethod
    def from_fact(cls, fact: Fact) -> Alert:
        """Return the alert that `to_fact` wrote."""
        data = fact.data
        return cls(
            fingerprint=data["fingerprint"],
            starts_at=datetime.fromisoformat(_began(fact)),
            ends_at=datetime.fromisoformat(data["ends_at"]) if data["ends_at"] else None,
            received_at=fact.happened_at,
            labels=data["labels"],
            annotations=data["annotations"],
            generator_url=data["generator_url"],
            drill=data["drill"],
            drill_until=(
                datetime.fromisoformat(data["drill_until"]) if data["drill_until"] else None
            ),
            is_dated=data["starts_at"] is not None,
        )


def firing_id_of(fact: Fact) -> str:
    """Return `Alert.firing_id` of the alert in a fact, without reading the rest of it."""
    return f"{fact.data['fingerprint']}@{_began(fact)}"


def _began(page: Fact) -> str:
    data = page.data
    return data["starts_at"] or data["ends_at"] or page.happened_at.isoformat()


def group_of(service: str, slo: str) -> str:
    """Return the name of the group of a service and an SLO."""
    # A slash inside a name must not make two groups one.
    return f"{service.replace('/', '%2F')}/{slo.replace('/', '%2F')}"


def alerts_of(payload: Mapping[str, Any], *, received_at: datetime) -> Sequence[Alert]:
    """Return the alerts of a webhook (version 4), without the watchdog's beats.

    Unknown keys are ignored and absent ones tolerated: the payload has grown over the years. An
    alert that does not say when it began is taken to begin now.

    Raises:
        UsageError: it is not shaped like a webhook of Alertmanager.
    """
    alerts = payload.get("alerts")
    if not isinstance(alerts, list) or not all(isinstance(a, dict) for a in alerts):
        raise UsageError("the webhook has no list `alerts`; is the sender Alertmanager?")
    if len(alerts) > MOST_ALERTS:
        raise UsageError(f"the webhook holds more than {MOST_ALERTS} alerts; set max_alerts")
    found = (_alert(a, payload, received_at) for a in alerts)
    return tuple(a for a in found if a.name != WATCHDOG)


def has_beat(payload: Mapping[str, Any]) -> bool:
    """Return whether a webhook that `alerts_of` took carries the watchdog's beat."""
    return any(_texts(a.get("labels")).get("alertname") == WATCHDOG for a in payload["alerts"])


def instant(value: object) -> datetime | None:
    """Return an instant of a webhook; None for absent, unreadable and Go's zero time."""
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value.replace("Z", "+00:00"))
        # Also keeps instants away from the ends of the calendar, where arithmetic overflows.
        if parsed.tzinfo is None or not 1970 <= parsed.year <= 9000:
            return None
        return parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def text(value: object, *, longest: int = LONGEST_TEXT) -> str:
    """Return a text that every store can hold: bounded, no NUL, no half of a character."""
    if not isinstance(value, str):
        value = "" if value is None or isinstance(value, list | dict) else str(value)
    if value.isascii() and "\0" not in value:
        return value[:longest]
    whole = value.encode("utf-8", "replace").decode("utf-8")
    return whole.replace("\0", "\N{REPLACEMENT CHARACTER}")[:longest]


def _alert(raw: Mapping[str, Any], payload: Mapping[str, Any], received_at: datetime) -> Alert:
    labels = _texts(raw.get("labels"))
    is_over = raw.get("status", payload.get("status")) == "resolved"
    starts_at = instant(raw.get("startsAt"))
    ends_at = (instant(raw.get("endsAt")) or received_at) if is_over else None
    return Alert(
        fingerprint=text(raw.get("fingerprint"), longest=64) or _fingerprint(labels),
        # `_began` finds the same one in its fact.
        starts_at=starts_at or ends_at or received_at,
        ends_at=max(ends_at, starts_at) if ends_at and starts_at else ends_at,
        received_at=received_at,
        labels=labels,
        annotations=_texts(raw.get("annotations")),
        generator_url=text(raw.get("generatorURL")),
        is_dated=starts_at is not None,
    )


def _texts(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    kept = list(value.items())[:MOST_LABELS]
    return {text(k, longest=128): text(v) for k, v in kept}


def _fingerprint(labels: Mapping[str, str]) -> str:
    joined = "\0".join(f"{k}={v}" for k, v in sorted(labels.items()))
    return hashlib.sha256(joined.encode()).hexdigest()[:16]
