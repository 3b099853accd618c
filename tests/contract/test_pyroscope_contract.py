"""The source of profiles, on the sandbox's store and, by URL, on a real Pyroscope.

GAMEDAY_TEST_PYROSCOPE_URL is Pyroscope (http://127.0.0.1:4040). The profiles are pushed as the
agent pushes them: gzipped protobuf built by hand, and once by the agent itself.
"""

from __future__ import annotations

import gzip
import json
import secrets
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from given import GIVEN

from gameday.drivers.pyroscope import PyroscopeProfiles, read_pprof
from gameday.errors import PermanentDriverError, TemporaryDriverError
from gameday.http.credentials import Credentials
from gameday.model.signals import Frame, Profile
from gameday.ports import ProfileSource
from gameday.sandbox.telemetry import pprof
from gameday.sandbox.telemetry.app import create_app
from gameday.testing.contracts import ProfiledService, ProfileSourceContract, Sample
from gameday.testing.served import served

pytestmark = pytest.mark.served

ROOT = Frame("Thread.run", "/usr/lib/python3/threading.py", 982)
HANDLE = Frame("Handler.do_POST", "/books/catalog/server.py", 40)
QUERY = Frame("reserve", "/books/catalog/stock.py", 17)


def push_body(service: str, samples: Sequence[Sample], *, at: datetime) -> bytes:
    """Return a push request with one pprof, as the Python agent builds it."""
    profile = pprof.message("Profile")()
    strings = [""]

    def text(value: str) -> int:
        if value not in strings:
            strings.append(value)
        return strings.index(value)

    profile.sample_type.add(type=text("cpu"), unit=text("nanoseconds"))
    profile.period_type.type, profile.period_type.unit = text("cpu"), text("nanoseconds")
    profile.period = 10**7
    profile.time_nanos = round(at.timestamp() * 10**9)
    profile.duration_nanos = 3 * 10**9
    places: dict[Frame, int] = {}
    for trace_id, frames, milliseconds in samples:
        sample = profile.sample.add(value=[milliseconds * 10**6])
        for frame in reversed(frames):
            if frame not in places:
                number = places[frame] = len(places) + 1
                profile.function.add(
                    id=number, name=text(frame.function), filename=text(frame.file)
                )
                profile.location.add(id=number).line.add(function_id=number, line=frame.line)
            sample.location_id.append(places[frame])
        if trace_id:
            sample.label.add(key=text("trace_id"), str=text(trace_id))
    profile.string_table.extend(strings)
    request = pprof.message("PushRequest")()
    series = request.series.add()
    labels = {"__name__": "process_cpu", "service_name": service, "region": "eu-west"}
    for name, value in labels.items():
        series.labels.add(name=name, value=value)
    series.samples.add(raw_profile=profile.SerializeToString())
    body: bytes = request.SerializeToString()
    return body


class Agent(ProfiledService):
    """A service that pushes profiles to a server."""

    def __init__(self, url: str, *, wait: timedelta) -> None:
        self.url = url
        self.service = f"inventory-{secrets.token_hex(4)}"
        self.at = datetime.now(UTC) - timedelta(seconds=10)
        self.wait = wait

    def source(self) -> ProfileSource:
        return PyroscopeProfiles(self.url)

    def unreachable(self) -> ProfileSource:
        return PyroscopeProfiles("http://127.0.0.1:1", pause=timedelta(0))

    def push(self, samples: Sequence[Sample]) -> None:
        answer = httpx.post(
            f"{self.url}/push.v1.PusherService/Push",
            content=gzip.compress(push_body(self.service, samples, at=self.at)),
            headers={"Content-Type": "application/proto", "Content-Encoding": "gzip"},
        )
        answer.raise_for_status()


@pytest.fixture(scope="module")
def store_url() -> Iterator[str]:
    with served(create_app()) as url:
        yield url


@pytest.fixture
def store(store_url: str) -> Agent:
    return Agent(store_url, wait=timedelta(0))


@pytest.fixture
def real_pyroscope() -> Agent:
    if not GIVEN.pyroscope_url:
        pytest.skip("set GAMEDAY_TEST_PYROSCOPE_URL to a Pyroscope to run its contract against it")
    return Agent(GIVEN.pyroscope_url, wait=timedelta(seconds=10))


class TestPyroscopeProfilesOfTheStore(ProfileSourceContract):
    @pytest.fixture
    def subject(self, store: Agent) -> Agent:
        return store


class TestPyroscopeProfilesOfARealPyroscope(ProfileSourceContract):
    @pytest.fixture
    def subject(self, real_pyroscope: Agent) -> Agent:
        return real_pyroscope


AGENT_APP = """
import sys, time, pyroscope
pyroscope.configure(application_name=sys.argv[2], server_address=sys.argv[1], sample_rate=100,
                    oncpu=False, gil_only=False, tags={"region": "eu-west"})
def waits():
    time.sleep(0.5)
with pyroscope.tag_wrapper({"trace_id": sys.argv[3]}):
    waits()
pyroscope.shutdown()
"""


@pytest.mark.parametrize("server", ["store", "real_pyroscope"])
def test_the_real_agent_s_profile_names_function_file_and_line_of_a_wait(
    server: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    agent: Agent = request.getfixturevalue(server)
    app = tmp_path / "app.py"
    app.write_text(AGENT_APP)
    trace_id = secrets.token_hex(16)
    agent.at = datetime.now(UTC)

    subprocess.run(
        [sys.executable, str(app), agent.url, agent.service, trace_id],
        check=True, timeout=60, capture_output=True,
    )  # fmt: skip
    found = agent.profile(trace_id)

    widest = found.stacks[0].frames[-1]
    assert ("waits", str(app), 6) == (widest.function, widest.file, widest.line)
    assert timedelta(milliseconds=100) < found.total()  # a busy machine samples less often


# --- servers that are not as they should be -----------------------------------------------------

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
EVERYBODY: dict[str, Any] = {
    "stringTable": ["", "Thread.run", "threading.py"],
    "function": [{"id": "1", "name": "1", "filename": "2"}],
    "location": [{"id": "1", "line": [{"functionId": "1", "line": "982"}]}],
    "sample": [{"locationId": ["1"], "value": ["1000000000"]}],
}


class OldServer:
    """A Pyroscope that ignores what it does not know: the pprof format, the trace ids."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        call = request.url.path.rpartition("/")[2]
        self.asked.append((call, body))
        if call == "SelectMergeStacktraces":
            return httpx.Response(200, json={"flamegraph": {"names": ["total"], "total": "1"}})
        one = json.loads(json.dumps(EVERYBODY))
        if "trace_id=~" in body["labelSelector"]:
            one["sample"][0]["value"] = ["50000000"]
        return httpx.Response(200, json=one)


async def by_trace(transport: httpx.AsyncBaseTransport, trace_id: str = "a" * 32) -> Profile:
    profiles = PyroscopeProfiles("http://pyroscope", transport=transport, pause=timedelta(0))
    return await profiles.by_trace(
        service="inventory", trace_ids=[trace_id], since=NOON, until=NOON
    )


async def test_a_server_that_ignores_trace_ids_is_asked_by_label_instead() -> None:
    server = OldServer()

    found = await by_trace(httpx.MockTransport(server))

    assert timedelta(milliseconds=50) == found.total()
    assert (
        f'{{service_name="inventory", trace_id=~"{"a" * 32}"}}'
        == server.asked[-1][1]["labelSelector"]
    )
    assert "traceIdSelector" not in server.asked[-1][1]


async def test_a_server_without_the_calls_is_a_permanent_error() -> None:
    with pytest.raises(PermanentDriverError, match="has neither"):
        await by_trace(httpx.MockTransport(lambda _: httpx.Response(404)))


async def test_a_pyroscope_that_is_away_is_a_temporary_error() -> None:
    with pytest.raises(TemporaryDriverError, match="Pyroscope at http://pyroscope"):
        await by_trace(httpx.MockTransport(lambda _: httpx.Response(503)))


async def test_a_profile_whose_parts_do_not_fit_is_a_permanent_error() -> None:
    broken = {**EVERYBODY, "location": [{"id": "1", "line": [{"functionId": "9"}]}]}
    answer = httpx.Response(200, json={"pprof": {"profile": broken}})

    with pytest.raises(PermanentDriverError, match="not a pprof"):
        await by_trace(httpx.MockTransport(lambda _: answer))


async def test_the_tenant_and_the_token_are_shown() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"pprof": {"profile": {}}})

    source = PyroscopeProfiles(
        "http://pyroscope",
        credentials=Credentials({"X-Scope-OrgID": "books", "Authorization": "Bearer HUNTER2"}),
        transport=httpx.MockTransport(answer),
    )
    now = datetime.now(UTC)

    await source.by_trace(service="shop", trace_ids=["a" * 32], since=now, until=now)

    assert {("books", "Bearer HUNTER2")} == {
        (r.headers["X-Scope-OrgID"], r.headers["Authorization"]) for r in asked
    }


async def test_a_shortened_trace_id_is_padded() -> None:
    server = OldServer()

    await by_trace(httpx.MockTransport(server), trace_id="ABC")

    assert ["abc".zfill(32)] == server.asked[0][1]["traceIdSelector"]


def test_inlined_calls_become_frames_of_their_own() -> None:
    two = json.loads(json.dumps(EVERYBODY))
    two["function"].append({"id": "2"})
    two["location"][0]["line"].insert(0, {"functionId": "2"})

    (stack,) = read_pprof(two).stacks

    assert ["Thread.run", ""] == [frame.function for frame in stack.frames]


# --- the calls beside the one the driver prefers --------------------------------------------------


def merge(agent: Agent, call: str = "SelectMergeStacktraces", **question: Any) -> Any:
    start = round(agent.at.timestamp() * 1000)
    body = {
        "profileTypeID": "process_cpu:cpu:nanoseconds:cpu:nanoseconds",
        "labelSelector": f'{{service_name="{agent.service}"}}',
        "start": start,
        "end": start + 1000,
        **question,
    }
    answer = httpx.post(f"{agent.url}/querier.v1.QuerierService/{call}", json=body)
    return answer.json() if answer.is_success else (answer.status_code, answer.json()["code"])


def test_a_flame_graph_has_levels_of_offset_total_self_and_name(store: Agent) -> None:
    store.push([("", (ROOT, HANDLE), 30), ("", (ROOT, QUERY), 70), ("", (ROOT,), 5)])

    graph = merge(store)["flamegraph"]

    # root 105; Thread.run 105, 5 of its own; then Handler.do_POST 30 and reserve 70 beside it.
    assert ["total", "Thread.run", "Handler.do_POST", "reserve"] == graph["names"]
    million = 10**6
    assert [
        [0, 105 * million, 0, 0],
        [0, 105 * million, 5 * million, 1],
        [5 * million, 30 * million, 30 * million, 2, 0, 70 * million, 70 * million, 3],
    ] == [[int(v) for v in level["values"]] for level in graph["levels"]]
    assert (str(105 * million), str(70 * million)) == (graph["total"], graph["maxSelf"])


def test_frames_past_the_node_limit_are_folded_into_other(store: Agent) -> None:
    store.push([("", (ROOT, HANDLE), 30), ("", (ROOT, QUERY), 70)])

    graph = merge(store, maxNodes=3)["flamegraph"]

    assert ["total", "Thread.run", "reserve", "other"] == graph["names"]


def test_the_older_profile_call_filters_by_trace_too(store: Agent) -> None:
    mine = secrets.token_hex(16)
    store.push([(mine, (ROOT, QUERY), 70), ("", (ROOT,), 5)])

    found = read_pprof(merge(store, "SelectMergeProfile", traceIdSelector=[mine]))

    assert timedelta(milliseconds=70) == found.total()


def test_tags_of_samples_can_be_selected_as_labels(store: Agent) -> None:
    mine = secrets.token_hex(16)
    store.push([(mine, (ROOT, QUERY), 70), ("", (ROOT,), 5)])

    graph = merge(store, labelSelector=f'{{region=~"eu-.*",trace_id="{mine}"}}')["flamegraph"]

    assert str(70 * 10**6) == graph["total"]


def test_the_old_render_call_answers_a_flamebearer(store: Agent) -> None:
    store.push([("", (ROOT, QUERY), 70)])
    query = f'process_cpu:cpu:nanoseconds:cpu:nanoseconds{{service_name="{store.service}"}}'

    answer = httpx.get(f"{store.url}/pyroscope/render", params={"query": query, "from": "now-1h"})

    assert 70 * 10**6 == answer.json()["flamebearer"]["numTicks"]


@pytest.mark.parametrize(
    "question",
    [
        {"start": None},
        {"end": "tomorrow"},
        {"traceIdSelector": ["abc"]},
        {"traceIdSelector": "a" * 32},
        {"traceIdSelector": ["a" * 32], "spanSelector": ["b" * 16]},
        {"labelSelector": "{service_name=inventory}"},
        {"labelSelector": '{service_name=~"("}'},
        {"labelSelector": 7},
        {"format": "PROFILE_FORMAT_DOT"},
    ],
)
def test_a_broken_question_is_an_invalid_argument(store: Agent, question: Any) -> None:
    assert (400, "invalid_argument") == merge(store, **question)


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b"garbage", "identity", 400),
        (gzip.compress(b"\x0a\xff", mtime=0), "gzip", 400),
        (gzip.compress(b"\0" * 1000, mtime=0)[:-10], "gzip", 400),
        (b"not gzip at all", "gzip", 400),
        (gzip.compress(b"\0" * (40 * 1024 * 1024), mtime=0), "gzip", 413),
        (b"\0" * (9 * 1024 * 1024), "identity", 413),
        (b"", "br", 415),
    ],
)
def test_a_broken_push_is_refused(store: Agent, body: bytes, encoding: str, status: int) -> None:
    answer = httpx.post(
        f"{store.url}/push.v1.PusherService/Push",
        content=body, headers={"Content-Encoding": encoding},
    )  # fmt: skip

    assert status == answer.status_code


def test_a_pprof_bomb_inside_a_push_is_refused(store: Agent) -> None:
    request = pprof.message("PushRequest")()
    series = request.series.add()
    series.labels.add(name="service_name", value="shop")
    series.samples.add(raw_profile=gzip.compress(b"\0" * (40 * 1024 * 1024)))

    answer = httpx.post(
        f"{store.url}/push.v1.PusherService/Push", content=request.SerializeToString()
    )

    assert 413 == answer.status_code
