"""``gameday serve``: the incident loop as a service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from gameday.cli.output import say
from gameday.errors import Refused

if TYPE_CHECKING:
    from gameday.house.service.serve import ServeSettings
    from gameday.settings import Settings

HOST = typer.Option("127.0.0.1", "--host", help="Address to listen on.")


def serve(
    host: str = HOST,
    port: int = typer.Option(8080, "--port", min=0, max=65535, help="0 takes a free one."),
) -> int:
    """Take alerts in, open incidents, page people, keep deadlines; until Ctrl-C.

    Anything but loopback needs a token first: `gameday token create --role webhook`.
    """
    from gameday.house.run.opening import open_store
    from gameday.house.service.serve import ServeSettings
    from gameday.server.process import run
    from gameday.settings import Settings

    settings = Settings.from_environment()
    chosen = ServeSettings.of(settings)
    with open_store(settings) as store:
        has_token = any(t.revoked_at is None for t in store.tokens())
    if not has_token:
        from gameday.http.address import is_loopback

        if not is_loopback(host):
            raise Refused(
                f"nobody could come in, and {host} is not loopback only: create a token first, "
                "`gameday token create --role webhook`"
            )
        say("there is no token yet: `gameday token create --role webhook` for Alertmanager,")
        say("`gameday token create --role responder` for yourself")
    run(_serve(host, port, settings, chosen))
    return 0


async def _serve(host: str, port: int, settings: Settings, chosen: ServeSettings) -> None:
    from gameday import __version__
    from gameday.drivers.clock import SystemClock
    from gameday.house.service.pagers import pagers_of
    from gameday.house.service.serve import service
    from gameday.house.service.tracing import traced, tracing
    from gameday.server.console.service_console import service_console
    from gameday.server.gate import Gate
    from gameday.server.process import listen, serve_until_told
    from gameday.server.service import service_app
    from gameday.server.traces import Traced

    listener = listen(host, port)
    bound = listener.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{bound}"
    with tracing(say=say) as tracer:
        pagers = traced(pagers_of(SystemClock(), settings), tracer)
        async with service(settings, chosen, url=url, pagers=pagers) as running:
            gate = Gate(running.store.tokens)
            with service_console(running, gate, settings=settings, say=say) as console:
                app = service_app(
                    running.engine,
                    gate,
                    running.signer,
                    link_of=running.link_of,
                    lookup=running.lookup,
                    pagerduty_secrets=chosen.pagerduty_secrets,
                    ready=running.ready,
                    version=__version__,
                    console=console,
                )
                await serve_until_told(
                    app if tracer is None else Traced(app, tracer),
                    listener,
                    on_ready=lambda: say(f"serving on {url}\nfor people: {url}/console/"),
                    on_end=console.streams.close,
                )
