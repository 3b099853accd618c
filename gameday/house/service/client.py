"""The running `gameday serve`, as the command line speaks to it."""

from __future__ import annotations

from urllib.parse import quote

from gameday.drivers.desk import HttpDesk
from gameday.errors import UsageError
from gameday.settings import Settings


def served_desk(settings: Settings, incident: str) -> HttpDesk:
    """Return the desk of an incident of the service.

    Raises:
        UsageError: there is no token.
    """
    base, token = settings.client.server, settings.client.token.get_secret_value()
    if not token:
        raise UsageError(
            "set GAMEDAY_TOKEN to a token of your own: `gameday token create --role responder`"
        )
    return HttpDesk(
        f"{base}/api/incidents/{quote(incident, safe='')}",
        token=token,
        otherwise=f"no service answers at {base}: start `gameday serve`, or set GAMEDAY_SERVER",
    )
