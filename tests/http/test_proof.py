"""A server proves that it knows the token before it is told it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from gameday.http.proof import AT, PATH, PROOF, Bearer, NotProven, hash_of, proof_of
from gameday.testing.served import PatientServer

TOKEN = "gd_secret"
NONCE = "0" * 32

Answer = Callable[[Mapping[str, str], tuple[str, int]], Mapping[str, str] | None]


class Listener:
    """A server on loopback that answers questions as it likes and notes what it is told."""

    def __init__(self, answer: Answer) -> None:
        self.told: list[str | None] = []
        self.asked = 0
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                said: Mapping[str, str] | None = {}
                if parts.path == PATH:
                    listener.asked += 1
                    own = self.connection.getsockname()[:2]
                    said = answer(dict(parse_qsl(parts.query)), own)
                listener.told.append(self.headers.get("authorization"))
                self.send_response(404 if said is None else 200)
                for name, value in (said or {}).items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None: ...

        self.server = PatientServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@contextmanager
def listening(answer: Answer) -> Iterator[Listener]:
    listener = Listener(answer)
    thread = threading.Thread(target=listener.server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield listener
    finally:
        listener.server.shutdown()
        listener.server.server_close()
        thread.join()


def the_true(asked: Mapping[str, str], at: tuple[str, int]) -> Mapping[str, str] | None:
    return proof_of(asked, [hash_of("another"), hash_of(TOKEN)], at)


def get(url: str, auth: httpx.Auth) -> httpx.Response:
    return httpx.get(url, auth=auth, trust_env=False)


def test_who_proves_that_it_knows_the_token_is_told_it() -> None:
    with listening(the_true) as server:
        get(f"{server.url}/what", Bearer(TOKEN))

    assert [None, f"Bearer {TOKEN}"] == server.told


@pytest.mark.parametrize(
    "answer",
    [
        lambda asked, at: None,
        lambda asked, at: {},
        lambda asked, at: {AT: f"{at[0]}:{at[1]}", PROOF: "0" * 64},
        lambda asked, at: {AT: "", PROOF: ""},
        lambda asked, at: proof_of({**asked, "nonce": NONCE}, [hash_of(TOKEN)], at),
        lambda asked, at: proof_of(asked, [hash_of("another")], at),
    ],
    ids=["says no", "says nothing", "guesses", "says it empty", "repeats an older one", "another"],
)
def test_who_does_not_is_never_told_it(answer: Answer) -> None:
    with listening(answer) as server, pytest.raises(NotProven, match="it was not sent"):
        get(server.url, Bearer(TOKEN))

    assert [None] == server.told


def test_who_passes_the_question_on_to_the_true_server_is_not_told_the_token() -> None:
    def passed_on(asked: Mapping[str, str], at: tuple[str, int]) -> Mapping[str, str]:
        return httpx.get(f"{true.url}{PATH}", params=asked, trust_env=False).headers

    with (
        listening(the_true) as true,
        listening(passed_on) as squatter,
        pytest.raises(NotProven, match="passes on what is said to it"),
    ):
        get(squatter.url, Bearer(TOKEN, is_own=lambda port: False))

    assert [None] == squatter.told


def test_a_tunnel_of_ones_own_may_pass_it_on() -> None:
    def passed_on(asked: Mapping[str, str], at: tuple[str, int]) -> Mapping[str, str]:
        found = httpx.get(f"{true.url}{PATH}", params=asked, trust_env=False).headers
        return {AT: found[AT], PROOF: found[PROOF]}

    with listening(the_true) as true, listening(passed_on) as tunnel:
        get(tunnel.url, Bearer(TOKEN))

    assert [None, f"Bearer {TOKEN}"] == tunnel.told


@pytest.mark.parametrize(("believed", "asked"), [(60.0, 1), (-1.0, 2)])
def test_a_proof_is_believed_for_a_while_and_asked_for_again_then(
    believed: float, asked: int
) -> None:
    auth = Bearer(TOKEN, believed_seconds=believed)
    with listening(the_true) as server:
        get(server.url, auth)
        get(server.url, auth)

    assert asked == server.asked


def test_nothing_is_asked_where_certificates_prove_it() -> None:
    seen: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.path)
        return httpx.Response(200)

    with httpx.Client(transport=httpx.MockTransport(handle), auth=Bearer(TOKEN)) as client:
        client.get("https://127.0.0.1:1/api")
        client.get("http://gameday.example/api")

    assert ["/api", "/api"] == seen


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"key": "x", "nonce": NONCE},
        {"key": "0" * 16, "nonce": NONCE},
        {"key": "0" * 16, "nonce": "short"},
    ],
)
def test_what_is_no_question_gets_no_answer(asked: Mapping[str, str]) -> None:
    assert proof_of(asked, [hash_of(TOKEN)], ("127.0.0.1", 1)) is None


def test_a_bearer_shows_no_token() -> None:
    assert "Bearer(…)" == repr(Bearer(TOKEN))
