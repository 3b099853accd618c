"""Start inventory."""

from __future__ import annotations

import os
from typing import Any

from chassis import process
from chassis.settings import Settings
from inventory.database import Database
from inventory.reservations import reserve


def main() -> None:
    database = Database(
        {"primary": os.environ["SHOP_PRIMARY"], "standby": os.environ["SHOP_STANDBY"]},
        os.environ.get("SHOP_DATABASE", "primary"),
    )
    database.wait_ready(seconds=5)

    def reservations(body: dict[str, Any]) -> dict[str, Any]:
        return reserve(database, str(body["customer"]), body["lines"])

    def use_database(body: dict[str, Any]) -> dict[str, Any]:
        return {"role": database.use(body["role"])}

    process.run(
        Settings.from_environment(),
        {"/reservations": reservations},
        {"/database": use_database},
        closing=database.close,
    )


if __name__ == "__main__":
    main()
