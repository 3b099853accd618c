"""The chronicle of the store: incidents that were, ours and those that others wrote down.

Ours are the lines of `incidents`, which the engine keeps up to date; of action items each has its
theme from the instant it is stored. So a chronicle is read in five queries, and no fact is decoded.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from gameday.drivers.database.connection import Connected
from gameday.drivers.database.incidents import in_parts
from gameday.model.past_incident import (
    IN_TIME,
    Chronicle,
    Contradiction,
    Dimension,
    FiledItem,
    ItemState,
    ItemTally,
    PastIncident,
    Theme,
)
from gameday.model.severity import IncidentSeverity

T = TypeVar("T")

_OF = ("team", "service", "cause", "trigger", "pipeline", "region")
_INSTANTS = (
    *("began_at", "detected_at", "acked_at", "mitigated_at", "cleared_at", "closed_at"),
    "postmortem_at",
)

RECURS = 3
"""Incidents that ask for the same before it is said."""

MOST_THEMES = 100
"""That are told of, the most frequent first."""


class PastTables(Connected):
    """The incidents that were; a `gameday.ports.PastStore`."""

    def keep_past(
        self,
        incidents: Sequence[PastIncident],
        contradictions: Sequence[Contradiction],
        items: Sequence[FiledItem],
        exposures: Mapping[Dimension, Mapping[str, float]],
    ) -> None:
        """Write all of this in one transaction; what is there already is brought up to date."""
        said: dict[str, list[Contradiction]] = defaultdict(list)
        for one in contradictions:
            said[one.incident].append(one)
        tables = self._tables
        with self._writing() as connection:
            for some in _parts(incidents):
                rows = [_row(one, said[one.id]) for one in some]
                self._upsert(connection, tables.past_incidents, rows, ("id",))
            # Imported again, an incident has the items that its file has now.
            for ids in in_parts(one.id for one in incidents):
                old = tables.past_items.c
                gone = old.incident.in_(ids) & old.change.is_(None)
                connection.execute(tables.past_items.delete().where(gone))
            self._file(connection, items)
            values = [
                {"dimension": str(dimension), "value": value, "amount": amount}
                for dimension, amounts in exposures.items()
                for value, amount in amounts.items()
            ]
            self._upsert(connection, tables.exposures, values, ("dimension", "value"))

    def file_items(self, items: Sequence[FiledItem]) -> None:
        """Write action items in one transaction; one that is there already is replaced."""
        with self._writing() as connection:
            self._file(connection, items)

    def _file(self, connection: Any, items: Sequence[FiledItem]) -> None:
        tables = self._tables
        for some in _parts(items):
            rows = [_item_row(one) for one in some]
            self._upsert(connection, tables.past_items, rows, ("id",))
            wordings = {
                (one.item.component, one.signature): one.theme
                for one in some
                if one.theme is not None
            }
            self._upsert(
                connection,
                tables.wordings,
                [{"component": c, "signature": s, "theme": t} for (c, s), t in wordings.items()],
                ("component", "signature"),
            )

    def _upsert(
        self, connection: Any, table: Any, rows: Sequence[Mapping[str, object]], key: Sequence[str]
    ) -> None:
        if not rows:
            return
        insert = self._insert(table)
        changed = {name: insert.excluded[name] for name in rows[0] if name not in key}
        connection.execute(
            insert.on_conflict_do_update(index_elements=list(key), set_=changed), rows
        )

    def known_wordings(self, components: Sequence[str]) -> Sequence[tuple[int, str, str]]:
        """Return (theme, component, signature) of what was worded before, in order of the theme."""
        wordings = self._tables.wordings.c
        columns = (wordings.theme, wordings.component, wordings.signature)
        found: list[tuple[int, str, str]] = []
        with self._reading() as connection:
            for some in in_parts(components):
                query = self._sa.select(*columns).where(wordings.component.in_(some))
                found += [
                    (theme, component, s) for theme, component, s in connection.execute(query)
                ]
        return sorted(found)

    def last_theme(self) -> int:
        """Return the number of the newest theme; 0 where there is none."""
        with self._reading() as connection:
            newest = self._sa.func.max(self._tables.wordings.c.theme)
            return connection.scalar(self._sa.select(newest)) or 0

    def actions_to_file(self) -> tuple[int, Sequence[str]]:
        """Return (the number of the newest word about our action items, the items that changed)."""
        sa, tables = self._sa, self._tables
        changes = tables.action_changes.c
        with self._reading() as connection:
            seen = connection.scalar(sa.select(sa.func.max(tables.past_items.c.change))) or 0
            newest = connection.scalar(sa.select(sa.func.max(changes.number))) or 0
            query = sa.select(changes.item).where(changes.number > seen).distinct()
            return newest, sorted(connection.scalars(query))

    def incidents_of_drills(self) -> Mapping[str, tuple[str, str]]:
        """Return run → (the incident of its drill, its region or nothing); of several the first."""
        rows = self._tables.incidents.c
        query = self._sa.select(rows.drill, rows.id, rows.region).where(rows.drill.is_not(None))
        with self._reading() as connection:
            found = connection.execute(query.order_by(rows.opened_at.desc())).all()
        return {run: (id, region or "") for run, id, region in found}

    def groups_without_times(self) -> Sequence[str]:
        """Return the groups of incidents whose lines an older gameday wrote, without instants."""
        rows = self._tables.incidents.c
        query = self._sa.select(rows.group).where(rows.began_at.is_(None), rows.pruned_at.is_(None))
        with self._reading() as connection:
            return sorted(connection.scalars(query.distinct()))

    # --- reading -----------------------------------------------------------------------------

    def chronicle(self, *, as_of: datetime) -> Chronicle:
        """Return everything that is known until an instant; drills are none of it."""
        tables = self._tables
        with self._reading() as connection:
            tallies = self._tallies(connection, as_of)
            incidents = [*self._ours(connection, tallies)]
            contradictions: list[Contradiction] = []
            incidents += self._theirs(connection, tallies, contradictions)
            exposures: dict[Dimension, dict[str, float]] = defaultdict(dict)
            for row in connection.execute(self._sa.select(tables.exposures)):
                exposures[Dimension(row.dimension)][row.value] = row.amount
            themes = self._themes(connection)
        # Both halves are in order already, so that this is hardly more than laying them together.
        incidents.sort(key=_in_order)
        return Chronicle(incidents, as_of, themes, exposures, contradictions)

    def _tallies(self, connection: Any, as_of: datetime) -> Mapping[str, ItemTally]:
        # By hand, for it is read from an index alone, and in one pass.
        query = self._sa.text(
            "SELECT incident, count(*), sum(CASE WHEN state = 'open' THEN 1 ELSE 0 END),"
            " sum(CASE WHEN state = 'done' THEN 1 ELSE 0 END),"
            " sum(CASE WHEN in_time IS NOT NULL AND filed_at <= :due THEN 1 ELSE 0 END),"
            " sum(CASE WHEN filed_at <= :due THEN coalesce(in_time, 0) ELSE 0 END),"
            " max(closed_at) FROM past_items GROUP BY incident"
        )
        rows = connection.execute(query, {"due": (as_of - IN_TIME).isoformat()}).all()
        read = datetime.fromisoformat
        return {
            incident: ItemTally(filed, still, done, due, in_time, read(last) if last else None)
            for incident, filed, still, done, due, in_time, last in rows
        }

    def _ours(self, connection: Any, tallies: Mapping[str, ItemTally]) -> Iterator[PastIncident]:
        sa, rows, written = self._sa, self._tables.incidents.c, self._tables.postmortems.c
        # One of ours counts from when it was published, one elsewhere from when that was said.
        written_at = sa.func.coalesce(written.published_at, rows.postmortem_at)
        query = (
            sa.select(
                *(rows.id, rows.slo, rows.severity, rows.began_at, rows.opened_at, rows.acked_at),
                *(rows.mitigated_at, rows.cleared_at, rows.closed_at, written_at),
                *(rows.team, rows.service, rows.region),
            )
            .outerjoin_from(rows.id.table, written.id.table, rows.id == written.id)
            .where(rows.drill.is_(None), rows.merged_into.is_(None), rows.state != "false alarm")
            .order_by(rows.began_at)
        )
        read, none, same = datetime.fromisoformat, ItemTally(), _Same()
        for id, slo, severity, *instants, team, service, region in connection.execute(query).all():
            began, paged, acked, mitigated, cleared, closed, told = (
                read(at) if at else None for at in instants
            )
            yield PastIncident(
                id=id,
                began_at=began or paged,  # type: ignore[arg-type] # which no line is without
                title=slo,
                severity=_SEVERITIES[severity],
                detected_at=paged,
                acked_at=acked,
                mitigated_at=mitigated,
                cleared_at=cleared,
                closed_at=closed,
                team=same[team or ""],
                service=same[service],
                region=same[region or ""],
                postmortem_at=told,
                tally=tallies.get(id, none),
            )

    def _theirs(
        self,
        connection: Any,
        tallies: Mapping[str, ItemTally],
        contradictions: list[Contradiction],
    ) -> Iterator[PastIncident]:
        rows = self._tables.past_incidents.c
        columns = ("id", "source", "title", "severity", "is_by_day", "detected_in", "recovered_in")
        query = self._sa.select(
            *(rows[name] for name in columns),
            *(rows[name] for name in _INSTANTS),
            *(rows[name] for name in _OF),
            rows.spoiled,
            rows.contradictions,
        ).order_by(rows.began_at)
        read, none, same, unspoiled = datetime.fromisoformat, ItemTally(), _Same(), frozenset[str]()
        for row in connection.execute(query).all():
            id, source, title, severity, is_by_day, detected_in, recovered_in = row[:7]
            instants = [read(at) if at else None for at in row[7:14]]
            team, service, cause, trigger, pipeline, region, spoiled, said = row[14:]
            if said:
                contradictions += [
                    Contradiction(id, sentence, frozenset(spoils))
                    for sentence, spoils in json.loads(said)
                ]
            yield PastIncident(
                id=id,
                began_at=instants[0],  # type: ignore[arg-type] # the column is never empty
                title=title,
                source=same[source],
                severity=_SEVERITIES.get(severity),
                detected_at=instants[1],
                acked_at=instants[2],
                mitigated_at=instants[3],
                cleared_at=instants[4],
                closed_at=instants[5],
                detected_in=None if detected_in is None else timedelta(seconds=detected_in),
                recovered_in=None if recovered_in is None else timedelta(seconds=recovered_in),
                team=same[team],
                service=same[service],
                cause=same[cause],
                trigger=same[trigger],
                pipeline=same[pipeline],
                region=same[region],
                is_by_day=bool(is_by_day),
                postmortem_at=instants[6],
                spoiled=frozenset(spoiled.split()) if spoiled else unspoiled,
                tally=tallies.get(id, none),
            )

    def _themes(self, connection: Any) -> Sequence[Theme]:
        items = self._tables.past_items.c
        often = self._sa.func.count(items.incident.distinct())
        query = (
            self._sa.select(items.theme)
            .where(items.theme.is_not(None))
            .group_by(items.theme)
            .having(often >= RECURS)
            .order_by(often.desc(), items.theme)
            .limit(MOST_THEMES)
        )
        numbers = connection.scalars(query).all()
        of: dict[int, list[Any]] = defaultdict(list)
        told = self._sa.select(
            items.theme, items.component, items.wording, items.incident, items.state
        ).where(items.theme.in_(numbers))
        for row in connection.execute(told.order_by(items.filed_at, items.id)):
            of[row.theme].append(row)
        return [_theme(of[number]) for number in numbers]


class _Same(dict[str, str]):
    """Every text once: of a hundred thousand incidents there are a few teams."""

    def __missing__(self, text: str) -> str:
        self[text] = text
        return text


_SEVERITIES: Mapping[str | None, IncidentSeverity] = {str(s): s for s in IncidentSeverity}


def _theme(rows: Sequence[Any]) -> Theme:
    wordings = list(dict.fromkeys(row.wording for row in rows))
    return Theme(
        component=rows[0].component,
        title=min(wordings, key=lambda w: (len(w), w)),
        wordings=wordings,
        incidents=list(dict.fromkeys(row.incident for row in rows)),
        open=sum(row.state == ItemState.OPEN for row in rows),
    )


def _in_order(one: PastIncident) -> tuple[datetime, str]:
    return one.began_at, one.id


def _parts(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield so many rows as one statement may hold."""
    for first in range(0, len(rows), 1000):
        yield rows[first : first + 1000]


def _row(one: PastIncident, contradictions: Sequence[Contradiction]) -> dict[str, object]:
    said = [[c.sentence, sorted(c.spoils)] for c in contradictions]
    instants = {name: getattr(one, name) for name in _INSTANTS}
    return {
        "id": one.id,
        "source": one.source,
        "title": one.title,
        "severity": None if one.severity is None else str(one.severity),
        "is_by_day": one.is_by_day,
        **{name: at.isoformat() if at else None for name, at in instants.items()},
        "detected_in": one.detected_in.total_seconds() if one.detected_in else None,
        "recovered_in": one.recovered_in.total_seconds() if one.recovered_in else None,
        **{name: getattr(one, name) for name in _OF},
        "spoiled": " ".join(sorted(one.spoiled)),
        "contradictions": json.dumps(said) if said else "",
    }


def _item_row(one: FiledItem) -> dict[str, object]:
    item = one.item
    return {
        "id": one.id,
        "incident": one.incident,
        "wording": item.wording,
        "component": item.component,
        "state": str(item.state),
        "filed_at": item.filed_at.isoformat() if item.filed_at else None,
        "closed_at": item.closed_at.isoformat() if item.closed_at else None,
        "in_time": None if item.in_time is None else int(item.in_time),
        "theme": one.theme,
        "change": one.change,
    }
