"""The fixtures of the console's tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from browsing import browser, eyes
from opened_console import Desk

__all__ = ["browser", "desk", "eyes"]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)
