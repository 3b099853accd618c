"""What the Toxiproxy driver relies on, tried on gameday's proxy and on a real Toxiproxy.

It adds one proxy of its own and removes it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import httpx
import pytest

from gameday.drivers.toxiproxy import Toxic, Toxiproxy
from gameday.errors import PermanentDriverError, TemporaryDriverError
from gameday.testing.proxy import running_proxy

pytestmark = pytest.mark.served

NAME = "gameday-contract"


@pytest.fixture(scope="module")
def ours() -> Iterator[str]:
    with running_proxy([]) as url:
        yield url


@pytest.fixture(params=["ours", "real_toxiproxy"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Toxiproxy]:
    url = request.getfixturevalue(request.param)
    async with httpx.AsyncClient(base_url=url, verify=False) as client:
        made = await client.post(
            "/proxies",
            json={"name": NAME, "listen": "127.0.0.1:0", "upstream": "127.0.0.1:9"},
        )
        assert 201 == made.status_code
        async with Toxiproxy(url) as driver:
            yield driver
        assert 204 == (await client.delete(f"/proxies/{NAME}")).status_code


async def test_proxies_are_read_with_their_toxics(server: Toxiproxy) -> None:
    await server.create_toxic(NAME, Toxic("a", "latency", attributes={"latency": 5, "jitter": 1}))

    proxies = {p.name: p for p in await server.proxies()}

    proxy = proxies[NAME]
    assert proxy == await server.proxy(NAME)
    assert (True, "127.0.0.1:9") == (proxy.enabled, proxy.upstream)
    toxic = proxy.toxic("a")
    assert toxic is not None
    assert ("latency", "downstream", 1) == (toxic.type, toxic.stream, toxic.toxicity)
    assert {"latency": 5, "jitter": 1} == toxic.attributes
    assert proxy.toxic("b") is None


@pytest.mark.parametrize(
    ("kind", "attributes"),
    [
        ("latency", {"latency": 1, "jitter": 0}),
        ("bandwidth", {"rate": 1}),
        ("slow_close", {"delay": 1}),
        ("timeout", {"timeout": 1}),
        ("reset_peer", {"timeout": 1}),
        ("slicer", {"average_size": 3, "size_variation": 1, "delay": 1}),
        ("limit_data", {"bytes": 1}),
        ("noop", {}),
    ],
)
async def test_every_type_is_accepted_and_read_back(
    server: Toxiproxy, kind: str, attributes: dict[str, int]
) -> None:
    toxic = Toxic("t", kind, "upstream", 0.5, attributes)

    assert toxic == await server.create_toxic(NAME, toxic)
    assert toxic == await server.toxic(NAME, "t")
    assert [toxic] == list(await server.toxics(NAME))


async def test_removing_by_name_leaves_others_and_may_be_repeated(server: Toxiproxy) -> None:
    for name in ("mine", "theirs"):
        await server.create_toxic(NAME, Toxic(name, "latency"))

    assert await server.delete_toxic(NAME, "mine")
    assert not await server.delete_toxic(NAME, "mine")

    assert ["theirs"] == [t.name for t in await server.toxics(NAME)]


async def test_a_toxic_without_effect_marks_a_disabled_proxy(server: Toxiproxy) -> None:
    await server.create_toxic(NAME, Toxic("mark", "latency", toxicity=0))

    assert not (await server.enable(NAME, on=False)).enabled
    assert await server.toxic(NAME, "mark") is not None
    assert (await server.enable(NAME, on=True)).enabled


async def test_what_is_not_there_is_none_and_what_is_refused_is_an_error(
    server: Toxiproxy,
) -> None:
    assert await server.proxy("none") is None
    assert await server.toxic(NAME, "none") is None
    assert await server.toxic("none", "none") is None
    with pytest.raises(PermanentDriverError, match="proxy not found"):
        await server.create_toxic("none", Toxic("t", "latency"))
    with pytest.raises(PermanentDriverError, match="invalid toxic type"):
        await server.create_toxic(NAME, Toxic("t", "rain"))
    await server.create_toxic(NAME, Toxic("t", "latency"))
    with pytest.raises(PermanentDriverError, match="toxic already exists"):
        await server.create_toxic(NAME, Toxic("t", "timeout"))


async def test_it_says_its_version(server: Toxiproxy) -> None:
    assert await server.version()


async def test_keys_are_taken_in_any_case(server: Toxiproxy) -> None:
    bodies = [
        {"Name": "a", "Type": "bandwidth", "Attributes": {"Rate": 100}},
        {"NAME": "b", "TYPE": "slicer", "STREAM": "upstream", "attributes": {"AVERAGE_SIZE": 9}},
    ]
    async with httpx.AsyncClient(base_url=server.url, verify=False) as client:
        for body in bodies:
            (await client.post(f"/proxies/{NAME}/toxics", json=body)).raise_for_status()
        path = f"/proxies/{NAME}/toxics/a"
        await client.post(path, json={"Attributes": {"RATE": 5}, "Toxicity": 0.5})

    a, b = sorted(await server.toxics(NAME), key=lambda toxic: toxic.name)
    assert Toxic("a", "bandwidth", toxicity=0.5, attributes={"rate": 5}) == a
    assert ("upstream", 9) == (b.stream, b.attributes["average_size"])


async def test_of_two_keys_that_are_one_the_last_counts(server: Toxiproxy) -> None:
    attributes = '{"Latency": 5, "latency": 6, "LATENCY": null}'
    body = f'{{"name": "t", "type": "latency", "attributes": {attributes}}}'
    async with httpx.AsyncClient(base_url=server.url, verify=False) as client:
        (await client.post(f"/proxies/{NAME}/toxics", content=body)).raise_for_status()

    toxic = await server.toxic(NAME, "t")
    assert toxic is not None
    assert 6 == toxic.attributes["latency"]


async def test_a_ttl_is_kept_by_our_proxy(ours: str) -> None:
    async with Toxiproxy(ours) as server, httpx.AsyncClient(base_url=ours, verify=False) as client:
        await client.post("/proxies", json={"name": "x", "upstream": "127.0.0.1:9"})
        await server.create_toxic("x", Toxic("t", "latency", ttl=timedelta(minutes=1)))

        toxic = await server.toxic("x", "t")
        assert toxic is not None and toxic.ttl is not None
        assert timedelta(0) < toxic.ttl <= timedelta(minutes=1)
        await client.delete("/proxies/x")


async def test_a_server_that_does_not_answer_is_worth_another_try() -> None:
    async with Toxiproxy("http://127.0.0.1:9") as server:
        with pytest.raises(TemporaryDriverError, match=r"127\.0\.0\.1:9 does not answer"):
            await server.proxies()


async def test_something_else_than_toxiproxy_is_said_to_be_so() -> None:
    page = httpx.MockTransport(lambda _: httpx.Response(200, text="<html>"))
    async with Toxiproxy("http://x", transport=page) as server:
        with pytest.raises(PermanentDriverError, match="not JSON: is it Toxiproxy's"):
            await server.proxies()
        with pytest.raises(PermanentDriverError, match="no version: is it Toxiproxy's"):
            await server.version()


@pytest.mark.parametrize("answer", ['{"version": "2.9.0"}', "2.9.0", "2.9.0\n"])
async def test_a_version_may_be_plain_text_or_json(answer: str) -> None:
    says = httpx.MockTransport(lambda _: httpx.Response(200, text=answer))
    async with Toxiproxy("http://x", transport=says) as server:
        assert "2.9.0" == await server.version()
