"""Years of incidents that never were: one with facts planted in it, and ones without any.

What a flywheel finds can only be held against a history of which the truth is known.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from gameday.learning.flywheel.themes import tally_of, themes_of
from gameday.model.past_incident import (
    Chronicle,
    Dimension,
    ItemState,
    PastIncident,
    PastItem,
)
from gameday.model.severity import IncidentSeverity

__all__ = [
    "PLACES",
    "PLANTED",
    "QUALITIES",
    "THINGS",
    "VERBS",
    "Planted",
    "planted_year",
    "shuffled_year",
]

START = datetime(2025, 1, 1, tzinfo=UTC)
YEAR = timedelta(days=365)

TEAMS = ("atlas", "boreas", "calypso", "doris", "electra", "fauna")
PIPELINES = ("atlas-web", "boreas-api", "calypso-jobs", "doris-etl", "electra-app", "fauna-edge")
SERVICES = ("accounts", "basket", "catalogue", "delivery", "emails", "frontdoor", "giftcards")
TRIGGERS = ("deploy", "traffic", "config", "dependency", "expiry", "hardware")
CAUSES = tuple(
    f"{what} {how}"
    for what in ("pool", "queue", "cache", "disk", "certificate", "index", "lock", "thread")
    for how in ("exhausted", "corrupt", "misconfigured", "overloaded")
)
VERBS = ("add", "document", "review", "test", "raise", "remove", "split", "rename", "measure")
# fmt: off
QUALITIES = (
    "retry", "batch", "cache", "ingest", "search", "session", "feature", "image", "webhook",
    "cron", "schema", "load", "thread", "garbage", "log", "replica", "rate", "health",
    "payload", "cursor", "token", "shard", "heap", "socket",
)
THINGS = (
    "backoff", "sizes", "warmup", "ordering", "store", "switch", "pulls", "signature",
    "migration", "shedding", "priorities", "collector", "rotation", "lag",
    "counter", "probe", "parser", "leases", "buckets", "offsets", "handover",
)
PLACES = (
    "importer", "exporter", "gateway", "scheduler", "ledger", "mailer", "renderer", "indexer",
)
# fmt: on
@dataclass(frozen=True, slots=True)
class Planted:
    """What is true of the planted year, and of its innocent.

    Attributes:
        pipeline: from which 60 % of the incidents come.
        cause: the class that came four times in three months, each time as SEV-1.
        innocent: the team with twice the deploys, and no more than its share of the incidents.
        wordings: one action item, each time in other words; component: of what.
    """

    pipeline: str
    cause: str
    innocent: str
    component: str
    wordings: Sequence[str]


PLANTED = Planted(
    pipeline="calypso-jobs",
    cause="certificate expired",
    innocent="atlas",
    component="payments",
    wordings=(
        "Set a timeout on every call to the card processor",
        "Calls to the card processor need a timeout",
        "card processor: add timeouts",
        "Introduce a deadline for card processor requests",
        "Configure timeouts for the card processor client",
        "Time out when the card processor is slow",
    ),
)


def planted_year(seed: int, *, incidents: int = 120) -> Chronicle:
    """Return a year in which everything is as exposure has it but for what is planted."""
    rng = random.Random(seed)
    year = _dealt(rng, incidents)
    made = [
        replace(one, pipeline=PLANTED.pipeline)
        if number < 0.6 * incidents
        else replace(one, pipeline=rng.choice([p for p in PIPELINES if p != PLANTED.pipeline]))
        for number, one in enumerate(rng.sample(year, len(year)))
    ]
    season = START + timedelta(days=rng.uniform(0, 250))
    for number in range(4):
        when = season + timedelta(days=rng.uniform(0, 85))
        severe = replace(made[number], cause=PLANTED.cause, severity=IncidentSeverity.SEV_1)
        made[number] = _moved(severe, when - severe.began_at)
    items = _items(rng, made)
    for one, wording in zip(rng.sample(made, len(PLANTED.wordings)), PLANTED.wordings, strict=True):
        filed = PastItem(wording, PLANTED.component, ItemState.OPEN, one.began_at)
        items[one.id] = [*items[one.id], filed]
    return _chronicle(made, items)


def _moved(incident: PastIncident, by: timedelta) -> PastIncident:
    instants = ("began_at", "detected_at", "acked_at", "cleared_at", "closed_at")
    moved = {name: at + by for name in instants if (at := getattr(incident, name)) is not None}
    return replace(incident, **moved)


def shuffled_year(seed: int, *, incidents: int = 120) -> Chronicle:
    """Return a year in which nothing is planted: all is dealt out by chance over exposure."""
    rng = random.Random(seed)
    year = _dealt(rng, incidents)
    return _chronicle(year, _items(rng, year))


def exposures() -> Mapping[Dimension, Mapping[str, float]]:
    """Return how many deploys, or hours of traffic, each value has in these years."""
    return {
        Dimension.TEAM: {team: 200.0 if team == PLANTED.innocent else 100.0 for team in TEAMS},
        Dimension.PIPELINE: dict.fromkeys(PIPELINES, 100.0),
        Dimension.SERVICE: {s: 50.0 + 30 * n for n, s in enumerate(SERVICES)},
        Dimension.REGION: {"eu": 3.0, "us": 2.0},
    }


def _dealt(rng: random.Random, incidents: int) -> list[PastIncident]:
    exposed = exposures()

    def of(dimension: Dimension) -> str:
        values = exposed[dimension]
        return rng.choices([*values], [*values.values()])[0]

    found = []
    for number in range(incidents):
        began = START + YEAR * rng.random()
        detected = began + timedelta(minutes=rng.lognormvariate(1.5, 1.0))
        cleared = detected + timedelta(minutes=rng.lognormvariate(3.5, 1.25))
        found.append(
            PastIncident(
                id=f"I-{number:04}",
                title=f"incident {number}",
                source="a made-up year",
                began_at=began,
                detected_at=detected,
                acked_at=detected + timedelta(minutes=rng.lognormvariate(0.5, 0.8)),
                cleared_at=cleared,
                closed_at=cleared + timedelta(hours=1),
                severity=rng.choices([*IncidentSeverity], [5, 15, 30, 30, 20])[0],
                cause=rng.choice(CAUSES),
                trigger=rng.choice(TRIGGERS),
                team=of(Dimension.TEAM),
                pipeline=of(Dimension.PIPELINE),
                service=of(Dimension.SERVICE),
                region=of(Dimension.REGION),
            )
        )
    return found


def _items(rng: random.Random, incidents: Sequence[PastIncident]) -> dict[str, list[PastItem]]:
    # Each thing once: what recurs in a made-up year does so by mistake.
    things = [f"{of} {thing}" for of in QUALITIES for thing in THINGS]
    rng.shuffle(things)
    items: dict[str, list[PastItem]] = {}
    for one in incidents:
        own = []
        for _ in range(rng.randrange(3)):
            wording = f"{rng.choice(VERBS)} the {things.pop()} of the {rng.choice(PLACES)}"
            filed = one.closed_at or one.began_at
            is_done = rng.random() < 0.7
            own.append(
                PastItem(
                    wording,
                    one.service,
                    ItemState.DONE if is_done else ItemState.OPEN,
                    filed,
                    filed + timedelta(days=rng.uniform(1, 45)) if is_done else None,
                )
            )
        items[one.id] = own
    return items


def _chronicle(
    incidents: Sequence[PastIncident], items: Mapping[str, Sequence[PastItem]]
) -> Chronicle:
    as_of = START + YEAR
    tallied = [replace(one, tally=tally_of(items[one.id], as_of=as_of)) for one in incidents]
    tallied.sort(key=lambda one: (one.began_at, one.id))
    return Chronicle(tallied, as_of, themes_of(tallied, items), exposures())
