"""A person who reads the views of a slow database and types what they see into the forms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RIGHT: tuple[Mapping[str, str], ...] = (
    {"moved": "duration", "shape": "plateau", "region": "eu-west"},
    {"service": "inventory", "downstream": "db", "region": "eu-west"},
    {"where": "off-cpu", "waiting_in": "db"},
    {"explained": "no"},
)
"""What is there to be read in RED, the traces, the profile and the changes, field by field."""


def fill(page: Any, read: Mapping[str, str]) -> None:
    """Fill the form of a view."""
    for name, value in read.items():
        box = f'#finding [name="{name}"]'
        kind = page.get_attribute(f"{box} >> nth=0", "type")
        if kind in ("checkbox", "radio"):
            page.check(f'{box}[value="{value}"]')
        elif page.locator(f"select{box.removeprefix('#finding ')}").count():
            page.select_option(box, value)
        else:
            page.fill(box, value)


def hand_in(page: Any, read: Mapping[str, str]) -> None:
    """Fill the form of a view and hand it in."""
    fill(page, read)
    page.click('#finding button[type="submit"]')
