"""The lines of .github/workflows/smoke.yml, run on whatever cluster there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shop_on_cluster import environment, run, steps

MADE_HERE = ("make the cluster", "make the image")
"""Steps that need Docker and kind; here the fixtures do what they do."""


def test_every_line_of_the_workflow_passes(live: Any, shop_image: None, tmp_path: Path) -> None:
    lasting = [s for s in steps() if "if" not in s and s.get("name") not in MADE_HERE]
    always = [s for s in steps() if "if" in s]
    found = environment(live, tmp_path)

    try:
        for step in lasting:
            run(["bash", "-e", "-c", step["run"]], found)
    finally:
        for step in always:
            run(["bash", "-e", "-c", step["run"]], found)
