"""Postmortems in the store: drafted, brought together with what people wrote, and published."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from secrets import token_hex
from typing import Protocol

from gameday.errors import Refused, StoreError, UsageError
from gameday.house.lessons.incident_story import state_in_store, story_of
from gameday.house.run.judgement import Documents, result_of
from gameday.incidents.state import State
from gameday.learning.accusation import accusations_in
from gameday.learning.asked_items import asked_in, filings_of
from gameday.learning.gaps import gaps_in
from gameday.learning.incident_postmortem import draft_of_incident, draft_of_near_miss
from gameday.learning.merge import Undecided, conflicts_in, merged
from gameday.learning.postmortem import draft
from gameday.model.action_item import ActionItem
from gameday.model.postmortem import Impact, IncidentStory, Postmortem, PostmortemKind
from gameday.model.severity import IncidentSeverity
from gameday.ports import ActionStore, IncidentStore, PostmortemStore, Store
from scoring.timeline import Fact, Timeline

__all__ = [
    "Drafted",
    "LessonStore",
    "Measure",
    "Subject",
    "draft_anew",
    "freeze",
    "note_near_miss",
    "objections",
    "subject_of",
]

MOST_INCIDENTS = 1000
"""Incidents that are looked through for the one of a run."""

TRIES = 5
"""How often a draft is brought together anew where somebody else was faster."""

Measure = Callable[[IncidentStory], Awaitable[Impact]]
"""Finds out what an incident cost."""


class LessonStore(Store, IncidentStore, ActionStore, PostmortemStore, Protocol):
    """The store with all that is learned from and written."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a postmortem is to be of.

    Attributes:
        fresh: gameday's own draft of it, as of now, with nobody's edits.
        facts: what that was written from.
    """

    fresh: Postmortem
    facts: Sequence[Fact]


@dataclass(frozen=True, slots=True)
class Drafted:
    """A draft as it was put in the store.

    Attributes:
        conflicts: the places that a person has to decide; empty: there are none.
    """

    postmortem: Postmortem
    conflicts: Sequence[Undecided]


async def subject_of(store: LessonStore, about: str, *, now: datetime, measure: Measure) -> Subject:
    """Return what a postmortem of this is, drafted from what is on record now.

    Args:
        about: id of an incident, or of a near miss; a run, or ``last``: its drill's incident.

    Raises:
        UsageError: there is no such thing, or it goes on.
    """
    # In threads: whoever serves meanwhile has pages to send.
    told = await asyncio.to_thread(_told, store, about, now)
    if isinstance(told, Subject):
        return told
    return await asyncio.to_thread(_drafted_from, store, told, await measure(told), now)


def _told(store: LessonStore, about: str, now: datetime) -> Subject | IncidentStory:
    """Return what is on record: whole, or an incident of which the cost is to be measured."""
    known = store.postmortem(about)
    if known is not None and known.kind is PostmortemKind.NEAR_MISS:
        return Subject(known, ())
    incident = _incident_of(store, about)
    state = state_in_store(store, incident, now=now)
    if state.state is State.FALSE_ALARM:
        raise Refused(f"{incident} was a false alarm: there is nothing to tell of")
    if state.closed_at is None:
        raise Refused(
            f"{incident} goes on, as far as is on record; `gameday incident resolve {incident}`"
            " closes it"
        )
    story = story_of(store, state)
    text = _of_drill(store, story.drill) if story.drill is not None else None
    return story if text is None else _subject(story, text, now)


def _drafted_from(
    store: LessonStore, story: IncidentStory, impact: Impact, now: datetime
) -> Subject:
    items = _items(store, f"incident {story.id}")
    return _subject(story, draft_of_incident(replace(story, impact=impact), items), now)


def _subject(story: IncidentStory, text: str, now: datetime) -> Subject:
    fresh = Postmortem(
        id=story.id,
        kind=PostmortemKind.DRILL if story.drill else PostmortemKind.INCIDENT,
        title=story.summary,
        service=story.service,
        severity=story.severity,
        resolved_at=story.resolved_at or now,
        due_at=story.due_at,
        drafted_at=now,
        draft=text,
        text=text,
    )
    return Subject(fresh, tuple(story.timeline))


def _incident_of(store: LessonStore, about: str) -> str:
    if store.incident(about) is not None:
        return about
    run = store.find(about)
    found = [row.id for row in store.incidents(limit=MOST_INCIDENTS) if row.drill == run]
    if not found:
        raise UsageError(f"run {run} paged nobody, and has no incident to tell of")
    return found[0]


def _of_drill(store: LessonStore, run: str) -> str | None:
    """Return the draft of a drill, from its run; None where that is not known here."""
    if run not in {record.id for record in store.runs(limit=MOST_INCIDENTS)}:
        return None
    result, documents = result_of(store, run), Documents.of(store.documents(run))
    if result is None or not documents.scenario:
        return None
    scenario = documents.read_scenario()
    timeline, slo = Timeline.of(store.facts(run)), documents.read_slo(scenario.spec.slo)
    return draft(result, timeline, scenario, slo, _items(store, f"run {run}"))


def _items(store: ActionStore, found_in: str) -> Sequence[ActionItem]:
    items = [i for i in store.action_items(limit=MOST_INCIDENTS) if found_in in i.found_in]
    return sorted(items, key=lambda i: (i.filed_at, i.id))


def draft_anew(
    store: PostmortemStore,
    subject: Subject,
    *,
    edited: str | None = None,
    write: Callable[[str], None] = lambda _: None,
) -> Drafted:
    """Put a newer draft in the store, brought together with what people made of the last one.

    Args:
        edited: the text as a person has it; None: as the store has it.
        write: gives the text back to that person, before the store takes it: what breaks off in
            between is brought together once more.

    Raises:
        Refused: it is published.
        StoreError: others write at the same time, again and again.
    """
    fresh = subject.fresh
    for _ in range(TRIES):
        known = store.postmortem(fresh.id)
        if known is None:
            record = replace(fresh, text=fresh.draft if edited is None else edited)
        elif known.published_at is not None:
            raise Refused(
                f"the postmortem of {fresh.id} was published on {known.published_at:%Y-%m-%d},"
                f" and stays as it is: `gameday postmortem show {fresh.id}`"
            )
        else:
            mine = known.text if edited is None else edited
            text = merged(known.draft, mine, fresh.draft).text
            record = replace(fresh, drafted_at=known.drafted_at, text=text)
        write(record.text)
        if record == known or store.put_postmortem(record, known=known):
            return Drafted(record, conflicts_in(record.text))
    raise StoreError(f"the postmortem of {fresh.id} is written by others: try again")


def note_near_miss(
    store: PostmortemStore,
    title: str,
    *,
    service: str,
    severity: IncidentSeverity,
    told: str,
    now: datetime,
) -> Postmortem:
    """Put a near miss on record, with a draft of its postmortem."""
    id = f"near-{now:%Y%m%d-%H%M}-{token_hex(2)}"
    text = draft_of_near_miss(
        id, title, service=service, severity=severity, noted_at=now, told=told
    )
    record = Postmortem(
        id=id,
        kind=PostmortemKind.NEAR_MISS,
        title=title,
        service=service,
        severity=severity,
        resolved_at=now,
        due_at=None,
        drafted_at=now,
        draft=text,
        text=text,
    )
    store.put_postmortem(record, known=None)
    return record


def objections(text: str) -> Sequence[str]:
    """Return every reason not to publish a text, each with its line and what to do."""
    return (
        *(
            f"line {c.line}: two versions of one place stand here: keep one"
            for c in conflicts_in(text)
        ),
        *(f"line {g.line}: {g.part}: {g.what}" for g in gaps_in(text)),
        *(
            f"line {a.sentence.line}: “{a.said}” accuses: {a.why}; {a.instead}"
            for a in accusations_in(text)
        ),
    )


def freeze(
    store: LessonStore,
    known: Postmortem,
    text: str,
    *,
    facts: Sequence[Fact],
    url: str,
    by: str,
    now: datetime,
) -> tuple[Postmortem, Sequence[ActionItem]]:
    """Freeze a postmortem with its evidence; return it, and the action items that it files.

    Raises:
        Refused: it is published already.
        StoreError: somebody else has changed it meanwhile.
    """
    if known.published_at is not None:
        raise Refused(f"the postmortem of {known.id} is published already")
    record = replace(
        known,
        text=text,
        published_at=now,
        url=url,
        evidence=tuple(fact.to_json() for fact in facts),
    )
    named = (asked.get("id", "") for asked in asked_in(text))
    filed = [id for id in named if store.action_item(id) is not None]
    asked = filings_of(record, at=now, known=filed, by=by)
    # First, so that what breaks off in between files them again, which changes nothing.
    items = store.change_actions(asked)
    if not store.put_postmortem(record, known=known):
        raise StoreError(f"the postmortem of {known.id} was changed meanwhile: look at it again")
    return record, items
