"""The words by which first checks are known to send a reader to an instrument."""

from __future__ import annotations

import re

__all__ = ["CHECKS", "MENTIONS", "WAITING", "WAITING_SENTENCE"]

# Which words show that the first checks send a reader to this step's instrument.
MENTIONS = {
    "red": re.compile(r"\bRED\b|\b(?:error|request) rate|\bdashboard|\bmetrics?\b", re.I),
    "trace": re.compile(r"\btrac(?:e|es|ing)\b|\bspans?\b", re.I),
    "profile": re.compile(r"\bprofil(?:e|es|er|ing)\b|\bflame ?graph", re.I),
    "blame": re.compile(r"\bblame\b|\bdeploy|\bchanged?\b|\bcommit|\brelease", re.I),
}
CHECKS = {
    "red": "**read-red**: Open the RED dashboard. Which of rate, errors and duration moved, since"
    " when, and where?",
    "trace": "**find-hop**: Open slow or failed traces from the burn window. Which span holds the"
    " bulk of the time?",
    "profile": "**read-profile**: Open the profile of one of those traces. Which function is the"
    " widest leaf?",
    "blame": "**check-changes**: Look who changed that function last, and compare with the deploy"
    " timeline.",
}
WAITING = re.compile(r"\bwait|\boff[- ]CPU|\bblocked\b", re.I)
WAITING_SENTENCE = (
    "A leaf that only waits (for a socket, for a lock) is no cause: follow the hop it waits for."
)
