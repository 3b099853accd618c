"""The door that webhooks, deeplinks and responders come through: HTTP on loopback.

It turns requests into calls of `gameday.incidents.Incident` and answers; nothing is decided here.
"""

from gameday.server.app import incident_app
from gameday.server.embedded import serving

__all__ = ["incident_app", "serving"]
