"""Laws are checked without a stopwatch: a busy machine must not turn one red."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("scoring", deadline=None, max_examples=40)
settings.load_profile("scoring")
