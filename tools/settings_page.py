"""Write the tables of docs/settings.md anew, from the page of settings itself."""

from __future__ import annotations

from pathlib import Path

from gameday.settings.shown import page

DOCUMENT = Path(__file__).parents[1] / "docs/settings.md"

text = DOCUMENT.read_text(encoding="utf-8")
head, _, _ = text.partition("\n## `[")
DOCUMENT.write_text(head + page(), encoding="utf-8")
