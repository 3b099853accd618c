"""Start checkout."""

from __future__ import annotations

from typing import Any

from chassis import process
from chassis.client import Client
from chassis.settings import Settings, address
from checkout.orders import place_order


def main() -> None:
    inventory = Client("inventory", *address("SHOP_INVENTORY"), timeout_seconds=5)

    def orders(order: dict[str, Any]) -> dict[str, Any]:
        return place_order(order, inventory)

    process.run(Settings.from_environment(), {"/orders": orders})


if __name__ == "__main__":
    main()
