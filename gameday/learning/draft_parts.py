"""Parts of a postmortem's draft that do not depend on what it is written from. Pure.

Roles act in it, people do not appear. What somebody typed stands in quotation marks: it is
evidence, and nobody's judgement.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from gameday.legible import in_markdown
from gameday.model.action_item import ActionItem
from gameday.report.wording import percent, table
from scoring.timeline import Fact, Kind, Timeline

__all__ = [
    "SURPRISES",
    "action_table",
    "bullets",
    "cause_sentences",
    "cleaned",
    "quoted",
    "read_by",
    "role_of",
]

_ADDRESS = re.compile(r"<?[^\s<>|]+@[^\s<>|]+\.[^\s<>|]+>?")

_ROLE_OF_STEP = {
    "red": "read the RED signals",
    "trace": "read the traces",
    "profile": "read the profile",
    "blame": "looked up the change",
    "mitigate": "chose a mitigation",
}

SURPRISES = (
    "_To be answered in the review: what surprised those who were there, and how did it make sense"
    " at the time?_"
)


def cleaned(text: object) -> str:
    """Return text on one line without addresses of people; Markdown shows it as it is."""
    return in_markdown(_ADDRESS.sub("(address left out)", " ".join(str(text).split())))


def quoted(text: object) -> str:
    """Return what somebody typed, as a quotation on one line."""
    said = " ".join(str(text).split()).replace("“", "'").replace("”", "'")
    return f"“{cleaned(said)}”"


def bullets(items: Sequence[str]) -> str:
    """Return a list."""
    return "\n".join(f"- {item}" for item in items)


def role_of(fact: Fact) -> str:
    """Return who said something, as a role."""
    role = str(fact.data.get("by") or "")
    # A role is a plain word or two; anything else might name a person.
    known = re.fullmatch(r"(?:the )?(?:on-call|responder|bot|human|operator|conductor)", role)
    return f"The {role.removeprefix('the ')}" if known else "The responder"


def read_by(fact: Fact) -> str:
    """Return what the step of a finding did, as the end of a sentence."""
    return _ROLE_OF_STEP.get(str(fact.data.get("step", "")), "noted")


def _last_detail(timeline: Timeline, step: str) -> Mapping[str, Any]:
    found = [f for f in timeline.of_kind(Kind.FINDING) if f.data.get("step") == step]
    detail = found[-1].data.get("detail") if found else None
    return detail if isinstance(detail, Mapping) else {}


def cause_sentences(timeline: Timeline) -> list[str]:
    """Return what the findings say of the cause, as a failure of the system; may be empty."""
    trace = _last_detail(timeline, "trace")
    profile = _last_detail(timeline, "profile")
    blame = _last_detail(timeline, "blame")
    sentences = []
    if trace.get("service"):
        where = f" in {trace['region']}" if trace.get("region") else ""
        if trace.get("downstream"):
            sentences.append(
                f"{trace['service']}{where} depends on {trace['downstream']} for every request, and"
                " nothing in the system kept its slowness or errors from reaching the buyer's"
                " request."
            )
        else:
            sentences.append(f"{trace['service']}{where} spent the time itself.")
        if isinstance(trace.get("bulk_ratio"), (int, float)):
            sentences.append(f"{percent(trace['bulk_ratio'])} of the request's time went there.")
    if profile.get("off_cpu"):
        waiting = f" in {profile['waiting_in']}" if profile.get("waiting_in") else ""
        sentences.append(f"The profile shows waiting{waiting}, not work.")
    elif profile.get("function"):
        sentences.append(f"The widest frame of the profile is `{profile['function']}`.")
    if blame.get("explained") and blame.get("commit"):
        sentences.append(
            f"The version that brought `{str(blame['commit'])[:12]}` went live before the onset:"
            " the way to production let a change through that no test or gradual rollout stopped."
        )
    elif blame.get("explained"):
        sentences.append(
            f"`{str(blame.get('revision') or 'a version')[:12]}` went live before the onset, and"
            " which of its changes it was is open: the way to production let it through."
        )
    elif "explained" in blame:
        sentences.append("No change explains it: nothing that went live precedes the onset.")
    return sentences


def action_table(items: Sequence[ActionItem]) -> str:
    """Return action items as a table that `gameday.learning.asked_items` reads back."""
    return table(
        ("Action", "Kind", "Owner (role)", "Due", "Item"),
        (
            (
                cleaned(item.title),
                item.kind,
                cleaned(item.owner) if item.owner else "to be named",
                f"{item.due_at:%Y-%m-%d}",
                item.id,
            )
            for item in items
        ),
    )
