"""What an action item asks for, whatever words it is asked in.

A **signature** is the set of a wording's stems, without the words that every item has, with words
that mean the same as one. It is worked out when an item is stored. Items of one component whose
signatures are near each other are one **theme**; a theme that comes up again and again is what a
policy is for.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

__all__ = ["Themes", "likeness", "signature"]

Signature = str
"""Stems in the order of the alphabet, with a space between."""

_LINK = re.compile(r"!?\[(?P<words>[^\]]*)\]\([^)]*\)|<?\bhttps?://\S+>?|(?<!\w)#\d+\b")
_WORD = re.compile(r"[a-z][a-z0-9]*(?:'[a-z]+)?")
_JOINED = re.compile(r"(?<=\w)[-_/](?=\w)")
# `failing over`, `rolls back`, `time out`: one word that is written as two.
_IN_TWO = re.compile(r"\b(fail|roll|time|back|clean|start)(?:ing|ed|s)?[ ](over|back|out|up)\b")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_EMPTY = _words(
    """
    a about above action add adjust adopt after again all almost also an and any apply are
    around as at be because been before begin being below better between beyond both build bump
    but by call called calls can clear close consider could create develop did do does doing
    done each easier easily enable ensure establish etc even ever every everybody everyone
    exceed exceeds far few figure find first fix fixme follow for from further get gets getting
    give given go goes going good got had has have having here high higher how i if implement
    improve in include increase install instead into introduce is issue it item its itself just
    keep kind know least less let like link live look lot low lower made make making many may
    maybe might mind more most much must near nearly need new next no nor not note now of off
    often on once one only onto or other our out over own per percent perhaps please possible
    possibly pr probably properly provide put raise really request requests require requires
    requiring same see set setup should since so some somehow someone something soon start still
    such sure take than that the their them then there these they thing think this those through
    ticket time to todo too towards try under undocumented until up upon upward upwards us use
    used using very via want was way we well were what when where whether which while who why
    will with within without work would wrap yet you your
    """
)
"""Words that say nothing about what is asked for, among them how an order begins."""

_MEANS = {
    word: meant
    for meant, words in {
        "alert": "alarm alert alarming alerting notify notification notified page paging pager"
        " email emailed warn warning",
        "monitor": "monitor monitoring watch observe observability dashboard metric metrics graph"
        " chart visibility",
        "document": "document documentation docs doc describe description write wiki readme guide"
        " guidance runbook playbook explain",
        "test": "test tests testing check checks verify validate validation",
        "deploy": "deploy deployment deployments deploying deploys rollout release releases"
        " releasing ship",
        "rollback": "rollback revert reverting",
        "config": "config configuration configure configs setting settings configurable",
        "database": "database db databases postgres postgresql mysql",
        "kubernetes": "kubernetes k8s",
        "timeout": "timeout timeouts deadline deadlines",
        "limit": "limit limits quota quotas cap caps limiting throttle throttling bound maximum max"
        " upper ceiling",
        "disk": "disk disks storage volume volumes",
        "room": "full fill fills filling filled space usage capacity exhausted exhaustion room",
        "certificate": "certificate certificates cert certs ssl tls",
        "credential": "credential credentials secret secrets password passwords",
        "authentication": "authentication auth login",
        "outage": "outage outages downtime down uptime availability",
        "failover": "failover failovers",
        "fail": "failure failures fail fails failed failing error errors",
        "backup": "backup backups",
        "cpu": "cpu processor",
        "memory": "memory ram oom",
        "automatic": "automatic automatically automate automated automation auto",
        "procedure": "procedure process processes checklist policy policies",
        "remove": "remove removal delete deletion drop",
        "expire": "expire expires expired expiry expiration",
        "service": "service services",
        "team": "team teams people person member members",
    }.items()
    for word in words.split()
}
"""Words that operators use for the same thing."""

_WEAK = _words(
    """
    alert allow api automatic avoid case change client cluster code config deploy document fail
    handle identify incident investigate measur migrat monitor move outage prevent problem
    procedure production reduce refactor remove renam replac restart review rotat script separat
    server service split stop support site system team test tool update upgrad user
    """
)
"""Stems that half of all items have: alike in these alone, two ask for different things."""

WEAK_WEIGHT = 0.5
ALIKE = 0.72
"""How like two signatures must be to ask for the same; their stems are counted by weight.

More than two of three, so that `raise the memory limit of search` is not `… of cart`; less than
three of four."""

_ASKS = {"alert": "see", "monitor": "see", "document": "document", "test": "test"}
"""What is asked for, where a wording says so: an alert on a thing is no runbook for it."""

OTHERWISE = 0.6
"""What is left of the likeness of two that ask for different things about the same."""

TYPED_ALIKE = 88.0
"""How like two words must be, of 100, to be one of them mistyped."""


@lru_cache(maxsize=65_536)
def signature(wording: str) -> Signature:
    """Return the stems of what is asked for, in order; empty where no word of it says anything."""
    text = _LINK.sub(lambda m: f" {m['words'] or ''} ", wording).lower().replace("’", "'")
    text = _IN_TWO.sub(lambda m: f"{m[1]}{m[2]}", _JOINED.sub(" ", text))
    words = _WORD.findall(text)
    bare = (word.partition("'")[0] for word in words)
    said = {_stem(word) for word in bare if word not in _EMPTY and len(word) > 1}
    return " ".join(sorted(said - {""}))


@lru_cache(maxsize=65_536)
def _stem(word: str) -> str:
    """Return a word without its ending, or the one that stands for what it means."""
    for known in (word, word.removesuffix("s")):
        if known in _MEANS:
            return _MEANS[known]
    short = _shortened(word)
    if short in _EMPTY:
        return ""
    return _MEANS.get(short, short)


def _shortened(word: str) -> str:
    """Return a word without plural, -ing, -ed, -er and -ion, so that its forms are one.

    Coarser than Porter's stemmer, for it only has to take the same from each form of a word.
    """
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-3] + "y" if word.endswith("ies") and len(word) > 4 else word[:-1]
    for ending in ("ization", "ation", "ition", "al", "ing", "ion", "ed", "er", "or", "ment", "ly"):
        left = len(word) - len(ending)
        if left >= 3 and word.endswith(ending) and re.search("[aeiouy]", word[:left]):
            word = word[:left]
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiouls":
        word = word[:-1]
    return word[:-1] if len(word) > 3 and word[-1] in "ey" else word


def likeness(one: Signature, other: Signature) -> float:
    """Return how much of what two signatures say they both say, by weight: 0 to 1 (Dice's).

    Words that are one of them mistyped count as the same, where what is left of both is alike.

    Source: Dice, "Measures of the Amount of Ecologic Association Between Species", 1945.
    """
    ours, our_weight, asked = _parsed(one)
    theirs, their_weight, other_asked = _parsed(other)
    every = our_weight + their_weight
    if not every:
        return 0.0
    common = ours & theirs
    both = 2 * _weight(common)
    if WORTH_A_LOOK <= both / every < ALIKE:
        both += _mistyped(ours - common, theirs - common)
    is_other = asked and other_asked and not asked & other_asked
    return both / every * (OTHERWISE if is_other else 1.0)


WORTH_A_LOOK = 0.4
"""How like two must be at least before it is asked whether a word of one is mistyped."""


def _mistyped(mine: frozenset[str], yours: frozenset[str]) -> float:
    """Return the weight of the words of both that are one of the other side's mistyped."""
    left = {stem for stem in yours if len(stem) > 4}
    weight = 0.0
    for stem in sorted(mine):
        if len(stem) > 4 and left:
            near = _nearest(stem, tuple(sorted(left)))
            if near is not None:
                left.discard(near)
                weight += _weight((stem, near))
    return weight


def _nearest(stem: str, others: Sequence[str]) -> str | None:
    from rapidfuzz import fuzz, process

    found = process.extractOne(stem, others, scorer=fuzz.ratio, score_cutoff=TYPED_ALIKE)
    return None if found is None else str(found[0])


@lru_cache(maxsize=65_536)
def _parsed(stems: Signature) -> tuple[frozenset[str], float, frozenset[str]]:
    """Return (its stems, their weight, what is asked for)."""
    own = frozenset(stems.split())
    return own, _weight(own), frozenset(_ASKS[stem] for stem in own if stem in _ASKS)


def _weight(stems: Iterable[str]) -> float:
    weight = 0.0
    for stem in stems:
        weight += WEAK_WEIGHT if stem in _WEAK else 1.0
    return weight


@dataclass(slots=True)
class _Theme:
    number: int
    signatures: list[Signature]


@dataclass(slots=True)
class _Component:
    """The themes of one component, found by the stems of their signatures."""

    themes: dict[int, _Theme] = field(default_factory=dict)
    of: dict[Signature, int] = field(default_factory=dict)
    by_stem: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))


MOST_SIGNATURES = 12
"""Of one theme that a wording is compared with."""

MOST_THEMES = 200
"""That share a stem and are looked at: of a word that more have, it tells nothing."""


class Themes:
    """The themes that are known, each with a number; one place at a time, in the order of arrival.

    A wording joins the theme that its signature is most like, in the mean over those the theme
    holds, so that no chain of small steps leads from one thing to another.

    Args:
        next_number: the number of the next new one.
    """

    def __init__(self, next_number: int = 1) -> None:
        self._next = next_number
        self._components: dict[str, _Component] = defaultdict(_Component)

    def know(self, number: int, component: str, signature: Signature) -> None:
        """Take in that a signature is of a theme that has a number already."""
        self._next = max(self._next, number + 1)
        self._join(self._components[component], number, signature)

    def place(self, component: str, signature: Signature) -> int:
        """Return the theme of a wording; a new one where it is like none."""
        shelf = self._components[component]
        known = shelf.of.get(signature)
        if known is not None:
            return known
        best, number = 0.0, 0
        for candidate in self._candidates(shelf, signature):
            held = shelf.themes[candidate].signatures
            like = sum(likeness(signature, one) for one in held) / len(held)
            if like > best:
                best, number = like, candidate
        if best < ALIKE:
            number, self._next = self._next, self._next + 1
        self._join(shelf, number, signature)
        return number

    def _candidates(self, shelf: _Component, signature: Signature) -> Sequence[int]:
        """Return the themes that share a stem with it that says something, nearest first."""
        shared: Counter[int] = Counter()
        stems = signature.split()
        strong = [stem for stem in stems if stem not in _WEAK] or stems
        for stem in strong:
            themes = shelf.by_stem.get(stem, ())
            if len(themes) <= MOST_THEMES:
                shared.update(themes)
        return [number for number, _ in shared.most_common(MOST_SIGNATURES)]

    def _join(self, shelf: _Component, number: int, signature: Signature) -> None:
        theme = shelf.themes.setdefault(number, _Theme(number, []))
        shelf.of[signature] = number
        if len(theme.signatures) >= MOST_SIGNATURES:
            return
        theme.signatures.append(signature)
        for stem in signature.split():
            themes = shelf.by_stem[stem]
            if not themes or themes[-1] != number:
                themes.append(number)
