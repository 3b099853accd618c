"""Write experiments/ and docs/faults.md anew from what gameday's own faults declare.

`python tools/faults.py`; `make faults` calls it. Experiments without a fault are left alone.
"""

from __future__ import annotations

from pathlib import Path

from gameday.chaos.experiment_file import experiment_file
from gameday.chaos.page import page
from gameday.chaos.registry import own
from gameday.chaos.shipped import shipped

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Write the files, and name those that changed."""
    faults = shipped(own())
    texts = {ROOT / "docs" / "faults.md": page(faults)}
    for fault in faults:
        texts[ROOT / "experiments" / f"{fault.name}.yaml"] = experiment_file(fault)
    for path, text in texts.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
