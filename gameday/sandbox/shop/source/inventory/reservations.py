"""Reservations: goods promised to a customer."""

from __future__ import annotations

import hashlib
from typing import Any

from chassis.errors import BadRequest
from inventory import stock
from inventory.database import Database

BULK_PIECES = 40
SCARCE_PIECES = 5


def wanted_pieces(lines: list[dict[str, Any]]) -> dict[str, int]:
    """Return how many pieces of each article are wanted."""
    wanted: dict[str, int] = {}
    for line in lines:
        wanted[line["sku"]] = wanted.get(line["sku"], 0) + int(line["quantity"])
    return wanted


def is_bulk(wanted: dict[str, int]) -> bool:
    """Return whether so much is wanted that the shelves are looked at first."""
    return sum(wanted.values()) >= BULK_PIECES


def scarce_articles(left: dict[str, tuple[int, str]]) -> list[str]:
    """Return the articles of which only a few pieces are left."""
    return sorted(sku for sku, (on_hand, _) in left.items() if on_hand <= SCARCE_PIECES)


def pick_list(left: dict[str, tuple[int, str]]) -> list[tuple[str, str]]:
    """Return shelf and article in the order somebody walks past them."""
    return sorted((shelf, sku) for sku, (_, shelf) in left.items())


def reservation_number(customer: str, picks: list[tuple[str, str]]) -> str:
    """Return the number of a reservation."""
    text = customer + "/" + "/".join(sku for _, sku in picks)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def reserve(database: Database, customer: str, lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Reserve goods for a customer and return what was promised."""
    wanted = wanted_pieces(lines)
    short: list[str] = []
    if is_bulk(wanted):
        short = scarce_articles(stock.levels(database, list(wanted)))
    left = stock.take(database, wanted)
    missing = sorted(set(wanted) - set(left))
    if missing:
        raise BadRequest(f"no such article: {missing[0]}")
    picks = pick_list(left)
    return {
        "reservation": reservation_number(customer, picks),
        "picks": [sku for _, sku in picks],
        "late": short or scarce_articles(left),
    }
