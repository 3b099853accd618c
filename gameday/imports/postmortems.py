"""A postmortem in Markdown as an incident: its day, its instants, its spans, its action items.

Read is what most people write: a day in the title, a part *Timeline* whose entries begin with a
time (as headings, as items or as rows), sentences that say how long it lasted, and a part *Action
items*. Where the sentences, the timeline, the title and the file's name do not agree, that is said,
and the span they disagree on is not counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise

from gameday.imports.imported import Imported
from gameday.imports.instants import WrittenInstant, day_in, instant_in, zone_in
from gameday.imports.outline import WrittenPart, parts_of
from gameday.imports.severities import severity_named
from gameday.imports.spans import are_apart, in_words, spans_in
from gameday.model.past_incident import Contradiction, ItemState, PastIncident, PastItem

__all__ = ["read_postmortem"]

_TIMELINE = re.compile(r"\b(?:timeline|chronology)\b", re.IGNORECASE)
_ACTIONS = (
    re.compile(r"\baction items?\b", re.IGNORECASE),
    re.compile(r"^actions\b|\bfollow[- ]?ups?$|^next steps", re.IGNORECASE),
)
_SUMMARY = re.compile(r"summary|overview|abstract|tl;?dr|impact", re.IGNORECASE)
_LESSONS = re.compile(r"went (?:wrong|badly|poorly|well)|lessons", re.IGNORECASE)

_HURTS = re.compile(
    r"\b(?:lasted|unusable|outages?|disruption|degraded|downtime|was down|were down|unavailable|"
    r"recover(?:y|ed)?|restored)\b",
    re.IGNORECASE,
)
_NOT_THIS_ONE = re.compile(
    r"\b(?:previous(?:ly)?|once|last time|timeout|periodic|each time|per)\b", re.IGNORECASE
)
_UNNOTICED = re.compile(
    r"unnoticed for|before (?:we|any\w+|some\w+|it was|the team) (?:had )?"
    r"(?:noticed|realiz|realis|detected|discovered|found out)",
    re.IGNORECASE,
)
_NOTICED = re.compile(
    r"\b(?:notic(?:e|ed)|report(?:s|ed)?|alert(?:s|ed)?|notified|e?mails?|pag(?:e|ed)|realiz(?:e|ed)|"
    r"identified|discover(?:s|ed)?|detected)\b",
    re.IGNORECASE,
)
_WELL = re.compile(
    r"back to (?:normal|100)|returns? (?:back )?to (?:normal|100)|self-heals|"
    r"\b(?:issue|problem|outage|incident|service|services|error)s?\b[^.]{0,30}"
    r"\b(?:resolved|fixed|over|restored|goes away|went away|gone)\b|"
    r"\b(?:are|is) (?:now )?back\b|work(?:s|ing)? (?:again|fine)|launch fine|"
    r"\beverything is fine\b|goes? back to 100|recovered\b",
    re.IGNORECASE,
)
_NOT_YET = re.compile(r"\bnot\b|n't\b|\bwould\b|\bshould\b|despite|\bif\b|\bhop", re.IGNORECASE)

_DONE = re.compile(r"^\[x\]|\(done\)|\bdone\b[.)_]*$|✅|✔|\bhas been done\b", re.IGNORECASE)
_MARK = re.compile(r"\s*(?:\(done\)|✅|✔)\s*", re.IGNORECASE)
_OPEN = re.compile(r"^\[ \]")
_BOX = re.compile(r"^\[[ xX]\]\s*")
_TRACKER = re.compile(
    r"\s*\(?\s*<?(?:https?://\S+|#\d+|(?:see here for an |link to |see )?"
    r"(?:issue|pull request|pr|link)(?: here)?)>?\s*\)?\.?\s*$",
    re.IGNORECASE,
)
_NO_ACTION = re.compile(r"went (?:wrong|well|badly)|luck|^only sample", re.IGNORECASE)
_KIND_ONLY = re.compile(
    r"^(?:process|documentation|technical|code|configuration|training|testing|misc|deployment|"
    r"investigation|local development|improvements?|changes|and|\s)+$",
    re.IGNORECASE,
)
_FIELD = re.compile(
    r"^[\s|>*_-]*(?P<name>severity|service|team|region|cause|trigger|pipeline)"
    r"[\s*_]*[:|][\s*_]*(?P<value>[^|\n]*?)[\s|*_]*$",
    re.IGNORECASE | re.MULTILINE,
)

_DAY = timedelta(days=1)
_BACK = timedelta(hours=12)
"""A time so much before the one above it is of the next day; less, and it is misplaced."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of a timeline."""

    at: datetime
    words: str


def read_postmortem(text: str, name: str, *, zone: tzinfo = UTC) -> Imported | None:
    """Return the incident of a postmortem; None where nothing in it says when it was.

    Args:
        name: of its file, without the ending; it is the incident's id.
        zone: of times that say none.
    """
    parts = parts_of(text)
    title = next((p for p in parts if p.level == 1), parts[0])
    in_title, in_name = day_in(title.heading), day_in(name)
    year = next((d.year for d in (in_name, in_title) if d), None)
    entries = _timeline(parts, in_title or in_name, year, zone)
    day = in_title or in_name
    if not entries and day is None:
        return None
    began = entries[0].at if entries else datetime.combine(day or date.min, time(), zone)
    spans = _Spans.of(parts, title)
    incident = PastIncident(
        id=name,
        began_at=began.astimezone(UTC),
        title=_title(title.heading) or name,
        source=name,
        is_by_day=not any(e.at.time() != time() for e in entries),
        **_fields(text, parts),  # type: ignore[arg-type] # each is checked there
    )
    found = list(_days_apart(name, in_name, in_title, entries))
    incident = _with_end(incident, entries, spans, found)
    incident = _with_notice(incident, entries, spans, found)
    spoiled = frozenset(s for one in found for s in one.spoils)
    return Imported(replace(incident, spoiled=spoiled), tuple(_items(parts)), tuple(found))


@dataclass(frozen=True, slots=True)
class _Spans:
    """What the sentences say: how long users were hurt, and how long nobody noticed."""

    hurt: Sequence[tuple[timedelta, str]]
    unnoticed: Sequence[tuple[timedelta, str]]

    @classmethod
    def of(cls, parts: Sequence[WrittenPart], title: WrittenPart) -> _Spans:
        hurt, unnoticed = [], []
        for sentence in _telling(parts, title):
            spans = spans_in(sentence)
            if not spans or _NOT_THIS_ONE.search(sentence):
                continue
            if _UNNOTICED.search(sentence):
                unnoticed.append((spans[0], sentence))
            elif _HURTS.search(sentence):
                hurt.append((spans[0], sentence))
        return cls(hurt, unnoticed)


def _telling(parts: Sequence[WrittenPart], title: WrittenPart) -> Iterator[str]:
    """Yield the sentences that tell of the incident as a whole."""
    yield title.heading
    within_lessons = 0
    for part in parts:
        if within_lessons and part.level <= within_lessons:
            within_lessons = 0
        if _LESSONS.search(part.heading) and not within_lessons:
            within_lessons = part.level
        if part.level <= 1 or _SUMMARY.search(part.heading) or within_lessons:
            yield from part.sentences
        else:  # in a timeline only a sentence that looks back
            yield from (s for s in part.sentences if re.search(r"\bof total downtime\b", s))


def _with_end(
    incident: PastIncident,
    entries: Sequence[_Entry],
    spans: _Spans,
    found: list[Contradiction],
) -> PastIncident:
    """Return the incident with when users were well again, or how long they were not."""
    well = [e.at for e in entries[1:] if _WELL.search(e.words) and _says_so(e.words)]
    said = spans.hurt
    for span, _ in said[1:]:
        if are_apart(span, said[0][0]):
            sentence = f"it says {in_words(said[0][0])}, and elsewhere {in_words(span)}"
            found.append(Contradiction(incident.id, sentence, frozenset({"recover"})))
            break
    if not well or incident.is_by_day:
        return replace(incident, recovered_in=said[0][0]) if said else incident
    fitting = [at for at in well if said and not are_apart(at - incident.began_at, said[0][0])]
    cleared = fitting[0] if fitting else well[-1]
    if said and not fitting:
        sentence = (
            f"it says {in_words(said[0][0])}, and its timeline shows"
            f" {in_words(cleared - incident.began_at)}"
            f" ({incident.began_at:%H:%M} to {cleared.astimezone(UTC):%H:%M} UTC)"
        )
        found.append(Contradiction(incident.id, sentence, frozenset({"recover"})))
    return replace(incident, cleared_at=cleared.astimezone(UTC))


def _with_notice(
    incident: PastIncident,
    entries: Sequence[_Entry],
    spans: _Spans,
    found: list[Contradiction],
) -> PastIncident:
    """Return the incident with when it was noticed; where the record begins with that, unknown."""
    first = next((n for n, e in enumerate(entries) if _NOTICED.search(e.words)), None)
    said = spans.unnoticed[0][0] if spans.unnoticed else None
    if not first or incident.is_by_day:
        return replace(incident, detected_in=said)
    detected = entries[first].at
    took = detected - incident.began_at
    if said is not None and are_apart(took, said):
        sentence = (
            f"it says that nobody noticed for {in_words(said)}, and its timeline shows"
            f" {in_words(took)}"
        )
        found.append(Contradiction(incident.id, sentence, frozenset({"detect"})))
    return replace(incident, detected_at=detected.astimezone(UTC))


def _says_so(words: str) -> bool:
    """Return whether a sentence says that all is well, and not that it is not or should be."""
    sentences = re.split(r"(?<=[.!?])\s+", words)
    return any(_WELL.search(s) and not _NOT_YET.search(s) for s in sentences)


def _days_apart(
    name: str, in_name: date | None, in_title: date | None, entries: Sequence[_Entry]
) -> Iterator[Contradiction]:
    if in_name and in_title and in_name != in_title:
        yield Contradiction(name, f"its title says {in_title}, its file's name {in_name}")
    days = [e.at.date() for e in entries]
    if days and in_title and not min(days) <= in_title <= max(days):
        yield Contradiction(name, f"its title says {in_title}, its timeline is of {min(days)}")
    for one, other in pairwise(entries):
        if other.at < one.at:
            yield Contradiction(
                name,
                f"its timeline goes back from {one.at:%H:%M} to {other.at:%H:%M}",
            )


def _timeline(
    parts: Sequence[WrittenPart], day: date | None, year: int | None, zone: tzinfo
) -> Sequence[_Entry]:
    """Return the entries of the timeline, in the order they stand in."""
    start = next((n for n, p in enumerate(parts) if _TIMELINE.search(p.heading)), None)
    if start is None:
        return ()
    timeline = parts[start]
    written: list[tuple[WrittenInstant, str]] = []
    said_zone = zone_in(timeline.heading)
    for text in timeline.paragraphs:
        said_zone = said_zone or zone_in(text)
    for part in parts[start + 1 :]:
        instant = instant_in(part.heading, year=year)
        if instant is not None and re.match(r"\W*(?:ca\.?\s*)?\w", part.heading):
            written.append((instant, ". ".join([part.heading, *part.sentences])))
        elif part.level <= timeline.level:
            break
    if not written:
        for text in _lines(timeline):
            if re.match(r"\W*\d", text) and (instant := instant_in(text, year=year)):
                written.append((instant, text))
    return _dated(written, day, said_zone or zone)


def _lines(part: WrittenPart) -> Iterator[str]:
    yield from part.paragraphs
    yield from part.items
    for rows in part.tables:
        yield from (" ".join(row) for row in rows[1:])


def _dated(
    written: Sequence[tuple[WrittenInstant, str]], day: date | None, zone: tzinfo
) -> Sequence[_Entry]:
    entries: list[_Entry] = []
    for instant, words in written:
        known = instant.day or (entries[-1].at.date() if entries else day)
        if known is None:
            continue
        if instant.clock is None and entries:
            continue
        said = instant.zone or (entries[-1].at.tzinfo if entries else None) or zone
        at = datetime.combine(known, instant.clock or time(), said)
        if entries and instant.day is None and entries[-1].at - at > _BACK:
            at += _DAY
        entries.append(_Entry(at, words))
    return entries


def _items(parts: Sequence[WrittenPart]) -> Iterator[PastItem]:
    known = (n for words in _ACTIONS for n, p in enumerate(parts) if words.search(p.heading))
    start = next(known, None)
    if start is None:
        return
    level = parts[start].level
    for number, part in enumerate(parts[start:]):
        if number and part.level <= level:
            return
        if number and _NO_ACTION.search(part.heading):
            continue
        component = "" if not number or _KIND_ONLY.match(part.heading) else part.heading
        texts = list(part.items)
        for rows in part.tables:
            texts += [row[0] for row in rows[1:] if row]
        # Under a heading of its own a paragraph is the item; beside a list it explains.
        if not texts and number:
            texts = list(part.paragraphs)
        for text in texts:
            if (item := _item(text, component)) is not None:
                yield item


def _item(text: str, component: str) -> PastItem | None:
    state = ItemState.UNKNOWN
    if _DONE.search(text):
        state = ItemState.DONE
    elif _OPEN.search(text):
        state = ItemState.OPEN
    words = _BOX.sub("", text)
    sentences = re.split(r"(?<=[.!?])\s+(?=[\"'“‘(\[`]?[A-Z0-9])", words)
    wording = _TRACKER.sub("", _MARK.sub("", sentences[0])).strip(" .:")
    return PastItem(wording, component, state) if re.search(r"\w\w", wording) else None


def _title(heading: str) -> str:
    """Return a title without the day it begins with."""
    return re.sub(
        r"^(?:incident date:?\s*)?\d{4}-\d\d-\d\d"
        r"(?:\s+\d{1,2}:\d\d\s*(?:[AP]M)?\s*[A-Z]{0,4})?[\s,:–-]*",
        "",
        heading,
        flags=re.IGNORECASE,
    ).strip()


def _fields(text: str, parts: Sequence[WrittenPart]) -> dict[str, object]:
    """Return what the head of the text says by name: front matter, lines, or a table of two."""
    lines = text.split("\n")
    end = next((p.line - 1 for p in parts if p.level >= 2), len(lines))
    found: dict[str, object] = {}
    for match in _FIELD.finditer("\n".join(lines[:end])):
        name, value = match["name"].lower(), match["value"].strip().strip("\"'")
        if not value or name in found:
            continue
        if name == "severity":
            found[name] = severity_named(value)
        else:
            found[name] = value
    return {key: value for key, value in found.items() if value is not None}
