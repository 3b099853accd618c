"""How an order travels."""

from __future__ import annotations

import zlib
from typing import Any

PARCEL_GRAMS = 12_000


def line_grams(line: dict[str, Any]) -> int:
    """Return the weight of a line; the article's number stands in for a scale."""
    return int(line["quantity"]) * (80 + zlib.crc32(str(line["sku"]).encode()) % 900)


def parcels_for(lines: list[dict[str, Any]]) -> list[list[str]]:
    """Return which articles go into which parcel: heaviest first, into the first that has room."""
    parcels: list[tuple[int, list[str]]] = []
    for line in sorted(lines, key=line_grams, reverse=True):
        grams = line_grams(line)
        for number, (used, skus) in enumerate(parcels):
            if used + grams <= PARCEL_GRAMS:
                parcels[number] = (used + grams, [*skus, line["sku"]])
                break
        else:
            parcels.append((grams, [line["sku"]]))
    return [skus for _, skus in parcels]


def shipping_cents(parcels: list[list[str]], country: str) -> int:
    """Return the price of sending these parcels."""
    first, further = (490, 290) if country == "DE" else (990, 590)
    return first + further * (len(parcels) - 1)
