"""The stock table."""

from __future__ import annotations

from collections.abc import Mapping

from inventory.database import Database

LEVELS = "SELECT sku, on_hand, shelf FROM stock WHERE sku = ANY(%s)"

# Rows are locked in one order everywhere, so that two baskets never wait for each other.
# What runs out is replenished at once: suppliers deliver overnight, and this night is short.
TAKE = """
WITH wanted AS (
    SELECT * FROM unnest(%s::text[], %s::int[]) AS wanted(sku, pieces)
), locked AS (
    SELECT stock.sku FROM stock JOIN wanted USING (sku) ORDER BY stock.sku FOR UPDATE OF stock
)
UPDATE stock
SET on_hand = CASE WHEN on_hand >= pieces THEN on_hand - pieces ELSE on_hand + 500 - pieces END
FROM wanted JOIN locked USING (sku)
WHERE stock.sku = wanted.sku
RETURNING stock.sku, stock.on_hand, stock.shelf
""".strip()


def levels(database: Database, skus: list[str]) -> dict[str, tuple[int, str]]:
    """Return pieces on hand and shelf of each article."""
    rows = database.fetch("SELECT stock", LEVELS, [sorted(skus)])
    return {sku: (on_hand, shelf) for sku, on_hand, shelf in rows}


def take(database: Database, wanted: Mapping[str, int]) -> dict[str, tuple[int, str]]:
    """Take these pieces out of stock; return what is left of each article, and its shelf."""
    skus = sorted(wanted)
    rows = database.fetch("UPDATE stock", TAKE, [skus, [wanted[sku] for sku in skus]])
    return {sku: (on_hand, shelf) for sku, on_hand, shelf in rows}
