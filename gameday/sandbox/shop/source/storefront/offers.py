"""What else a customer may like."""

from __future__ import annotations

import hashlib

from storefront.baskets import Basket, basket_total_cents

SHELVES = ("garden", "kitchen", "office", "travel", "sport")


def affinity(customer: str, shelf: str) -> int:
    """Return how much a customer likes a shelf, 0-255; the same every time."""
    return hashlib.sha256(f"{customer}/{shelf}".encode()).digest()[0]


def suggest_offers(basket: Basket, count: int = 2) -> list[str]:
    """Return the shelves to show beside the receipt, most liked first."""
    ranked = sorted(SHELVES, key=lambda shelf: affinity(basket.customer, shelf), reverse=True)
    if basket_total_cents(basket) > 20_000:
        count += 1
    return ranked[:count]
