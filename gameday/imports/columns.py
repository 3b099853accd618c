"""Rows with named columns as incidents: of CSV, of JSON, of a table in Markdown.

Columns are known by the names that most trackers give them, or by a mapping. A row whose stated
duration is not what lies between its own instants, or whose instants are out of order, says so and
is not counted in that span.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from gameday.imports.imported import Imported
from gameday.imports.instants import read_instant
from gameday.imports.severities import severity_named
from gameday.imports.spans import in_words, read_span
from gameday.model.past_incident import (
    Contradiction,
    Dimension,
    ItemState,
    PastIncident,
    PastItem,
)

__all__ = ["FIELDS", "Row", "Rows", "columns_of"]

Row = Mapping[str, object]

_CALLED: Mapping[str, str] = {
    "id": "id incident_id incident key number ticket",
    "title": "title name summary description headline",
    "began": "began began_at started started_at start start_time start_date opened opened_at"
    " created created_at begin occurred occurred_at date incident_date impact_start",
    "detected": "detected detected_at noticed discovered reported alerted paged paged_at triggered"
    " detection_time",
    "acked": "acked acked_at acknowledged acknowledged_at ack",
    "mitigated": "mitigated mitigated_at stable stable_at",
    "cleared": "cleared cleared_at resolved resolved_at restored recovered end end_time ended"
    " ended_at fixed fixed_at resolution_time impact_end",
    "closed": "closed closed_at",
    "postmortem": "postmortem postmortem_at postmortem_published review_published",
    "detected_in": "detected_in ttd mttd time_to_detect",
    "recovered_in": "recovered_in duration ttr mttr time_to_resolve time_to_recover"
    " time_to_repair repair_time downtime outage_duration",
    "severity": "severity sev priority level",
    "team": "team owner owning_team owner_team squad",
    "service": "service component system affected_service application",
    "cause": "cause cause_class class root_cause root_cause_class category",
    "trigger": "trigger triggered_by",
    "pipeline": "pipeline deploy_pipeline",
    "region": "region zone location datacenter",
    "items": "items action_items actions follow_ups",
}
FIELDS = tuple(_CALLED)
"""What a column may hold, by our names."""

_ITEM_CALLED: Mapping[str, str] = {
    "incident": "incident incident_id",
    "wording": "wording action_item action item title summary description",
    "component": "component service",
    "state": "state status done",
    "filed": "filed filed_at created created_at opened opened_at",
    "closed": "closed closed_at completed completed_at done_at resolved resolved_at",
}
_EXPOSURE_CALLED: Mapping[str, str] = {
    "dimension": "dimension",
    "value": "value name",
    "amount": "amount exposure count deploys requests hours",
}

_UNITS = {
    "seconds": timedelta(seconds=1),
    "secs": timedelta(seconds=1),
    "s": timedelta(seconds=1),
    "minutes": timedelta(minutes=1),
    "mins": timedelta(minutes=1),
    "min": timedelta(minutes=1),
    "m": timedelta(minutes=1),
    "hours": timedelta(hours=1),
    "hrs": timedelta(hours=1),
    "h": timedelta(hours=1),
    "days": timedelta(days=1),
    "d": timedelta(days=1),
}
_IN_UNIT = re.compile(r"^(?P<name>.+?)_(?:in_)?(?P<unit>" + "|".join(_UNITS) + ")$")
_INSTANTS = ("began", "detected", "acked", "mitigated", "cleared", "closed")
"""In the order in which they mostly happen."""

_ORDER = (
    ("began", "detected", ("detect",)),
    ("began", "acked", ("ack",)),
    ("began", "mitigated", ()),
    ("began", "cleared", ("recover",)),
    ("began", "closed", ()),
    ("detected", "acked", ("ack",)),
    ("cleared", "closed", ()),
)
"""What cannot come before what, and which spans are not counted where it does."""

_ROUNDED = 0.05
_ROUNDED_AT_LEAST = timedelta(minutes=2)
"""How far a stated duration may lie from its own instants: it was rounded."""

_DONE = ("done", "closed", "completed", "complete", "resolved", "fixed", "yes", "true", "x", "✓")
_OPEN = ("open", "todo", "in_progress", "in-progress", "started", "new", "no", "false", "pending")


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column holds what.

    Attributes:
        kind: what the rows are: ``incidents``, ``items`` or ``exposures``.
        of: our name → theirs.
        units: of a column with bare numbers, the unit that its name says.
    """

    kind: str
    of: Mapping[str, str]
    units: Mapping[str, timedelta] = field(default_factory=dict)


def columns_of(names: Sequence[str], mapping: Mapping[str, str]) -> Columns | None:
    """Return which column holds what; None where the rows are none of ours.

    Args:
        mapping: our name → theirs, for columns that are called otherwise; it goes first.
    """
    known = _matched(names, _EXPOSURE_CALLED, {})
    if {"dimension", "value", "amount"} <= known.of.keys():
        return replace(known, kind="exposures")
    own = {ours: theirs for ours, theirs in mapping.items() if theirs in names}
    incidents = _matched(names, _CALLED, own)
    items = _matched(names, _ITEM_CALLED, own)
    # A table of items names the incident of each, and when none of it began.
    if {"incident", "wording"} <= items.of.keys() and "began" not in own:
        tells_more = {"severity", "detected", "acked", "cleared", "recovered_in"}
        if not tells_more & incidents.of.keys() or "state" in items.of:
            return replace(items, kind="items")
    return replace(incidents, kind="incidents") if "began" in incidents.of else None


def _matched(names: Sequence[str], called: Mapping[str, str], own: Mapping[str, str]) -> Columns:
    of: dict[str, str] = {k: v for k, v in own.items() if k in called}
    units: dict[str, timedelta] = {}
    taken = set(of.values())
    plain = {name: _plain(name) for name in names}
    for ours, words in called.items():
        # The first word is the likeliest, so of two columns that fit the better one is taken.
        for word in words.split():
            for name, said in plain.items():
                in_unit = _IN_UNIT.match(said)
                bare = in_unit["name"] if in_unit else said
                if word not in (said, bare) or name in taken or ours in of:
                    continue
                of[ours] = name
                taken.add(name)
    for ours, name in of.items():
        if (in_unit := _IN_UNIT.match(plain[name])) is not None:
            units[ours] = _UNITS[in_unit["unit"]]
    return Columns("", of, units)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")


class Rows:
    """Rows while they are read, of any number of files."""

    def __init__(self) -> None:
        self.incidents: list[Imported] = []
        self.items: dict[str, list[PastItem]] = {}
        self.exposures: dict[Dimension, dict[str, float]] = {}
        self.unread: list[str] = []

    def read(self, rows: Iterable[tuple[str, Row]], columns: Columns, source: str) -> None:
        """Take rows in, each with its place (``log.csv:7``)."""
        for place, row in rows:
            cells = {
                ours: row.get(theirs)
                for ours, theirs in columns.of.items()
                if row.get(theirs) not in (None, "")
            }
            if not cells:
                continue
            match columns.kind:
                case "exposures":
                    self._exposure(place, cells)
                case "items":
                    self._item(cells)
                case _:
                    self._incident(place, cells, columns, source)

    def _exposure(self, place: str, cells: Mapping[str, object]) -> None:
        said = str(cells.get("dimension", "")).strip().lower()
        try:
            dimension, amount = Dimension(said), float(str(cells.get("amount", "")))
        except ValueError:
            known = ", ".join(d for d in Dimension)
            self.unread.append(
                f"{place}: {said!r} with {cells.get('amount')!r} is no exposure: a dimension is one"
                f" of {known}, an amount is a number"
            )
            return
        values = self.exposures.setdefault(dimension, {})
        value = str(cells.get("value", "")).strip()
        values[value] = values.get(value, 0.0) + amount

    def _item(self, cells: Mapping[str, object]) -> None:
        incident = str(cells.get("incident", "")).strip()
        if (item := item_of(cells)) is not None:
            self.items.setdefault(incident, []).append(item)

    def _incident(
        self, place: str, cells: Mapping[str, object], columns: Columns, source: str
    ) -> None:
        instants: dict[str, datetime] = {}
        is_by_day = False
        for name in (*_INSTANTS, "postmortem"):
            if name not in cells:
                continue
            read = read_instant(cells[name])
            if read is None:
                if name == "began":
                    self.unread.append(
                        f"{place}: {columns.of[name]} {str(cells[name])!r} is no instant: write"
                        " 2026-01-31T14:05Z, or 2026-01-31 where only the day is known"
                    )
                continue
            instants[name] = read[0]
            is_by_day |= name == "began" and read[1]
        if "began" not in instants:
            if "began" not in cells:
                self.unread.append(f"{place}: nothing says when it began")
            return
        id = str(cells.get("id") or place).strip()
        incident = PastIncident(
            id=id,
            title=_text(cells.get("title")),
            source=source,
            is_by_day=is_by_day,
            severity=severity_named(cells["severity"]) if "severity" in cells else None,
            **{f"{name}_at": at for name, at in instants.items()},  # type: ignore[arg-type]
            team=_text(cells.get("team")),
            service=_text(cells.get("service")),
            cause=_text(cells.get("cause")),
            trigger=_text(cells.get("trigger")),
            pipeline=_text(cells.get("pipeline")),
            region=_text(cells.get("region")),
        )
        stated = {
            name: read_span(cells[name], unit=columns.units.get(name, timedelta(minutes=1)))
            for name in ("detected_in", "recovered_in")
            if name in cells
        }
        found = [*_out_of_order(id, instants), *_unlike(incident, stated)]
        spoiled = frozenset(s for one in found for s in one.spoils)
        incident = replace(incident, spoiled=spoiled, **stated)  # type: ignore[arg-type]
        self.incidents.append(Imported(incident, _items_in(cells.get("items")), tuple(found)))


def item_of(cells: Mapping[str, object]) -> PastItem | None:
    """Return the action item of a row's cells by our names; None where it has no words."""
    wording = _text(cells.get("wording"))
    if not wording:
        return None
    filed, closed = (
        read[0] if name in cells and (read := read_instant(cells[name])) else None
        for name in ("filed", "closed")
    )
    said = str(cells.get("state", "")).strip().lower()
    state = ItemState.UNKNOWN
    if closed is not None or said in _DONE:
        state = ItemState.DONE
    elif said in _OPEN or ("closed" in cells) or ("state" in cells and said):
        state = ItemState.OPEN
    return PastItem(wording, _text(cells.get("component")), state, filed, closed)


def _items_in(said: object) -> tuple[PastItem, ...]:
    """Return the items of a cell: a list of texts or of objects, or texts between semicolons."""
    if isinstance(said, str):
        said = [part for part in re.split(r"\s*[;\n]\s*", said) if part]
    if not isinstance(said, list):
        return ()
    items: list[PastItem | None] = []
    for one in said:
        if isinstance(one, Mapping):
            of = _matched([str(k) for k in one], _ITEM_CALLED, {}).of
            items.append(item_of({ours: one[theirs] for ours, theirs in of.items()}))
        else:
            items.append(item_of({"wording": one}))
    return tuple(item for item in items if item is not None)


def _out_of_order(id: str, instants: Mapping[str, datetime]) -> Iterator[Contradiction]:
    """Yield instants that cannot be; users may well be helped before anybody acknowledges."""
    for before, after, spoils in _ORDER:
        first, second = instants.get(before), instants.get(after)
        if first is not None and second is not None and second < first:
            yield Contradiction(
                id,
                f"it was {after} at {_shown(second)}, before it {_verb(before)} at {_shown(first)}",
                frozenset(spoils),
            )


def _unlike(
    incident: PastIncident, stated: Mapping[str, timedelta | None]
) -> Iterator[Contradiction]:
    for name, end in (("detected_in", incident.detected_at), ("recovered_in", incident.cleared_at)):
        said = stated.get(name)
        if said is None or end is None or incident.is_by_day or end < incident.began_at:
            continue
        took = end - incident.began_at
        if abs(took - said) > max(_ROUNDED_AT_LEAST, _ROUNDED * took):
            spoils = "detect" if name == "detected_in" else "recover"
            yield Contradiction(
                incident.id,
                f"it states {in_words(said)}, and between its own instants lie {in_words(took)}",
                frozenset({spoils}),
            )


def _shown(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def _verb(name: str) -> str:
    return name if name == "began" else f"was {name}"


def _text(said: object) -> str:
    return "" if said is None else " ".join(str(said).split())
