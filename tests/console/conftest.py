"""The fixtures of the console's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from browsing import browser, eyes
from opened_drill import Desk

__all__ = ["browser", "desk", "eyes"]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with Desk(tmp_path).opened() as opened:
        yield opened
