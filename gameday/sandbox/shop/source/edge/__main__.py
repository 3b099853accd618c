"""Start the edge."""

from __future__ import annotations

import os
from typing import Any

from chassis import process
from chassis.client import Client
from chassis.settings import Settings, address
from edge.balance import Rotation


def main() -> None:
    regions = os.environ["SHOP_REGIONS"].split(",")
    drained = [r for r in os.environ.get("SHOP_DRAINED", "").split(",") if r]
    rotation = Rotation(regions, drained)
    storefronts = {
        region: Client("storefront", *address(f"SHOP_STOREFRONT_{number}"), timeout_seconds=10)
        for number, region in enumerate(regions)
    }

    def checkout(basket: dict[str, Any]) -> dict[str, Any]:
        return storefronts[rotation.take()].post("/checkout", basket)

    def drain(body: dict[str, Any]) -> dict[str, Any]:
        rotation.drain(body["regions"])
        return {"drained": body["regions"]}

    process.run(Settings.from_environment(), {"/checkout": checkout}, {"/drain": drain})


if __name__ == "__main__":
    main()
