"""The postmortems of the store."""

from __future__ import annotations

import json
from collections.abc import Sequence

from gameday.drivers.database.connection import Connected
from gameday.model.postmortem import POSTMORTEM, Postmortem


class PostmortemTables(Connected):
    """The postmortems of a database; a `gameday.ports.PostmortemStore`."""

    def put_postmortem(self, postmortem: Postmortem, *, known: Postmortem | None) -> bool:
        """Write one in place of the one that is known; return whether it was written."""
        columns = {
            "kind": str(postmortem.kind),
            "state": postmortem.state,
            "service": postmortem.service,
            "severity": str(postmortem.severity),
            "resolved_at": postmortem.resolved_at.isoformat(),
            "due_at": postmortem.due_at.isoformat() if postmortem.due_at else None,
            "published_at": (
                postmortem.published_at.isoformat() if postmortem.published_at else None
            ),
            "postmortem": _written(postmortem),
        }
        table = self._tables.postmortems
        with self._writing() as connection:
            if known is None:
                new = self._insert(table).on_conflict_do_nothing(index_elements=["id"])
                written = new.values(id=postmortem.id, **columns).returning(table.c.id)
                return connection.execute(written).first() is not None
            same = (table.c.id == known.id) & (table.c.postmortem == _written(known))
            return bool(connection.execute(table.update().where(same).values(columns)).rowcount)

    def postmortem(self, id: str) -> Postmortem | None:
        """Return one, or None where there is none of this id."""
        columns = self._tables.postmortems.c
        with self._reading() as connection:
            query = self._sa.select(columns.postmortem).where(columns.id == id)
            text = connection.scalar(query)
        return None if text is None else _read(text)

    def postmortems(self, *, limit: int = 1000) -> Sequence[Postmortem]:
        """Return postmortems, the one that was over last first."""
        columns = self._tables.postmortems.c
        query = self._sa.select(columns.postmortem)
        query = query.order_by(columns.resolved_at.desc(), columns.id).limit(limit)
        with self._reading() as connection:
            return tuple(_read(text) for text in connection.scalars(query))


def _written(postmortem: Postmortem) -> str:
    return json.dumps(postmortem.to_json(), sort_keys=True)


def _read(text: str) -> Postmortem:
    return POSTMORTEM.read(json.loads(text))
