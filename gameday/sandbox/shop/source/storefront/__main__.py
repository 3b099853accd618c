"""Start the storefront."""

from __future__ import annotations

from typing import Any

from chassis import process
from chassis.client import Client
from chassis.settings import Settings, address
from storefront.baskets import basket_total_cents, parse_basket
from storefront.offers import suggest_offers
from storefront.receipts import render_receipt


def main() -> None:
    checkout = Client("checkout", *address("SHOP_CHECKOUT"), timeout_seconds=6)

    def take_basket(raw: dict[str, Any]) -> dict[str, Any]:
        basket = parse_basket(raw)
        order = checkout.post(
            "/orders",
            {
                "customer": basket.customer,
                "country": basket.country,
                "coupon": basket.coupon,
                "goods_cents": basket_total_cents(basket),
                "lines": [
                    {"sku": line.sku, "quantity": line.quantity, "unit_cents": line.unit_cents}
                    for line in basket.lines
                ],
            },
        )
        return render_receipt(basket, order, suggest_offers(basket))

    process.run(Settings.from_environment(), {"/checkout": take_basket})


if __name__ == "__main__":
    main()
