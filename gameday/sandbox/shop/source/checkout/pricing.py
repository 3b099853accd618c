"""What an order costs. Amounts are integer cents."""

from __future__ import annotations

from typing import Any

TAX_PERCENT = {"DE": 19, "AT": 20, "FR": 20, "US": 7}
COUPON_PERCENT = {"SPRING10": 10, "WELCOME5": 5}


def subtotal_cents(lines: list[dict[str, Any]]) -> int:
    """Return the price of all lines before discounts."""
    return sum(line["quantity"] * line["unit_cents"] for line in lines)


def volume_discount_cents(lines: list[dict[str, Any]]) -> int:
    """Return what is taken off for buying many pieces of the same article."""
    discount = 0
    for line in lines:
        if line["quantity"] >= 10:
            discount += line["quantity"] * line["unit_cents"] * 8 // 100
        elif line["quantity"] >= 5:
            discount += line["quantity"] * line["unit_cents"] * 3 // 100
    return discount


def coupon_discount_cents(cents: int, coupon: str) -> int:
    """Return what a coupon takes off; coupons nobody knows take off nothing."""
    return cents * COUPON_PERCENT.get(coupon, 0) // 100


def tax_cents(cents: int, country: str) -> int:
    """Return the tax on an amount in a country, rounded half up."""
    return (cents * TAX_PERCENT.get(country, 19) + 50) // 100


def price_order(order: dict[str, Any], shipping: int) -> dict[str, int]:
    """Return every part of an order's price, and the total."""
    lines = order["lines"]
    subtotal = subtotal_cents(lines)
    discount = volume_discount_cents(lines)
    discount += coupon_discount_cents(subtotal - discount, order["coupon"])
    tax = tax_cents(subtotal - discount + shipping, order["country"])
    return {
        "subtotal_cents": subtotal,
        "discount_cents": discount,
        "shipping_cents": shipping,
        "tax_cents": tax,
        "total_cents": subtotal - discount + shipping + tax,
    }
