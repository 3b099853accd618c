"""What passes between the pager, the responder and the judges: pages and findings."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Step(StrEnum):
    """The steps of the funnel that end in a finding, in order."""

    RED = "red"
    TRACE = "trace"
    PROFILE = "profile"
    BLAME = "blame"
    MITIGATE = "mitigate"


class Value(BaseModel):
    """A frozen value that travels as JSON; unknown keys from newer senders are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Links(Value):
    """The four deeplinks of a page; each redirects to the tool, filtered to the burn window."""

    red: str
    traces: str
    profile: str
    runbook: str


class Page(Value):
    """All that the person on call is told. The bot gets this and nothing else.

    Attributes:
        incident: base URL of the incident's API: POST ``{incident}/ack``, ``/finding``,
            ``/step``, ``/mitigation``; GET ``{incident}`` and ``{incident}/deploys``. It asks for a
            token, which is no part of a page.
        service: the service whose promise is being broken.
        slo: SLO id.
        alert: name of the alert.
        severity: page or ticket.
        burn_rate: how many times too fast the budget was being spent when it fired.
        window: nominal long window of the branch that fired (``1h``).
        fired_at: when it fired, by Prometheus.
        burn_from: start of the burn window (real time, not compressed).
        burn_until: end of the burn window, the instant of the page.
        links: the four deeplinks.
        summary: one sentence.
        drill: whether this page belongs to a game day.
    """

    incident: str
    service: str
    slo: str
    alert: str
    severity: str = "page"
    burn_rate: float | None = None
    window: str = ""
    fired_at: datetime
    burn_from: datetime
    burn_until: datetime
    links: Links
    summary: str = ""
    drill: bool = True


class RedShape(StrEnum):
    """How a RED signal moved, as of the moment it was read (definitions in scoring.funnel)."""

    SPIKE = "spike"
    DRIFT = "drift"
    PLATEAU = "plateau"
    UNKNOWN = "unknown"


class Finding(Value):
    """What a responder found in one step, in one sentence and as data.

    ``detail`` by step:
        red: moved [rate|errors|duration], shape, onset (ISO instant or null), region (str or null)
        trace: service, downstream (or null), region (or null), span, bulk_ratio, traces [ids],
            errors (bool)
        profile: trace_id, function, file, line, share_ratio (0–1), off_cpu (bool), waiting_in
        blame: explained (bool), commit, author_role, committed_at, deployed_at, function, file;
            where no function is known: earlier (the version before), commits, taken_back
        mitigate: mitigation (name or null), parameters, runbook_step, reason
    """

    step: Step
    summary: str
    found_at: datetime | None = None
    detail: dict[str, Any] = Field(default_factory=dict)
