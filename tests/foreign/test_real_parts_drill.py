"""A whole drill on the strangers' system with each real part of today that it may be made of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import alerts_of_others as others
import foreign_drill
import foreign_site
import pytest
from foreign_drill import Owner, Played
from foreign_site import Parts, Site
from real_programs import Jaeger

pytestmark = [pytest.mark.row, pytest.mark.xdist_group("foreign")]


@contextmanager
def site(tmp_path: Path, parts: Parts) -> Iterator[Site]:
    lacking = foreign_site.missing()
    if lacking:
        pytest.skip(f"needs {lacking}; `make setup` installs what is missing")
    folder = tmp_path / "site"
    folder.mkdir()
    alerts = others.WRITTEN["workbook"](foreign_drill.SCALE)
    with foreign_site.running(folder, alerts=alerts, parts=parts) as running:
        yield running


def passed(name: str, done: Played) -> None:
    """Hold what every one of these drills must show against one."""
    print(done.told(name))
    assert ("passed", "") == (done.result["verdict"], done.result["reason"]), done.words
    assert 0.8 <= done.ratio <= 1.5
    assert ("met", "met") == tuple(
        done.result["phases"][phase]["verdict"] for phase in ("mitigated", "recovered")
    )
    assert {"open": 0} == done.result["recovery"]


def test_the_bot_finds_the_cause_in_a_real_jaeger(
    tmp_path: Path, monitoring: None, real_jaeger: Jaeger
) -> None:
    parts = Parts(otlp=real_jaeger.otlp_url)
    with site(tmp_path, parts) as running:
        before = foreign_site.server_states(running)
        owner = Owner(
            more=f"""
                traces:
                  jaeger: {{url: "{real_jaeger.url}"}}
                  services: {{pages: gateway, one: httpbin-one, two: httpbin-two}}
                """,
            responder="bot",
            culprit="{service: pages, downstream: one}",
        )
        foreign_drill.described(running, owner)
        done = foreign_drill.played(running, answers=False)

        passed("traces in Jaeger", done)
        assert before == foreign_site.server_states(running)
        assert not foreign_drill.is_stopped(running, "one")
    found = {step["step"]: step for step in done.result["funnel"]}
    print(found["trace"]["finding"])
    assert "met" == found["trace"]["verdict"], found["trace"]
    assert ("not_applicable", "not_applicable") == tuple(
        done.result["phases"][step]["verdict"] for step in ("profile", "blame")
    )
