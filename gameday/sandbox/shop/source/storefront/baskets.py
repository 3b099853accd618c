"""Baskets as customers send them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chassis.errors import BadRequest

MOST_LINES = 40
MOST_PIECES = 99


@dataclass(frozen=True)
class Line:
    """Some pieces of one article."""

    sku: str
    quantity: int
    unit_cents: int


@dataclass(frozen=True)
class Basket:
    """What one customer wants to buy."""

    customer: str
    country: str
    coupon: str
    lines: tuple[Line, ...]


def parse_line(raw: dict[str, Any]) -> Line:
    """Return one line of a basket; `BadRequest` where it cannot be bought."""
    quantity = int(raw["quantity"])
    unit_cents = int(raw["unit_cents"])
    if not 1 <= quantity <= MOST_PIECES:
        raise BadRequest(f"{quantity} pieces of {raw['sku']}: 1 to {MOST_PIECES} can be bought")
    if unit_cents < 0:
        raise BadRequest(f"price {unit_cents} of {raw['sku']} must not be negative")
    return Line(str(raw["sku"]), quantity, unit_cents)


def merge_lines(lines: list[Line]) -> tuple[Line, ...]:
    """Return the lines with each article once, in the order the customer chose them."""
    merged: dict[str, Line] = {}
    for line in lines:
        known = merged.get(line.sku)
        quantity = line.quantity + (known.quantity if known else 0)
        merged[line.sku] = Line(line.sku, min(quantity, MOST_PIECES), line.unit_cents)
    return tuple(merged.values())


def parse_basket(raw: dict[str, Any]) -> Basket:
    """Return the basket a customer sent."""
    lines = [parse_line(line) for line in raw["lines"]]
    if not lines:
        raise BadRequest("the basket is empty")
    if len(lines) > MOST_LINES:
        raise BadRequest(f"a basket holds at most {MOST_LINES} lines")
    return Basket(
        customer=str(raw["customer"]),
        country=str(raw.get("country", "DE")).upper(),
        coupon=str(raw.get("coupon", "")),
        lines=merge_lines(lines),
    )


def basket_total_cents(basket: Basket) -> int:
    """Return what the goods cost before discounts, tax and shipping."""
    return sum(line.quantity * line.unit_cents for line in basket.lines)


def basket_pieces(basket: Basket) -> int:
    """Return how many pieces are in the basket."""
    return sum(line.quantity for line in basket.lines)
