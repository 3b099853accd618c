"""Toxiproxy's HTTP API over a registry of proxies."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from gameday import __version__
from gameday.sandbox.proxy.registry import Registry
from gameday.sandbox.proxy.toxic import ApiError, read_body

Handler = Callable[[Request, Registry], Awaitable[Response]]


async def _body(request: Request) -> Any:
    return read_body(await request.body())


def _no_content() -> Response:
    return Response(status_code=204)


async def _list(request: Request, registry: Registry) -> Response:
    return JSONResponse({p.name: p.to_json() for p in registry.proxies()})


async def _create(request: Request, registry: Registry) -> Response:
    proxy = await registry.create(await _body(request))
    return JSONResponse(proxy.to_json(), status_code=201)


async def _populate(request: Request, registry: Registry) -> Response:
    proxies = await registry.populate(await _body(request))
    return JSONResponse({"proxies": [p.to_json() for p in proxies]}, status_code=201)


async def _show(request: Request, registry: Registry) -> Response:
    return JSONResponse(registry.get(request.path_params["proxy"]).to_json())


async def _update(request: Request, registry: Registry) -> Response:
    proxy = registry.get(request.path_params["proxy"])
    await proxy.update(await _body(request))
    return JSONResponse(proxy.to_json())


async def _delete(request: Request, registry: Registry) -> Response:
    await registry.remove(request.path_params["proxy"])
    return _no_content()


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _list_toxics(request: Request, registry: Registry) -> Response:
    toxics = registry.get(request.path_params["proxy"]).toxics()
    return JSONResponse([t.to_json(now=_now()) for t in toxics])


async def _create_toxic(request: Request, registry: Registry) -> Response:
    proxy = registry.get(request.path_params["proxy"])
    toxic = proxy.add_toxic(await _body(request))
    return JSONResponse(toxic.to_json(now=_now()))  # 200, not 201: Toxiproxy's clients expect it


async def _show_toxic(request: Request, registry: Registry) -> Response:
    proxy = registry.get(request.path_params["proxy"])
    return JSONResponse(proxy.toxic(request.path_params["toxic"]).to_json(now=_now()))


async def _update_toxic(request: Request, registry: Registry) -> Response:
    proxy = registry.get(request.path_params["proxy"])
    toxic = proxy.update_toxic(request.path_params["toxic"], await _body(request))
    return JSONResponse(toxic.to_json(now=_now()))


async def _delete_toxic(request: Request, registry: Registry) -> Response:
    registry.get(request.path_params["proxy"]).remove_toxic(request.path_params["toxic"])
    return _no_content()


async def _reset(request: Request, registry: Registry) -> Response:
    await registry.reset()
    return _no_content()


async def _version(request: Request, registry: Registry) -> Response:
    return JSONResponse({"version": f"gameday-{__version__}"})


async def _metrics(request: Request, registry: Registry) -> Response:
    lines = []
    for what in ("received", "sent"):
        name = f"toxiproxy_proxy_{what}_bytes_total"
        lines.append(f"# TYPE {name} counter")
        for proxy in registry.proxies():
            for (counted, stream), amount in sorted(proxy.bytes.items()):
                if counted == what:
                    labels = (
                        f'direction="{stream}",proxy="{proxy.name}",'
                        f'listener="{proxy.listen}",upstream="{proxy.upstream}"'
                    )
                    lines.append(f"{name}{{{labels}}} {amount}")
    return PlainTextResponse(
        "\n".join([*lines, ""]), media_type="text/plain; version=0.0.4; charset=utf-8"
    )


ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/proxies", _list),
    ("POST", "/proxies", _create),
    ("POST", "/populate", _populate),
    ("GET", "/proxies/{proxy}", _show),
    ("POST", "/proxies/{proxy}", _update),
    ("PATCH", "/proxies/{proxy}", _update),
    ("DELETE", "/proxies/{proxy}", _delete),
    ("GET", "/proxies/{proxy}/toxics", _list_toxics),
    ("POST", "/proxies/{proxy}/toxics", _create_toxic),
    ("GET", "/proxies/{proxy}/toxics/{toxic}", _show_toxic),
    ("POST", "/proxies/{proxy}/toxics/{toxic}", _update_toxic),
    ("PATCH", "/proxies/{proxy}/toxics/{toxic}", _update_toxic),
    ("DELETE", "/proxies/{proxy}/toxics/{toxic}", _delete_toxic),
    ("POST", "/reset", _reset),
    ("GET", "/version", _version),
    ("GET", "/metrics", _metrics),
)


def application(registry: Registry) -> Starlette:
    """Return the ASGI application that serves this registry."""

    def endpoint(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            # Toxiproxy's guard against web pages that talk to loopback behind the user's back.
            if request.headers.get("user-agent", "").startswith("Mozilla/"):
                return PlainTextResponse("User agent not allowed\n", status_code=403)
            try:
                return await handler(request, registry)
            except ApiError as problem:
                return JSONResponse(
                    {"error": problem.message, "status": problem.status},
                    status_code=problem.status,
                )

        return answer

    # One route per path: a second one for another method would answer 405 first.
    paths = dict.fromkeys(path for _, path, _ in ROUTES)
    routes = []
    for path in paths:
        handlers = {method: handler for method, p, handler in ROUTES if p == path}
        routes.append(Route(path, _by_method(handlers, endpoint), methods=list(handlers)))
    return Starlette(routes=routes)


def _by_method(
    handlers: dict[str, Handler],
    endpoint: Callable[[Handler], Callable[[Request], Awaitable[Response]]],
) -> Callable[[Request], Awaitable[Response]]:
    answers = {method: endpoint(handler) for method, handler in handlers.items()}
    if "GET" in answers:
        answers["HEAD"] = answers["GET"]

    async def answer(request: Request) -> Response:
        return await answers[request.method](request)

    return answer
