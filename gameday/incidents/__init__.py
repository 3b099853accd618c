"""The incident loop: what pages, responders and deadlines do to an incident.

It turns what arrives from outside (webhooks, clicks, the bot's calls) into facts in the ledger, and
knows the page of an incident. It judges nothing and reaches the world through ports only.
"""

from gameday.incidents.incident import Incident

__all__ = ["Incident"]
