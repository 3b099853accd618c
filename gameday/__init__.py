"""gameday: fire drills for a production system and for the people on call.

The rooms are described in docs/architecture.md. This package imports nothing at its top, so that
``gameday --help`` stays instant.
"""

__version__ = "0.1.0"
