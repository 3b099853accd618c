"""A whole drill on the strangers' system for each who writes burn-rate alerts, as they do."""

from __future__ import annotations

from pathlib import Path

import alerts_of_others as others
import foreign_drill
import foreign_site
import pytest
import real_programs

pytestmark = [pytest.mark.row, pytest.mark.xdist_group("foreign")]


def written(folder: Path, author: str) -> str:
    if author == "sloth":
        return others.sloth(real_programs.program("sloth"), folder, foreign_drill.SCALE)
    if author == "unreadable":
        return others.unreadable(foreign_drill.SCALE)
    return others.WRITTEN[author](foreign_drill.SCALE)


def drilled(tmp_path: Path, author: str) -> foreign_drill.Played:
    lacking = foreign_site.missing()
    if lacking:
        pytest.skip(f"needs {lacking}; `make setup` installs what is missing")
    folder = tmp_path / "site"
    folder.mkdir()
    with foreign_site.running(folder, alerts=written(folder, author)) as site:
        rules = "workbook" if author == "unreadable" else author
        foreign_drill.described(site, foreign_drill.Owner(rules=rules))
        return foreign_drill.played(site)


@pytest.mark.parametrize("author", ["sloth", "pyrra", "workbook"])
def test_an_alert_of_others_fires_when_its_own_rule_says(
    tmp_path: Path, monitoring: None, author: str
) -> None:
    done = drilled(tmp_path, author)

    print(done.told(author))
    assert ("passed", "") == (done.result["verdict"], done.result["reason"]), done.words
    assert 0.8 <= done.ratio <= 1.5
    assert "met" == done.result["phases"]["recovered"]["verdict"]
    pages = [b for b in done.planned["branches"] if b["severity"] == "page"]
    assert [("1h", "5m"), ("6h", "30m")] == [(b["long"], b["short"]) for b in pages]


def test_an_alert_that_cannot_be_read_is_timed_and_not_judged(
    tmp_path: Path, monitoring: None
) -> None:
    done = drilled(tmp_path, "unreadable")

    reason = "sgn(…) is not followed"
    detection = done.result["detection"]
    assert reason in done.planned["unpredicted"]
    assert done.planned["predicted_seconds"] is None
    assert detection["seconds"] > 0, done.words
    assert (None, "unknown") == (detection["predicted_seconds"], detection["verdict"])
    assert reason in detection["reason"]
    assert done.result["verdict"] not in ("failed", "passed")
