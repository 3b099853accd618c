"""Rendering: judgements and values in, text out. Pure.

Here live the scorecard (Markdown, HTML, JUnit, terminal), the postmortem draft, the runbook
tasks with their patches, and the Prometheus rules of an SLO. Nothing here judges, reads a
file, asks the time or touches the network; ``cli`` and ``house`` call it and write the result.
People never appear, roles do.
"""

from __future__ import annotations
