"""What goes in and out over HTTP, as the OpenAPI document tells it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gameday.model.page import Finding as Finding
from gameday.model.severity import IncidentSeverity


class JsonObject(BaseModel):
    """A JSON object; keys that are not named here are ignored."""

    model_config = ConfigDict(extra="ignore", title=None)


class Problem(JsonObject):
    """Why it did not go."""

    error: str


class Recorded(JsonObject):
    """How many facts were new; 0 where all was known already. They are on disk."""

    recorded: int


class FactShape(JsonObject):
    """One thing on record."""

    id: str
    kind: str
    happened_at: datetime
    recorded_at: datetime
    source: str
    subject: str
    data: dict[str, Any]
    version: int


class Brief(JsonObject):
    """An incident in a list, as of the last second."""

    id: str
    service: str
    slo: str
    severity: IncidentSeverity
    state: str
    opened_at: datetime
    drill: str | None = Field(description="The run that made it on purpose; null: it is real.")


class Incidents(JsonObject):
    """Incidents, newest first."""

    incidents: list[Brief]


class IncidentShape(JsonObject):
    """An incident as it stands now."""

    id: str
    service: str
    slo: str
    severity: IncidentSeverity
    state: str
    drill: str | None
    starts_at: datetime
    paged_at: datetime
    acked_at: datetime | None
    cleared_at: datetime | None
    closed_at: datetime | None
    reopened_at: datetime | None
    refired_at: datetime | None
    merged_into: str | None
    firing: int
    summary: str
    also: list[str]
    roles: dict[str, str]
    shared_pages: list[dict[str, Any]]
    late: list[dict[str, str]]
    phases: dict[str, Any]
    alerts: list[Any]
    alerts_total: int
    timeline: list[FactShape]
    links: dict[str, str]
    deploys: list[FactShape]


class AlertIn(JsonObject):
    """One alert of a webhook."""

    model_config = ConfigDict(extra="allow")
    status: str = "firing"
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    startsAt: str | None = None
    endsAt: str | None = None
    generatorURL: str = ""
    fingerprint: str = ""


class WebhookIn(JsonObject):
    """Alertmanager's webhook, version 4."""

    model_config = ConfigDict(extra="allow")
    alerts: list[AlertIn]


class PagerDutyEventIn(JsonObject):
    """What happened in PagerDuty."""

    model_config = ConfigDict(extra="allow")
    id: str = ""
    event_type: str
    occurred_at: str | None = None
    agent: dict[str, Any] | None = None
    data: dict[str, Any] = {}


class PagerDutyIn(JsonObject):
    """PagerDuty's webhook, version 3."""

    model_config = ConfigDict(extra="allow")
    event: PagerDutyEventIn


class DeployIn(JsonObject):
    """Something went live."""

    service: str = Field(min_length=1)
    revision: str = Field(min_length=1)
    deployed_at: datetime | None = Field(None, description="With a zone; absent: now.")
    region: str = ""
    summary: str = ""


class NoteIn(JsonObject):
    """A sentence for the record."""

    text: str = Field(min_length=1, max_length=10_000)


class ClosingIn(JsonObject):
    """Why it is over."""

    text: str = Field("", max_length=10_000)
    anyway: bool = Field(False, description="Also while alerts still fire.")


class MitigationIn(JsonObject):
    """What was done to make users well again."""

    name: str = Field(min_length=1, max_length=200)
    parameters: dict[str, str] = {}
    ok: bool = True
    detail: str = Field("", max_length=10_000)


class StepIn(JsonObject):
    """A step of the runbook."""

    step: str = Field(min_length=1, max_length=200)
    done: bool = Field(True, description="False: it was skipped.")
    note: str = Field("", max_length=10_000)


class DeployShape(JsonObject):
    """Something that went live."""

    service: str
    revision: str
    deployed_at: datetime
    region: str | None
    summary: str


class Deploys(JsonObject):
    """What went live before and during an incident, oldest first."""

    deploys: list[DeployShape]


class RoleIn(JsonObject):
    """Who takes a role."""

    role: Literal["commander", "on-call", "scribe"]
    name: str = Field(min_length=1, max_length=200)


class MergeIn(JsonObject):
    """The incident that this one is a duplicate of."""

    into: str = Field(min_length=1, max_length=200)


class PostmortemIn(JsonObject):
    """Where the postmortem stands."""

    url: str = Field(min_length=1, max_length=2000)


class NothingIn(JsonObject):
    """No body is needed."""
