"""A real browser for the tests: Chromium of the system, watched for errors, looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from given import GIVEN

CHROMIUM = Path("/usr/bin/chromium")

needs_chromium = pytest.mark.skipif(
    not CHROMIUM.exists(), reason="Chromium is not installed; `make setup` installs it"
)
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}
PATIENCE = 120_000
"""Milliseconds; a condition is waited for, however slow the machine is."""


@dataclass
class Eyes:
    """Pages that are looked at: screenshots, console errors, accessibility."""

    folder: Path
    problems: list[str] = field(default_factory=list)

    def watch(self, page: Any) -> None:
        page.on(
            "console",
            lambda m: self.problems.append(m.text) if m.type in ("error", "warning") else None,
        )
        page.on("pageerror", lambda e: self.problems.append(str(e)))

    def keep(self, page: Any, name: str) -> None:
        """Keep a screenshot; cheap, so that nothing that is measured meanwhile is slowed."""
        page.screenshot(path=self.folder / f"played-{name}.png")

    def look(self, page: Any, name: str) -> None:
        """Keep a screenshot in every width and colour, and check labels and contrast."""
        from axe_playwright_python.sync_playwright import Axe

        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa"]})
            for violation in found.response["violations"]:
                targets = [node["target"] for node in violation["nodes"][:3]]
                self.problems.append(f"{name} {scheme}: {violation['id']} {targets}")
            page.screenshot(path=self.folder / f"{name}-{scheme}.png", full_page=True)
        page.emulate_media(color_scheme="light")
        page.set_viewport_size(PHONE)
        page.wait_for_timeout(500)  # charts follow a change of size a moment later
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > PHONE["width"]:
            self.problems.append(f"{name}: {wide} px wide on a phone")
        page.screenshot(path=self.folder / f"{name}-phone.png", full_page=True)
        page.set_viewport_size(DESKTOP)


@pytest.fixture
def eyes(tmp_path: Path) -> Eyes:
    folder = Path(GIVEN.screenshots or tmp_path / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return Eyes(folder)


@pytest.fixture
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(ARGUMENTS))
        yield opened
        opened.close()
