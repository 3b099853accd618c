"""Asking a tool: what is tried again, what ends in which error, what nobody gets to see."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest

from gameday.errors import PermanentDriverError, TemporaryDriverError
from gameday.http.tool import HttpTool

Answers = Callable[[int], httpx.Response | Exception]


def tool(answers: Answers, *, tries: int = 3) -> tuple[HttpTool, list[httpx.Request]]:
    """Return a tool whose n-th request (from 1) gets the n-th answer, and what it was asked."""
    asked: list[httpx.Request] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        said = answers(len(asked))
        if isinstance(said, Exception):
            raise said
        return said

    return HttpTool(
        "Tool",
        "http://tool.example/",
        tries=tries,
        pause=timedelta(0),
        headers={"authorization": "Bearer s3cret"},
        transport=httpx.MockTransport(answer),
    ), asked


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
async def test_a_tool_that_says_later_is_asked_again(status: int) -> None:
    asked_tool, asked = tool(lambda n: httpx.Response(status if n < 3 else 200, json={"a": 1}))

    assert (200, {"a": 1}) == await asked_tool.get("/x")
    assert 3 == len(asked)


async def test_a_tool_that_goes_on_saying_later_is_a_temporary_error_in_its_own_words() -> None:
    asked_tool, _ = tool(lambda _: httpx.Response(503, json={"error": "starting up"}))

    with pytest.raises(TemporaryDriverError, match="starting up"):
        await asked_tool.get("/x")


async def test_what_must_not_be_repeated_is_asked_once() -> None:
    asked_tool, asked = tool(lambda _: httpx.Response(503))

    with pytest.raises(TemporaryDriverError):
        await asked_tool.ask("POST", "/x", tries=1)
    assert 1 == len(asked)


async def test_a_no_is_a_permanent_error_and_is_not_asked_again() -> None:
    asked_tool, asked = tool(lambda _: httpx.Response(403, json={"error": {"message": "not you"}}))

    with pytest.raises(PermanentDriverError, match="403 to /x: not you"):
        await asked_tool.get("/x")
    assert 1 == len(asked)


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("refused"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("half an answer"),
        httpx.ReadTimeout("slow"),
        OSError(errno.EMFILE, "too many open files"),
    ],
    ids=lambda e: type(e).__name__,
)
async def test_no_answer_is_a_temporary_error_whatever_the_reason(error: Exception) -> None:
    asked_tool, _ = tool(lambda _: error)

    with pytest.raises(TemporaryDriverError, match=r"Tool at http://tool\.example does not answer"):
        await asked_tool.get("/x")


async def test_without_a_free_descriptor_there_is_no_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_socket(*_: object, **__: object) -> socket.socket:
        raise OSError(errno.EMFILE, "too many open files")

    asked_tool = HttpTool("Tool", "http://127.0.0.1:9", pause=timedelta(0))
    monkeypatch.setattr(socket, "socket", no_socket)

    with pytest.raises(TemporaryDriverError, match="does not answer"):
        await asked_tool.get("/x")


async def test_an_answer_that_is_not_json_is_no_answer_of_this_tool() -> None:
    asked_tool, _ = tool(lambda _: httpx.Response(200, text="<html>"))

    with pytest.raises(PermanentDriverError, match="not JSON"):
        await asked_tool.get("/x")


async def test_what_is_asked_at_the_same_time_is_answered_whoever_is_done_first() -> None:
    first_may_go = asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/slow":
            await first_may_go.wait()
        return httpx.Response(200, json={"path": request.url.path})

    asked_tool = HttpTool(
        "Tool", "http://tool.example", tries=1, transport=httpx.MockTransport(answer)
    )
    slow = asyncio.create_task(asked_tool.get("/slow"))
    await asyncio.sleep(0)

    quick = await asked_tool.get("/quick")
    first_may_go.set()

    assert ({"path": "/quick"}, {"path": "/slow"}) == (quick[1], (await slow)[1])


async def test_no_error_shows_a_header() -> None:
    for answers in (httpx.Response(403, text="no"), httpx.ConnectError("refused")):
        asked_tool, _ = tool(lambda _, said=answers: said)
        with pytest.raises((PermanentDriverError, TemporaryDriverError)) as caught:
            await asked_tool.get("/x")
        assert "s3cret" not in str(caught.value)
