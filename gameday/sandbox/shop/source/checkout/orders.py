"""Orders from the first look to the number on the receipt."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from chassis.client import Client
from checkout.pricing import price_order
from checkout.shipping import parcels_for, shipping_cents


def order_number(order: dict[str, Any], reservation: str) -> str:
    """Return the number of an order: short, and hard to guess from another one."""
    text = json.dumps([order["customer"], reservation], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10].upper()


def place_order(order: dict[str, Any], inventory: Client) -> dict[str, Any]:
    """Return the order as placed: goods reserved, price known, parcels planned."""
    parcels = parcels_for(order["lines"])
    price = price_order(order, shipping_cents(parcels, order["country"]))
    reservation = inventory.post(
        "/reservations",
        {
            "customer": order["customer"],
            "lines": [
                {"sku": line["sku"], "quantity": line["quantity"]} for line in order["lines"]
            ],
        },
    )
    return {
        "order": order_number(order, reservation["reservation"]),
        "price": price,
        "parcels": len(parcels),
        "late": reservation["late"],
    }
