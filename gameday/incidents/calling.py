"""Which calls are to be made now, over all the incidents that a process holds.

One incident's duties say what it asks for (`gameday.incidents.duties`); what is told in one call
with others, and when a page that told of several is answered or over, shows only beside the others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from gameday.errors import StoreError, UsageError
from gameday.incidents.answers import answer_of, is_repeat
from gameday.incidents.belief import Stands
from gameday.incidents.calls import (
    Family,
    Holder,
    PagerCall,
    Part,
    answer_to,
    family_of,
    is_key_of_several,
    page_calls,
)
from gameday.incidents.duties import Act, Owed, Share, is_of_a_time_before, is_wanted, owed
from gameday.incidents.memory import Memory
from gameday.incidents.pagerduty_events import PagerDutyEvent
from gameday.incidents.paging import Paging
from gameday.incidents.standing import standing
from gameday.incidents.state import IncidentState
from gameday.incidents.terms import Terms
from scoring.timeline import Fact, Kind


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is known of a group besides its duties.

    Attributes:
        called: which of its incidents somebody is being called about, and in which family.
        shared: the keys of the shared pages that told of any of them.
    """

    called: tuple[tuple[Family, str], ...] = ()
    shared: frozenset[str] = frozenset()


_NOTHING = _Kept()


class Calling:
    """The calls of one process.

    What the incidents of each group asked for when they were last looked at is remembered.

    Args:
        terms: whose duties it does; one that does none makes no call.
        fresh: how an incident stands with all that was heard.
        is_under_way: whether a piece of work is being done, or waits for its next try.
    """

    def __init__(
        self,
        memory: Memory,
        *,
        paging: Paging,
        terms: Terms,
        now: Callable[[], datetime],
        fresh: Callable[[str], Awaitable[IncidentState]],
        is_under_way: Callable[[str], bool],
    ) -> None:
        self._memory = memory
        self._paging = paging
        self._terms = terms
        self._now = now
        self._fresh = fresh
        self._is_under_way = is_under_way
        self._due: dict[str, Sequence[Part]] = {}
        self._kept: dict[str, _Kept] = {}
        self._called: defaultdict[Family, set[str]] = defaultdict(set)
        self._meanwhile: defaultdict[Family, set[str]] = defaultdict(set)
        self._settled: set[str] = set()

    def look(
        self, group: str, states: Iterable[IncidentState], *, now: datetime, share: Share
    ) -> None:
        """Remember what the incidents of a group ask for, in place of what it was before."""
        before = self._give_up(group)
        due: list[Part] = []
        called: list[tuple[Family, str]] = []
        shared: set[str] = set()
        for state in states:
            wants = self._owed(state, now=now, share=share)
            due += [(state, duty) for duty in wants.duties]
            called += [(family_of(state, to), state.id) for to in wants.called]
            shared.update(page.key for page in state.held if page.is_shared)
        if due:
            self._due[group] = due
        else:
            self._due.pop(group, None)
        if called or shared:
            self._kept[group] = _Kept(tuple(called), frozenset(shared))
        for family, id in called:
            self._called[family].add(id)
        self._settled -= shared | before.shared

    def forget(self, group: str) -> None:
        """Let go of what a group asked for."""
        self._due.pop(group, None)
        self._settled -= self._give_up(group).shared

    def _give_up(self, group: str) -> _Kept:
        kept = self._kept.pop(group, _NOTHING)
        for family, id in kept.called:
            self._called[family].discard(id)
            if not self._called[family]:
                del self._called[family]
        return kept

    def all(self) -> Sequence[PagerCall]:
        """Return the calls to make now, by all the groups that were looked at."""
        self._meanwhile.clear()
        due = [part for parts in self._due.values() for part in parts]
        told = {d.keys[0]: None for _, d in due if d.act is not Act.PAGE and d.is_shared}
        answers = []
        for key in told:
            # A page can tell of thousands; nothing is to be said until one of them has changed.
            call = None if key in self._settled else answer_to(key, self._holders(key))
            if call is None:
                self._settled.add(key)
            else:
                answers.append(call)
        return [*self._alone(due), *answers]

    def of_some(self, states: Iterable[IncidentState]) -> Sequence[PagerCall]:
        """Return the calls to make at once when these incidents changed; the rest has time."""
        return self._alone(
            [(state, duty) for state in states for duty in self._owed_now(state).duties]
        )

    def _alone(self, due: Sequence[Part]) -> Sequence[PagerCall]:
        pages = [(incident, duty) for incident, duty in due if duty.act is Act.PAGE]
        families = {family_of(incident, duty.to) for incident, duty in pages}
        called = {f: self._called.get(f, set()) | self._meanwhile[f] for f in families}
        calls = page_calls(pages, called=called, is_under_way=self._is_under_way, now=self._now())
        # Until the next look over all of them: called by now, or due.
        for incident, duty in pages:
            self._meanwhile[family_of(incident, duty.to)].add(incident.id)
        others = (part for part in due if part[1].act is not Act.PAGE and not part[1].is_shared)
        return [*calls, *(PagerCall((part,)) for part in others)]

    async def still(self, call: PagerCall) -> PagerCall | None:
        """Return what remains to be done of a call; None: nothing."""
        await self._memory.catch_up()
        if call.duty.is_shared and call.duty.act is not Act.PAGE:
            found = answer_to(call.duty.keys[0], self._holders(call.duty.keys[0]))
            return found if found is not None and found.duty.act is call.duty.act else None
        parts: list[Part] = []
        for incident, duty in call.parts:
            try:
                state = await self._fresh(incident.id)
            except (StoreError, UsageError):
                if not call.is_shared:
                    raise
                continue  # whose record is gone keeps nobody from hearing of the others
            parts += [
                (state, d)
                for d in self._owed_now(state).duties
                if d.key == duty.key and d.was_tried == duty.was_tried
            ]
        return self._as_it_was_told(tuple(parts)) if parts else None

    def _as_it_was_told(self, parts: tuple[Part, ...]) -> PagerCall:
        """Return a call that tells of all that its page told of when it was tried before.

        By the key of what the pager may know already nobody hears of one more, and it is not known
        which of the tries they heard: so each of them says the same.
        """
        call = PagerCall(parts)
        if not (call.duty.act is Act.PAGE and call.duty.is_shared):
            return call
        return replace(call, also=tuple(sorted(self._memory.told_of(call.key) - set(call.told))))

    def is_wanted(self, call: PagerCall) -> bool:
        """Return whether a page has still a cause, as far as is heard here; asked between tries."""
        for incident, duty in call.parts:
            held = self._memory.held(incident.id)
            if held is None or is_wanted(standing(self._memory, *held, now=self._now()), duty):
                return True
        return False

    def _owed_now(self, state: IncidentState) -> Owed:
        return self._owed(state, now=self._now(), share=self._terms.share())

    def _owed(self, state: IncidentState, *, now: datetime, share: Share) -> Owed:
        """Return what an incident asks for; a drill that has no pager pages nobody."""
        if not self._terms.has_duties:
            return Owed((), frozenset())
        found = owed(state, now=now, share=share)
        due = [
            d
            for d in found.duties
            if state.drill is None or d.act is not Act.PAGE or self._paging.reaches(d.to)
        ]
        return Owed(due, found.called)

    # --- who is meant ------------------------------------------------------------------------

    def _holders(self, key: str) -> Sequence[Holder]:
        """Return the incidents that a shared page told of, as far as they are held."""
        found: dict[str, Holder] = {}
        for id in sorted(self._memory.told_of(key)):
            held = self._memory.held(id)
            if held is None:
                continue
            name, incident = held
            state = standing(self._memory, name, incident, now=self._now())
            page = next((p for p in state.held if p.key == key), None)
            if page is not None:
                found[state.id] = (state, page)
        return list(found.values())

    def told_by(self, key: str, *, unwritten: Collection[str] = ()) -> Sequence[IncidentState]:
        """Return the incidents for which a shared page counts now.

        Args:
            unwritten: the incidents that it tells of without a record of it.
        """
        found = [s for s, page in self._holders(key) if page.since >= (s.again_at or s.paged_at)]
        have = {state.id for state in found}
        for id in sorted(set(unwritten) - have):
            if (held := self._memory.held(id)) is not None:
                found.append(standing(self._memory, *held, now=self._now()))
        return found

    def answers(
        self, event: PagerDutyEvent, lead: IncidentState | None, *, unwritten: Collection[str]
    ) -> Sequence[tuple[IncidentState, Fact]]:
        """Return what an event of PagerDuty's says of each incident that its page told of.

        Args:
            lead: whose name the page bears; None: it is gone.
            unwritten: the incidents that the page tells of without a record of it.
        """
        told = self.told_by(event.key, unwritten=unwritten)
        heard = {state.id for state in told}
        is_shared = is_key_of_several(event.key)
        if lead is not None and not heard and not self._memory.told_of(event.key):
            # On nobody's record, for its process died, it is known to tell of its first alone.
            heard = set() if is_of_a_time_before(event.key, lead) else {lead.id}
        about = {state.id: state for state in ([] if lead is None else [lead])}
        words = []
        for one in (about | {state.id: state for state in told}).values():
            answer = answer_of(event, one, now=self._now(), is_lead=one.id in about)
            if is_shared and one.id not in heard:
                answer = answer.of_a_time_before()
            # What changes nothing stands once on record.
            is_worth_it = one.id in about or answer.kind != Kind.PAGER_SAID
            if is_worth_it and not is_repeat(answer, one):
                words.append((one, answer.to_fact(one, now=self._now())))
        return words

    def told_with(self, state: IncidentState) -> Sequence[IncidentState]:
        """Return the others that nobody has answered and that were told of in a page with this one.

        Whoever answers this one answers that page.
        """
        found: dict[str, IncidentState] = {}
        for page in state.held:
            counts = page.stands is not Stands.UNSURE and page.since >= state.unanswered_since
            if page.is_shared and counts:
                found |= {s.id: s for s in self.told_by(page.key)}
        found.pop(state.id, None)
        return [s for s in found.values() if s.is_open and s.acked_at is None]
