"""What an Alertmanager webhook says, as values: pure, and forgiving where it may be.

What a stranger says of time is kept as it was said, and believed only where it can be true: nothing
that is heard of began or ended later than now, and what is first heard of now did not begin ages
ago for us. So an alert can be closed whatever clock its sender has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict

from gameday.errors import UsageError
from scoring.timeline import Fact, Kind

LONGEST_TEXT = 1024
"""Characters of a label or annotation that are kept: names, sentences, links; not dumps."""

MOST_LABELS = 64
"""Labels of an alert that are kept; Prometheus' own default limit is far higher and never used."""

DECIDING = (
    *("alertname", "service", "job", "slo", "sev", "severity", "long_window", "short_window"),
    *("burn_rate", "environment", "env", "cluster", "region", "namespace", "runbook_url"),
    *("summary", "description"),
)
"""Labels and annotations that are kept wherever they stand: what decides is read before the cut."""

LATE = timedelta(minutes=30)
"""An alert that says it began longer than this before it was heard begins, for us, this long ago.

As long as a group must be silent before its next alert is a new incident: it joins what is open,
and none that was over before it was heard of.
"""

MOST_ALERTS = 10_000
"""Alerts of one webhook; a body within the size limit cannot hold more real ones."""

MOST_COUNTED = 1_000_000_000
"""A count that a stranger says is not kept beyond this."""

WATCHDOG = "Watchdog"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of a webhook.

    Attributes:
        fingerprint: which alert it is: Alertmanager's, else a hash of the labels.
        starts_at: when it fired, by Prometheus as far as that can be true.
        is_dated: whether it said so itself; otherwise it is taken to have fired when it arrived.
        ends_at: when it cleared, likewise; None: it is firing.
        received_at: when the webhook arrived here.
        said_starts_at: what it said where that is not believed; said_ends_at likewise.
        labels_left_out: how many labels and annotations it had beyond what is kept.
        alerts_left_out: how many alerts its sender left out of the webhook.
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
    said_starts_at: datetime | None = None
    said_ends_at: datetime | None = None
    labels_left_out: int = 0
    alerts_left_out: int = 0

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
        return f"{self.fingerprint}@{self._said_start.isoformat()}"

    @property
    def _said_start(self) -> datetime:
        return self.said_starts_at or self.starts_at

    @property
    def earliest(self) -> datetime:
        """The earliest instant at which it can have begun."""
        return min(self._said_start, self.starts_at)

    @property
    def remarks(self) -> Sequence[str]:
        """What whoever looks after it has to know of how it was told; mostly nothing."""
        said = []
        if self.said_starts_at is not None:
            when = "when it was heard" if self.said_starts_at > self.starts_at else "shortly before"
            said.append(
                f"it says that it began at {self.said_starts_at:%Y-%m-%d %H:%M:%S} UTC and was "
                f"heard at {self.received_at:%Y-%m-%d %H:%M:%S} UTC; it is taken to have begun "
                f"{when}: check the clock of its sender"
            )
        if self.labels_left_out:
            said.append(
                f"it has {self.labels_left_out} labels and annotations beyond the {MOST_LABELS} "
                "of each that are kept"
            )
        if self.alerts_left_out:
            said.append(
                f"its sender left {self.alerts_left_out} alerts out of the webhook: look there "
                "for the others, and raise max_alerts"
            )
        return tuple(said)

    def to_fact(self) -> Fact:
        """Return the fact that is stored; the same alert sent again gives the same id."""
        is_over = self.ends_at is not None
        ended_at = self.said_ends_at or self.ends_at
        ends = f"-{ended_at.isoformat()}" if ended_at else ""
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
        ended_at = self.said_ends_at or self.ends_at
        left_out = {
            "labels_left_out": self.labels_left_out,
            "alerts_left_out": self.alerts_left_out,
        }
        return {
            "alert": self.name,
            "service": self._told_service,
            "slo": said("slo", ""),
            "severity": said("severity", ""),
            "long": said("long_window", ""),
            "burn_rate": said("burn_rate", ""),
            "summary": self.annotations.get("summary", ""),
            "starts_at": self._said_start.isoformat() if self.is_dated else None,
            "ends_at": ended_at.isoformat() if ended_at else None,
            "fingerprint": self.fingerprint,
            "labels": dict(self.labels),
            "annotations": dict(self.annotations),
            "generator_url": self.generator_url,
            "drill": self.drill,
            "drill_until": self.drill_until.isoformat() if self.drill_until else None,
            **{name: count for name, count in left_out.items() if count},
        }

    @classmethod
    def from_fact(cls, fact: Fact) -> Alert:
        """Return the alert that `to_fact` wrote."""
        data = fact.data
        return cls(
            fingerprint=data["fingerprint"],
            **_believed(
                datetime.fromisoformat(_began(fact)),
                datetime.fromisoformat(data["ends_at"]) if data["ends_at"] else None,
                fact.happened_at,
            ),
            received_at=fact.happened_at,
            labels=data["labels"],
            annotations=data["annotations"],
            generator_url=data["generator_url"],
            drill=data["drill"],
            drill_until=(
                datetime.fromisoformat(data["drill_until"]) if data["drill_until"] else None
            ),
            is_dated=data["starts_at"] is not None,
            labels_left_out=data.get("labels_left_out", 0),
            alerts_left_out=data.get("alerts_left_out", 0),
        )


class _Times(TypedDict):
    starts_at: datetime
    ends_at: datetime | None
    said_starts_at: datetime | None
    said_ends_at: datetime | None


def _believed(starts_at: datetime, ends_at: datetime | None, received_at: datetime) -> _Times:
    """Return what can be true of what was said, and what was said where it is another."""
    starts = min(starts_at, received_at)
    if ends_at is None:
        starts = max(starts, received_at - LATE)
    ends = None if ends_at is None else min(ends_at, received_at)
    return {
        "starts_at": starts,
        "ends_at": ends,
        "said_starts_at": None if starts == starts_at else starts_at,
        "said_ends_at": None if ends == ends_at else ends_at,
    }


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
    left_out = left_out_of(payload)
    found = (_alert(a, payload, received_at, left_out) for a in alerts)
    return tuple(a for a in found if a.name != WATCHDOG)


def has_beat(payload: Mapping[str, Any]) -> bool:
    """Return whether a webhook that `alerts_of` took carries the watchdog's beat."""
    return any(_texts(a.get("labels"))[0].get("alertname") == WATCHDOG for a in payload["alerts"])


def left_out_of(payload: Mapping[str, Any]) -> int:
    """Return how many alerts the sender of a webhook left out of it, by its own word."""
    said = payload.get("truncatedAlerts")
    return min(max(said, 0), MOST_COUNTED) if isinstance(said, int) else 0


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


def _alert(
    raw: Mapping[str, Any], payload: Mapping[str, Any], received_at: datetime, left_out: int
) -> Alert:
    labels, labels_out = _texts(raw.get("labels"))
    annotations, annotations_out = _texts(raw.get("annotations"))
    is_over = raw.get("status", payload.get("status")) == "resolved"
    starts_at = instant(raw.get("startsAt"))
    ends_at = (instant(raw.get("endsAt")) or received_at) if is_over else None
    return Alert(
        fingerprint=text(raw.get("fingerprint"), longest=64) or _fingerprint(raw.get("labels")),
        **_believed(
            # `_began` finds the same one in its fact.
            starts_at or ends_at or received_at,
            max(ends_at, starts_at) if ends_at and starts_at else ends_at,
            received_at,
        ),
        received_at=received_at,
        labels=labels,
        annotations=annotations,
        generator_url=text(raw.get("generatorURL")),
        is_dated=starts_at is not None,
        labels_left_out=labels_out + annotations_out,
        alerts_left_out=left_out,
    )


def _texts(value: object) -> tuple[dict[str, str], int]:
    """Return what is kept of labels or annotations, and how many are not."""
    if not isinstance(value, dict):
        return {}, 0
    kept = value
    if len(value) > MOST_LABELS:
        deciding = [k for k in DECIDING if k in value]
        others = (k for k in value if k not in deciding)
        kept = {k: value[k] for k in (*deciding, *others)[:MOST_LABELS]}
    return {text(k, longest=128): text(v) for k, v in kept.items()}, len(value) - len(kept)


def _fingerprint(labels: object) -> str:
    # Of all labels, however many are kept: what tells two alerts apart may be the last one.
    whole = labels if isinstance(labels, dict) else {}
    joined = "\0".join(f"{text(k)}={text(v)}" for k, v in sorted(whole.items(), key=repr))
    return hashlib.sha256(joined.encode()).hexdigest()[:16]
