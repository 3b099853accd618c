"""What can go wrong while a request is served."""

from __future__ import annotations


class BadRequest(Exception):
    """The caller sent something that cannot be served: answered with 400."""


class Unavailable(Exception):
    """A downstream did not do its part: answered with 503."""
