"""Keeping histories in the store, and bringing what is ours in it up to date."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from gameday.imports.imported import Histories
from gameday.learning.flywheel.wording import Themes, signature
from gameday.model.action_item import ActionItem
from gameday.model.flywheel import PlayedDrill
from gameday.model.past_incident import FiledItem, ItemState, PastItem
from gameday.ports import ActionStore, IncidentStore, PastStore, WholeStore
from scoring.verdict import RunVerdict, Verdict

__all__ = ["drills_of", "keep", "refresh"]


MOST_RUNS = 500
_YEARS = timedelta(days=731)
_PLAYED = (RunVerdict.PASSED, RunVerdict.MISSED, RunVerdict.UNKNOWN)


class _Store(PastStore, ActionStore, WholeStore, Protocol):
    """The store as the flywheel needs it."""


def keep(store: PastStore, histories: Histories, *, items_only: bool = False) -> None:
    """Take histories into the store; what was taken in before is brought up to date.

    The theme of each action item is found here, once, so that nobody looks for it again.

    Args:
        items_only: the incidents are there already.
    """
    filed = [
        (f"{one.incident.id}#{number}", one.incident.id, item, None)
        for one in histories.incidents
        for number, item in enumerate(one.items, 1)
    ]
    if items_only:
        store.file_items(list(_themed(store, filed)))
        return
    store.keep_past(
        [one.incident for one in histories.incidents],
        [said for one in histories.incidents for said in one.contradictions],
        list(_themed(store, filed)),
        histories.exposures,
    )


def refresh(store: _Store, *, now: datetime) -> None:
    """Bring what is ours up to date: lines of older incidents, and action items with new words."""
    for name in store.groups_without_times():
        _fill_in(store, name, now)
    newest, changed = store.actions_to_file()
    if not changed:
        return
    incidents = store.incidents_of_drills()
    items = [item for id in changed if (item := store.action_item(id)) is not None]
    filed = [
        (f"{item.id}@{place}", place, _past(item), newest)
        for item in items
        for place in dict.fromkeys(_places(item, incidents))
    ]
    store.file_items(list(_themed(store, filed)))


def _fill_in(store: IncidentStore, name: str, now: datetime) -> None:
    """Write the times of a group's incidents into their lines, as their facts tell them."""
    from gameday.incidents.alert_group import AlertGroup
    from gameday.incidents.openings import row_of
    from gameday.incidents.state import state_of

    group = AlertGroup(name, store.group_facts(name))
    states = [state_of(one, group=name, now=now) for one in group.incidents() if one.ids]
    store.commit((), rows=[row_of(s, id=id) for s in states for id in (None, *s.also)])


def drills_of(store: _Store, *, now: datetime) -> Sequence[PlayedDrill]:
    """Return the game days of the last two years that were played to their end, oldest first.

    Where one was played is the region of its incident, else its target.
    """
    incidents = store.incidents_of_drills()
    found = []
    for run in store.runs(limit=MOST_RUNS):
        if run.verdict not in _PLAYED or run.started_at < now - _YEARS:
            continue
        recovered = None
        if run.pruned_at is None and (result := store.result(run.id)) is not None:
            phase = result.phases.get("recovered")
            is_met = phase is not None and phase.verdict in (Verdict.MET, Verdict.MISSED)
            recovered = phase.seconds_from_page if phase is not None and is_met else None
        _, region = incidents.get(run.id, ("", ""))
        place = region or run.target
        found.append(PlayedDrill(run.scenario, place, run.started_at, recovered))
    return found[::-1]


def _places(item: ActionItem, incidents: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    """Yield the incidents that an item was found in; of a run, its drill's."""
    for found in item.found_in or ("",):
        kind, _, id = found.partition(" ")
        yield incidents.get(id, (id, ""))[0] if kind == "run" else id or found


def _past(item: ActionItem) -> PastItem:
    state = ItemState.OPEN if item.state.is_open else ItemState.DONE
    return PastItem(
        wording=" ".join(item.title.split()),
        component=item.service,
        state=state,
        filed_at=item.filed_at,
        closed_at=item.closed_at,
    )


def _themed(
    store: PastStore, filed: Sequence[tuple[str, str, PastItem, int | None]]
) -> Iterator[FiledItem]:
    """Yield items with their themes, as the store knows them and these add to them."""
    shelf = Themes(store.last_theme() + 1)
    for number, component, known in store.known_wordings([i.component for _, _, i, _ in filed]):
        shelf.know(number, component, known)
    for id, incident, item, change in filed:
        stems = signature(item.wording)
        theme = shelf.place(item.component, stems) if stems else None
        yield FiledItem(id, incident, item, stems, theme, change)
