"""The right to play on a target."""

from __future__ import annotations

from pathlib import Path

import pytest

from gameday.errors import PlanRefused
from gameday.house.run.opening import only_run
from gameday.settings import Settings, StoreSettings


def test_two_runs_on_one_target_are_refused_and_two_targets_are_not(tmp_path: Path) -> None:
    settings = Settings(store=StoreSettings(state=tmp_path))

    with only_run(settings, "sandbox"):
        with pytest.raises(PlanRefused, match="another run is being played on sandbox"):
            only_run(settings, "sandbox").__enter__()
        with only_run(settings, "kubernetes"):
            pass

    with only_run(settings, "sandbox"):
        pass
