"""The action items of incidents, counted, and those of them that come up again and again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from gameday.learning.flywheel.wording import Themes, signature
from gameday.model.past_incident import (
    IN_TIME,
    ItemState,
    ItemTally,
    PastIncident,
    PastItem,
    Theme,
)

__all__ = ["RECURS", "tally_of", "themes_of"]

RECURS = 3
"""Incidents that ask for the same before it is a matter of policy."""


def tally_of(items: Sequence[PastItem], *, as_of: datetime) -> ItemTally:
    """Return action items counted at an instant."""
    due = [
        item.in_time
        for item in items
        if item.in_time is not None and item.filed_at and item.filed_at + IN_TIME <= as_of
    ]
    return ItemTally(
        filed=len(items),
        open=sum(item.state is ItemState.OPEN for item in items),
        done=sum(item.state is ItemState.DONE for item in items),
        due=len(due),
        in_time=sum(due),
        last_closed_at=max((i.closed_at for i in items if i.closed_at), default=None),
    )


def themes_of(
    incidents: Sequence[PastIncident], items: Mapping[str, Sequence[PastItem]]
) -> Sequence[Theme]:
    """Return what at least three incidents ask for, the most frequent first.

    Args:
        incidents: ordered by when they began, which decides who is first in a theme.
        items: by the incident's id.
    """
    shelf = Themes()
    found: dict[int, list[tuple[str, PastItem]]] = defaultdict(list)
    for one in incidents:
        for item in items.get(one.id, ()):
            stems = signature(item.wording)
            if stems:
                found[shelf.place(item.component, stems)].append((one.id, item))
    themes = []
    for members in found.values():
        ids = list(dict.fromkeys(id for id, _ in members))
        if len(ids) >= RECURS:
            themes.append(theme_of(ids, [item for _, item in members]))
    return sorted(themes, key=lambda t: (-len(t.incidents), t.component, t.title))


def theme_of(incidents: Sequence[str], items: Sequence[PastItem]) -> Theme:
    """Return the theme of these items."""
    wordings = list(dict.fromkeys(item.wording for item in items))
    return Theme(
        component=items[0].component,
        title=min(wordings, key=lambda w: (len(w), w)),
        wordings=wordings,
        incidents=incidents,
        open=sum(item.state is ItemState.OPEN for item in items),
    )
