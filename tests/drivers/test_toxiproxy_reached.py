"""A Toxiproxy behind a gate that wants a token: the document says where that is found.

The token stands in no undo, and who recovers in another process finds it where the undo says.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from gameday.drivers.chaostoolkit import ChaosToolkit
from gameday.errors import PermanentDriverError
from gameday.http import credentials
from gameday.model.access import Reached
from gameday.ports import PlannedFault
from gameday.spec.catalogue import shipped
from gameday.testing.proxy import running_proxy
from gameday.testing.served import served

pytestmark = pytest.mark.served

TOKEN = "HUNTER4"
PROXY = "pages-one-here"

RECOVER = """
import asyncio, json, sys
from gameday.house.processes.undoers import Undoers
from gameday.model.fault import Undo

undo = Undo(**json.load(sys.stdin))
asyncio.run(Undoers().recover(undo))
print(asyncio.run(Undoers().is_present(undo)))
"""


def gate(inner: str) -> Callable[..., Awaitable[None]]:
    """Let in who shows the token, as a proxy in front of a control port does."""

    async def app(
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        body, more = b"", True
        while more:
            part = await receive()
            body, more = body + part.get("body", b""), part.get("more_body", False)
        headers = dict(scope["headers"])
        status, said = 401, b'{"error": "who asks?"}'
        if headers.get(b"authorization") == f"Bearer {TOKEN}".encode():
            async with httpx.AsyncClient(trust_env=False) as client:
                answer = await client.request(
                    scope["method"],
                    inner + scope["raw_path"].decode(),
                    content=body,
                    headers={"User-Agent": "gate"},
                )
            status, said = answer.status_code, answer.content
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": said})

    return app


@pytest.fixture
def gated(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """The address of the gate, and that of the proxy behind it."""
    monkeypatch.setattr(credentials, "_learned", {})
    with running_proxy([PROXY]) as inner, served(gate(inner)) as url:
        yield url, inner


def planned(driver: ChaosToolkit) -> PlannedFault:
    return driver.prepare(
        "broken-downstream",
        path=str(shipped() / "experiments/broken-downstream.yaml"),
        configuration={"service": "pages", "downstream": "one", "regions": "here"},
        at=timedelta(0),
        duration=timedelta(minutes=1),
        run="r1",
        number=1,
    )


def toxics(inner: str) -> list[str]:
    shown = httpx.get(f"{inner}/proxies/{PROXY}", trust_env=False).json()
    return [toxic["name"] for toxic in shown["toxics"]]


async def test_a_fault_is_put_in_and_taken_out_by_another_process_with_the_token_by_reference(
    gated: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, inner = gated
    monkeypatch.chdir(tmp_path)
    (tmp_path / "token.txt").write_text(TOKEN)
    reached = Reached.model_validate({"url": url, "bearerToken": {"file": "token.txt"}})
    driver = ChaosToolkit(toxiproxy=reached)
    fault = planned(driver)

    undo = await driver.pinned(fault.undo)
    await driver.inject(fault)
    there = toxics(inner)
    written = json.dumps(asdict(undo))
    done = subprocess.run(
        [sys.executable, "-c", RECOVER],
        input=written,
        cwd="/",  # a path of the document is from where the run was started
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert [undo.id] == there
    assert TOKEN not in written
    assert ("False\n", 0) == (done.stdout, done.returncode), done.stderr
    assert [] == toxics(inner)


async def test_without_the_token_nothing_is_put_in(gated: tuple[str, str]) -> None:
    url, inner = gated
    driver = ChaosToolkit(toxiproxy_url=url)

    with pytest.raises(PermanentDriverError, match="401"):
        await driver.pinned(planned(driver).undo)

    assert [] == toxics(inner)


def test_a_token_that_is_not_where_the_document_says_is_named() -> None:
    told = {"url": "http://127.0.0.1:9", "bearerToken": {"env": "NO_SUCH_TOKEN"}}

    with pytest.raises(PermanentDriverError, match="NO_SUCH_TOKEN"):
        ChaosToolkit(toxiproxy=Reached.model_validate(told))
