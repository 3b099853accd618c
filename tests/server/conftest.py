"""Fixtures of the service's tests."""

from opened_service import firing, opening, service

__all__ = ["firing", "opening", "service"]
