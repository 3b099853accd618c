"""The sandbox's control API: what an operator of the shop could do, over HTTP on loopback."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gameday.errors import DriverError, GamedayError, TemporaryDriverError
from gameday.sandbox.state import REGIONS
from gameday.sandbox.supervisor.plant import STANDBY, Plant

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")

Endpoint = Callable[[Request], Awaitable[Response]]


class _Refused(Exception):
    """The request cannot be served as it is; answered with 400 or 404."""

    def __init__(self, message: str, status: int = 400) -> None:
        self.status = status
        super().__init__(message)


def create_app(plant: Plant) -> Starlette:
    """Return the control API of this sandbox."""
    control = _Control(plant)
    return Starlette(
        routes=[
            Route("/status", _guarded(control.status)),
            Route("/deploys", _guarded(control.deploys), methods=["GET"]),
            Route("/deploys", _guarded(control.deploy), methods=["POST"]),
            Route("/changes", _guarded(control.change), methods=["POST"]),
            Route("/mitigations/{name}", _guarded(control.mitigate), methods=["POST"]),
            Route(
                "/components/{name}/{verb}", _guarded(control.switch_component), methods=["POST"]
            ),
            Route("/restore", _guarded(control.restore), methods=["POST"]),
            Route("/pages", _guarded(control.route_pages), methods=["PUT"]),
            Route("/rules", _guarded(control.list_rules)),
            Route("/rules/{name}", _guarded(control.put_rules), methods=["PUT"]),
            Route("/rules/{name}", _guarded(control.delete_rules), methods=["DELETE"]),
            Route("/history/reset", _guarded(control.reset_history), methods=["POST"]),
        ]
    )


def _guarded(call: Endpoint) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            return await call(request)
        except _Refused as refusal:
            return _error(str(refusal), refusal.status)
        except TemporaryDriverError as error:
            return _error(str(error), 503)
        except (DriverError, GamedayError) as error:
            return _error(str(error), 409)

    return endpoint


def _error(message: str, status: int) -> Response:
    return JSONResponse({"error": message}, status)


def _done(detail: str) -> Response:
    return JSONResponse({"ok": True, "detail": detail})


class _Control:
    def __init__(self, plant: Plant) -> None:
        self._plant = plant

    async def _as_asked(self, request: Request) -> None:
        if request.query_params.get("settled") == "yes":
            await self._plant.settled()

    async def status(self, request: Request) -> Response:
        await self._as_asked(request)
        return JSONResponse(await self._plant.status())

    async def deploys(self, request: Request) -> Response:
        await self._as_asked(request)
        records = [record.to_json() for record in self._plant.book.records]
        return JSONResponse({"deploys": records})

    async def deploy(self, request: Request) -> Response:
        body = await _body(request)
        record = await self._plant.deploy(
            _text(body, "service"), _text(body, "revision"), _optional(body, "region")
        )
        return JSONResponse({"ok": True, **record.to_json()})

    async def change(self, request: Request) -> Response:
        body = await _body(request)
        seed = body.get("seed", 0)
        if isinstance(seed, bool) or not isinstance(seed, int):
            raise _Refused(f"seed {seed!r} is not a whole number")
        made = await self._plant.change(_text(body, "service"), seed, _text(body, "kind"))
        return JSONResponse(made)

    async def mitigate(self, request: Request) -> Response:
        body = await _body(request)
        match request.path_params["name"]:
            case "failover-db":
                return _done(await self._plant.use_database(STANDBY, _region(body)))
            case "drain-region":
                region = _region(body)
                if region is None:
                    raise _Refused("drain-region needs a region")
                return _done(await self._plant.drain(self._plant.drained | {region}))
            case "rollback-deploy":
                service = _text(body, "service")
                return _done(await self._plant.roll_back(service, _region(body)))
            case name:
                raise _Refused(
                    f"no mitigation {name!r}: choose failover-db, drain-region or rollback-deploy",
                    404,
                )

    async def switch_component(self, request: Request) -> Response:
        name = str(request.path_params["name"])
        match request.path_params["verb"]:
            case "stop":
                return _done(await self._plant.stop_component(name))
            case "start":
                return _done(await self._plant.start_component(name))
            case verb:
                raise _Refused(f"a component can stop or start, not {verb!r}", 404)

    async def restore(self, request: Request) -> Response:
        return _done(await self._plant.restore())

    async def route_pages(self, request: Request) -> Response:
        body = await _body(request)
        url = _optional(body, "url")
        await self._plant.route_pages(url, token=_optional(body, "token"))
        return _done(f"pages go to {url}" if url else "pages go nowhere")

    async def list_rules(self, request: Request) -> Response:
        return JSONResponse({"rules": self._plant.rules()})

    async def put_rules(self, request: Request) -> Response:
        name = _rule_name(request)
        await self._plant.put_rules(name, (await request.body()).decode("utf-8", "replace"))
        return _done(f"rules {name} are in force")

    async def delete_rules(self, request: Request) -> Response:
        name = _rule_name(request)
        if not await self._plant.delete_rules(name):
            raise _Refused(f"no rules {name!r}", 404)
        return _done(f"rules {name} are gone")

    async def reset_history(self, request: Request) -> Response:
        await self._plant.reset_history()
        return _done("Prometheus, Alertmanager and the store begin anew")


async def _body(request: Request) -> dict[str, Any]:
    raw = await request.body()
    try:
        body = json.loads(raw or b"{}")
    except ValueError as error:
        raise _Refused(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise _Refused("the body is not a JSON object")
    return body


def _text(body: dict[str, Any], name: str) -> str:
    value = _optional(body, name)
    if value is None:
        raise _Refused(f"{name} is missing")
    return value


def _optional(body: dict[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise _Refused(f"{name} {value!r} is not a text")
    return value


def _region(body: dict[str, Any]) -> str | None:
    region = _optional(body, "region")
    if region is not None and region not in REGIONS:
        raise _Refused(f"no region {region!r}: choose one of {', '.join(REGIONS)}")
    return region


def _rule_name(request: Request) -> str:
    name = str(request.path_params["name"])
    if not _NAME.fullmatch(name):
        raise _Refused(f"{name!r} is no name for rules: use letters, digits, '.', '_' and '-'")
    return name
