"""Receipts as customers get them."""

from __future__ import annotations

from typing import Any

from storefront.baskets import Basket, basket_pieces


def money(cents: int) -> str:
    """Return an amount as people write it."""
    return f"{cents // 100}.{cents % 100:02d}"


def receipt_lines(basket: Basket) -> list[str]:
    """Return one line of text per article."""
    return [
        f"{line.quantity} x {line.sku} at {money(line.unit_cents)}"
        for line in sorted(basket.lines, key=lambda line: line.sku)
    ]


def render_receipt(basket: Basket, order: dict[str, Any], offers: list[str]) -> dict[str, Any]:
    """Return the receipt of an order that was placed."""
    return {
        "order": order["order"],
        "pieces": basket_pieces(basket),
        "lines": receipt_lines(basket),
        "total": money(order["price"]["total_cents"]),
        "parcels": order["parcels"],
        "offers": offers,
    }
