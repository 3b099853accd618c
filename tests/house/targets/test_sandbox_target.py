"""The running sandbox is a system to play on: by its document, and what only it can do."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gameday.drivers.annotations import GrafanaDeploys
from gameday.drivers.sandbox import SandboxTarget
from gameday.errors import PermanentDriverError
from gameday.house.targets.choice import system_named
from gameday.house.targets.instruments import toolbox_of
from gameday.house.targets.sandbox import sandbox_system
from gameday.incidents import deeplinks
from gameday.model.code import CodeOf
from gameday.model.slo import Slo
from gameday.process import ProcessId
from gameday.sandbox import document, state
from gameday.sandbox.state import SandboxState
from gameday.spec import Catalogue


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SandboxState:
    """A sandbox that is up, as far as its files say."""
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path))
    folder = tmp_path / "sandbox"
    folder.mkdir()
    urls = {
        f"{name}_url": f"http://127.0.0.1:{port}"
        for port, name in enumerate(
            ("edge", "prometheus", "alertmanager", "store", "proxy", "control"), start=1
        )
    }
    found = SandboxState(
        **ProcessId.own().to_json(),
        **urls,
        started_at=datetime(2026, 5, 1, tzinfo=UTC),
        time_scale=60.0,
        folder=str(folder),
        token="t",
        repository=str(folder / "repository"),
    )
    document.write(found)
    state.write(found)
    return found


def an_slo() -> Slo:
    return Catalogue.around().slo("checkout-latency")


async def test_its_document_says_where_its_tools_are(found: SandboxState) -> None:
    opened = await sandbox_system(found, an_slo())

    code = tuple(
        CodeOf(service=name, repository=found.repository)
        for name in ("storefront", "checkout", "inventory")
    )
    assert (
        deeplinks.Tools(
            found.prometheus_url,
            found.store_url,
            found.store_url,
            sources=code,
            region="region",
        )
        == opened.tools
    )
    assert ("eu-west", "us-east") == opened.regions
    assert isinstance(opened.deploys, GrafanaDeploys)
    assert () == opened.absent


async def test_what_no_document_says_is_its_own(found: SandboxState) -> None:
    opened = await sandbox_system(found, an_slo())

    assert isinstance(opened.target, SandboxTarget)
    assert "sandbox" == opened.target.name
    assert opened.forget is not None
    assert () == opened.notices


async def test_a_responder_is_handed_nothing_but_how_its_tools_speak(found: SandboxState) -> None:
    box = toolbox_of(await sandbox_system(found, an_slo()))

    assert [] == [one for one in box.instruments if one.headers]
    assert "region" == box.at(found.store_url).region


def test_the_doctor_is_told_of_it_by_its_name(found: SandboxState) -> None:
    assert document.path_of(found) == system_named("sandbox").path


def test_one_that_is_not_up_cannot_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path))

    with pytest.raises(PermanentDriverError, match="`gameday sandbox up` starts it"):
        system_named("sandbox")
