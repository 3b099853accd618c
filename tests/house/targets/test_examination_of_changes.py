"""Deploys and code of a document are held against what is there, before the day."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gameday.house.targets.check import Check
from gameday.house.targets.examination.changes import changes
from gameday.house.targets.examination.inquiry import answered
from gameday.house.targets.examination.look import Look
from gameday.model.system import System


@pytest.fixture
def repository(tmp_path: Path) -> tuple[Path, str]:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "cart.py").write_text("def total():\n    return 1\n")

    def git(*arguments: str) -> str:
        mine = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
        return subprocess.run(
            ["git", "-C", str(folder), *mine, *arguments],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "one")
    return folder, git("rev-parse", "HEAD")


async def found(**changed: Any) -> dict[str, Check]:
    system = System.model_validate(
        {
            "metadata": {"name": "pages"},
            "spec": {
                "metrics": {"prometheus": {"url": "http://127.0.0.1:9"}},
                "alerts": {"page": {"alertname": "A"}},
                "pages": {"alertmanager": {"url": "http://127.0.0.1:9"}},
                "red": {"preset": "haproxy"},
                **changed,
            },
        }
    )
    async with Look.at(system, [], []) as look:
        asked = list(changes(look))
        return {c.what: c for c in await answered(asked, within=timedelta(seconds=30))}


def printed(*deploys: dict[str, str]) -> list[dict[str, Any]]:
    at = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    said = json.dumps([{"deployed_at": at, **deploy} for deploy in deploys])
    return [{"command": {"run": ["echo", said]}}]


async def test_what_was_deployed_last_is_there_to_be_blamed(repository: tuple[Path, str]) -> None:
    folder, commit = repository

    checks = await found(
        deploys=printed({"service": "checkout", "revision": f"v-{commit}"}),
        code=[
            {
                "service": "checkout",
                "repository": str(folder),
                "revision": {"pattern": "v-(.*)"},
            }
        ],
    )

    assert all(check.ok for check in checks.values())
    assert f"1 in 7 days, last checkout v-{commit[:10]}" in checks["deploys"].found
    assert f"{folder} has what was deployed last, {commit[:12]}" == checks["code of checkout"].found


async def test_a_service_of_which_nothing_went_live_lately_is_told_and_is_no_fault(
    repository: tuple[Path, str],
) -> None:
    folder, commit = repository

    checks = await found(
        deploys=printed({"service": "checkout", "revision": commit}),
        code=[{"service": name, "repository": str(folder)} for name in ("checkout", "prices")],
    )

    assert checks["deploys"].ok
    assert checks["deploys"].found.endswith(" UTC; nothing of prices")


@pytest.mark.parametrize(
    ("deploy", "repository_there", "pattern", "what", "said"),
    [
        ({"service": "checkout", "revision": "v9"}, True, None, "code of checkout", "fetch --tags"),
        ({"service": "checkout", "revision": "v9"}, False, None, "code of checkout", "repository"),
        ({"service": "checkout", "revision": "v9"}, True, "x(.)", "code of checkout", "finds no"),
        ({"service": "kasse", "revision": "v9"}, True, None, "deploys", "none of checkout"),
    ],
)
async def test_what_is_not_as_the_document_says_is_named(
    repository: tuple[Path, str],
    deploy: dict[str, str],
    repository_there: bool,
    pattern: str | None,
    what: str,
    said: str,
) -> None:
    folder = repository[0] if repository_there else repository[0] / "elsewhere"
    revision = {} if pattern is None else {"pattern": pattern}
    code = {"service": "checkout", "repository": str(folder), "revision": revision}

    checks = await found(deploys=printed(deploy), code=[code])

    assert [what] == [name for name, check in checks.items() if not check.ok]
    assert said in checks[what].found + checks[what].how


async def test_deploys_that_are_not_told_are_named() -> None:
    checks = await found(deploys=[{"command": {"run": ["/nowhere/deploys"]}}])

    assert not checks["deploys"].ok
    assert not checks["deploys"].bars
    assert "/nowhere/deploys cannot be run" in checks["deploys"].how


async def test_a_source_of_deploys_is_asked_once(
    repository: tuple[Path, str], tmp_path: Path
) -> None:
    folder, log = repository[0], tmp_path / "asked"
    asked = {"command": {"run": ["sh", "-c", f"echo asked >>{log}; echo '[]'"]}}
    code = [{"service": name, "repository": str(folder)} for name in ("checkout", "cart")]

    await found(deploys=[asked], code=code)

    assert "asked\n" == log.read_text()
