"""The draft of a postmortem of an incident, and of a near miss, from what is on record.

It says what the system did and let happen. What is not on record is said to be unknown, and what
only people can know is left as a question to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gameday.learning.draft_parts import (
    SURPRISES,
    action_table,
    bullets,
    cause_sentences,
    cleaned,
    quoted,
    read_by,
    role_of,
)
from gameday.model.action_item import ActionItem
from gameday.model.postmortem import IncidentStory, StoryPhase
from gameday.model.severity import IncidentSeverity
from gameday.report.wording import clock, figure, percent, seconds, table
from scoring.timeline import Fact, Kind
from scoring.verdict import Verdict

__all__ = ["draft_of_incident", "draft_of_near_miss"]

LUCK = "_To be answered in the review: what could as well have gone differently?_"
WHY = "_To be answered in the review: why could one slow or failing part do this?_"
MORE_FACTORS = "_To be answered in the review: what else had to be as it was?_"
NO_ITEMS = (
    "Nothing is filed yet. _To be answered in the review: what keeps this class of incident from"
    " happening again?_"
)

_ALERTS = (Kind.PAGE_RECEIVED, Kind.PAGE_RESOLVED)

_PHASES = {
    "acked": "the page was acknowledged",
    "red": "RED was read",
    "trace": "the traces were read",
    "profile": "the profile was read",
    "blame": "the change was looked up",
    "mitigated": "a mitigation was applied",
    "recovered": "the alert cleared",
}
"""What each phase is, as the end of a sentence; the postmortem itself is none of them."""


def draft_of_incident(story: IncidentStory, items: Sequence[ActionItem] = ()) -> str:
    """Return the postmortem of an incident as Markdown, with the status *Draft*.

    Args:
        items: the action items that it asked for.
    """
    parts = [
        f"# Postmortem: {cleaned(story.summary)}",
        _head(story),
        "## Summary",
        _summary(story),
        "## Impact",
        _impact(story),
        "## Timeline",
        _timeline(story),
        "## Detection",
        _detection(story),
        "## Response",
        _response(story),
        "## Root cause",
        " ".join([*map(cleaned, cause_sentences(story.timeline)), WHY]),
        "## Contributing factors",
        bullets([*_factors(story), MORE_FACTORS]),
        "## Mitigation and recovery",
        _mitigation(story),
        "## What went well",
        bullets(_went(story, Verdict.MET)) or "Nothing was met in its target.",
        "## What went wrong",
        bullets([*_went(story, Verdict.MISSED), *_failures(story)])
        or "Nothing was missed, as far as is on record.",
        "## Where luck helped",
        LUCK,
        "## Surprises",
        SURPRISES,
        "## Action items",
        action_table(items) if items else NO_ITEMS,
    ]
    return "\n\n".join(parts) + "\n"


def draft_of_near_miss(
    id: str,
    title: str,
    *,
    service: str,
    severity: IncidentSeverity,
    noted_at: datetime,
    told: str = "",
) -> str:
    """Return the postmortem of what did not become an incident, with the status *Draft*.

    Args:
        severity: how bad it would have been.
        told: what somebody said of it.
    """
    question = "_To be answered in the review: {}_".format
    parts = [
        f"# Postmortem: {cleaned(title)}",
        table(
            ("", ""),
            (
                ("Status", "Draft"),
                ("Near miss", id),
                ("Date", f"{noted_at:%Y-%m-%d}"),
                ("Severity it was near to", severity),
                ("Service", service or "not said"),
            ),
        ),
        "## Summary",
        quoted(told) if told else question("what happened, and what did it come near to?"),
        "## Impact",
        "Nobody was paged about it. " + question("what would users have lost?"),
        "## Timeline",
        table(("Time", "What happened"), ((clock(noted_at), "the near miss was noted"),)),
        "## Root cause",
        WHY,
        "## Contributing factors",
        bullets([MORE_FACTORS]),
        "## What went well",
        question("what kept it from becoming an incident?"),
        "## What went wrong",
        question("what let it come so far?"),
        "## Where luck helped",
        LUCK,
        "## Surprises",
        SURPRISES,
        "## Action items",
        NO_ITEMS,
    ]
    return "\n\n".join(parts) + "\n"


def _head(story: IncidentStory) -> str:
    kind = f"drill of run {story.drill}" if story.drill else "incident"
    rows = [
        ("Status", "Draft"),
        ("Incident", story.id),
        ("Date", f"{story.starts_at:%Y-%m-%d}"),
        ("Severity", story.severity),
        ("Kind", kind),
        ("SLO", f"{story.slo} of {story.service}"),
        ("Resolved", _day_and_time(story.resolved_at)),
        ("To be published by", _day_and_time(story.due_at)),
        ("Written from", f"{len(story.timeline)} recorded facts; times are UTC"),
    ]
    return table(("", ""), rows)


def _day_and_time(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%d %H:%M}" if instant else "—"


def _summary(story: IncidentStory) -> str:
    sentences = [f"The alert {cleaned(story.alert)} of {story.slo} fired at {_at(story)}."]
    by_name = {phase.name: phase for phase in story.phases}
    for name, words in _PHASES.items():
        phase = by_name.get(name)
        if name in ("acked", "mitigated", "recovered") and phase is not None:
            sentences.append(
                f"{words.capitalize()} {_took(story, phase.at)} after the page."
                if phase.at is not None
                else f"That {words} is not on record."
            )
    if story.drill:
        sentences.append("It was a drill, made on purpose.")
    return " ".join(sentences)


def _at(story: IncidentStory) -> str:
    return f"{clock(story.starts_at)} on {story.starts_at:%Y-%m-%d}"


def _took(story: IncidentStory, at: datetime | None) -> str:
    return seconds(round((at - story.paged_at).total_seconds(), 1) if at else None)


def _impact(story: IncidentStory) -> str:
    impact = story.impact
    lasted = (
        f"It lasted {seconds(round((story.cleared_at - story.starts_at).total_seconds()))}, from"
        " the first alert to the last one's end."
        if story.cleared_at is not None
        else "When it ended for users is not on record."
    )
    if impact.unknown:
        return f"{lasted} What it cost is unknown: {cleaned(impact.unknown)}."
    lines = [lasted]
    if impact.budget_spent_ratio is not None:
        allowed = ""
        if impact.allowed_ratio is not None and impact.period_days is not None:
            allowed = (
                f" (allowed: {percent(round(impact.allowed_ratio, 12))} of the events of"
                f" {figure(impact.period_days)} days)"
            )
        lines.append(
            f"{percent(impact.budget_spent_ratio)} of the error budget of the whole period was"
            f" spent{allowed}."
        )
    bad, everything = impact.bad_events, impact.all_events
    if bad is not None and everything:
        lines.append(
            f"{figure(round(bad))} of {figure(round(everything))} requests failed or were too slow"
            f" ({percent(bad / everything)})."
        )
    if impact.history_ratio is not None and impact.history_ratio < 1:
        lines.append(
            f"Prometheus held {percent(impact.history_ratio)} of the history that the period asks"
            " for; the rest is not extrapolated from it."
        )
    return " ".join(lines)


def _timeline(story: IncidentStory) -> str:
    rows: list[tuple[str, str, str, str]] = []
    seen: set[str] = set()
    # Of one instant, what was heard of the alert comes before what was done about it.
    for fact in sorted(story.timeline, key=lambda f: (f.happened_at, f.kind not in _ALERTS)):
        words = _words(fact)
        # The second page about the same thing is no new moment.
        once = words if fact.kind in (Kind.PAGE_RECEIVED, Kind.ACKNOWLEDGED) else fact.id
        if words and once not in seen:
            seen.add(once)
            rows.append((clock(fact.happened_at), words, fact.source, fact.id))
    if not rows:
        return "Nothing was recorded."
    return table(("Time", "What happened", "By the clock of", "Fact"), rows)


def _words(fact: Fact) -> str:
    """Return a fact in the words of a timeline; empty where it is no moment."""
    data = fact.data
    match fact.kind:
        case Kind.PAGE_RECEIVED:
            return f"the alert {cleaned(data.get('alert', ''))} was heard"
        case Kind.PAGE_RESOLVED:
            return f"the alert {cleaned(data.get('alert', ''))} cleared"
        case Kind.PAGE_DELIVERED:
            return f"the page went to the {cleaned(data.get('to', ''))}"
        case Kind.PAGE_FAILED:
            return f"the page could not be delivered: {quoted(data.get('error', ''))}"
        case Kind.ACKNOWLEDGED:
            return f"{role_of(fact)} acknowledged the page"
        case Kind.UNACKNOWLEDGED:
            return "the acknowledgement was taken back"
        case Kind.FINDING:
            said = str(data.get("summary", "")).strip()
            return f"The responder {read_by(fact)}" + (f": {quoted(said)}" if said else "")
        case Kind.RUNBOOK_STEP if data.get("done", True):
            return f"runbook step {cleaned(data.get('step', ''))} was done"
        case Kind.MITIGATION_APPLIED:
            name = cleaned(data.get("name", "a mitigation"))
            return f"{name} was applied" if data.get("ok") else f"{name} did not work"
        case Kind.NOTED:
            return f"noted: {quoted(data.get('text', ''))}"
        case Kind.RESOLVED:
            said = str(data.get("text", "")).strip()
            return "closed" + (f": {quoted(said)}" if said else "")
        case Kind.MERGED:
            return f"merged into {cleaned(data.get('into', ''))}"
        case _:
            return ""


def _detection(story: IncidentStory) -> str:
    under_way = (story.paged_at - story.starts_at).total_seconds()
    lines = [f"From the alert to its being heard: {seconds(round(under_way, 1))}."]
    paged = story.timeline.first(Kind.PAGE_DELIVERED)
    if paged is not None:
        took = (paged.happened_at - story.paged_at).total_seconds()
        lines.append(f"From there to the page: {seconds(round(took, 1))}.")
    else:
        lines.append("That a page went out is not on record.")
    lines.append("_To be answered in the review: when did users notice, and what showed it first?_")
    return bullets(lines)


def _response(story: IncidentStory) -> str:
    rows = [
        (
            _PHASES[phase.name],
            _took(story, phase.at) if phase.at else "not on record",
            _took(story, phase.due_at) if phase.due_at else "—",
            phase.verdict,
        )
        for phase in story.phases
        if phase.name in _PHASES
    ]
    return table(("Phase", "From the page", "Target", "Verdict"), rows)


def _factors(story: IncidentStory) -> list[str]:
    found = []
    for deploy in story.deploys:
        before = round((story.starts_at - deploy.happened_at).total_seconds())
        revision = cleaned(str(deploy.data.get("revision", ""))[:12])
        found.append(
            f"`{revision}` of {cleaned(deploy.subject)} went live {seconds(before)} before the"
            f" alert ({deploy.id})."
        )
    return found


def _mitigation(story: IncidentStory) -> str:
    applied = story.timeline.of_kind(Kind.MITIGATION_APPLIED)
    worked = [f for f in applied if f.data.get("ok")]
    if not worked:
        return (
            "No mitigation that worked is on record. _To be answered in the review: what ended it?_"
        )
    lines = [
        f"{cleaned(f.data.get('name', 'a mitigation'))} was applied at {clock(f.happened_at)}"
        f" ({f.id})."
        for f in worked
    ]
    if story.cleared_at is not None and story.cleared_at >= worked[-1].happened_at:
        took = (story.cleared_at - worked[-1].happened_at).total_seconds()
        lines.append(f"The alert cleared {seconds(round(took, 1))} later.")
    return " ".join(lines)


def _went(story: IncidentStory, verdict: Verdict) -> list[str]:
    return [
        _judged(story, phase)
        for phase in story.phases
        if phase.verdict is verdict and phase.name in _PHASES
    ]


def _judged(story: IncidentStory, phase: StoryPhase) -> str:
    words, target = _PHASES[phase.name], _took(story, phase.due_at)
    if phase.at is None:
        return f"That {words} is not on record (target: {target} after the page)."
    return f"{words.capitalize()} {_took(story, phase.at)} after the page (target: {target})."


def _failures(story: IncidentStory) -> list[str]:
    found = [
        f"{cleaned(f.data.get('name', 'a mitigation'))} did not work ({f.id})."
        for f in story.timeline.of_kind(Kind.MITIGATION_APPLIED)
        if not f.data.get("ok")
    ]
    failed = story.timeline.of_kind(Kind.PAGE_FAILED)
    if failed:
        found.append(f"The pager did not take a page at {clock(failed[0].happened_at)}.")
    return found
