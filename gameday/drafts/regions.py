"""Which labels of a service's metrics may tell regions apart, by their names and what they hold."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

__all__ = ["TOLD_APART", "LabelValues", "apart", "may_tell_regions"]

WORDS = ("region", "datacenter", "datacentre", "dc", "location", "site", "cluster", "zone", "az")
"""What such labels are called, alone or among other words; the widest place first."""

OF_OTHERS = frozenset({"source", "src", "client", "peer", "upstream", "downstream"})
"""Words of labels that say where somebody else is: who calls, or is called."""

TOLD_APART = range(2, 13)
"""How many values such a label has: one tells nothing apart, and of places there are no dozens."""

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")

LabelValues = Mapping[str, tuple[str, ...]]
"""What labels hold, by label, sorted; an empty value: some series lack it."""


def may_tell_regions(label: str) -> bool:
    """Return whether a label is called as one that says where something runs."""
    return _rank(label) < len(WORDS)


def apart(found: LabelValues, places: Sequence[tuple[str, ...]] = ()) -> LabelValues:
    """Return the labels that tell regions apart, the likeliest first; of two that say the same one.

    Args:
        found: what the labels of a service's requests hold.
        places: regions, and zones, as the cluster's nodes name them, sorted. A label that holds
            just these is taken before all others.
    """
    likely = sorted(
        (label for label, values in found.items() if _tells(label, values)),
        key=lambda label: (_rank(label), len(label), label),
    )
    once = {found[label]: label for label in reversed(likely)}
    known = [once[values] for values in places if values in once]
    return {label: found[label] for label in known[:1] or likely if once[found[label]] == label}


def _tells(label: str, values: tuple[str, ...]) -> bool:
    # Requests that bear no such label would be in no region.
    return may_tell_regions(label) and "" not in values and len(values) in TOLD_APART


def _rank(label: str) -> int:
    """Return how near a label's name is to a region's; as many as there are words: it is none."""
    words = label.lower().split("_")
    if not _LABEL.fullmatch(label) or OF_OTHERS & set(words):
        return len(WORDS)
    pairs = {"".join(pair) for pair in pairwise(words)}  # data_center
    return min((WORDS.index(w) for w in {*words, *pairs} if w in WORDS), default=len(WORDS))
