"""What an operator may choose: one page of settings, and how they are found.

`page` is the page: every setting there is, grouped by subject, with its meaning, unit, default and
the reason for the default. `reading` finds what is in force: the environment (``GAMEDAY_…``) wins
over ``gameday.toml``, and an option on the command line over both. `shown` says what is in force
and where each value comes from, secrets covered.

Nothing outside this package reads a variable ``GAMEDAY_…`` of its own accord, but for those in
`PLUMBING`. Settings are read once where a command begins and handed on as values.
"""

from gameday.settings.page import (
    ClientSettings,
    DrillSettings,
    HookSettings,
    KubeSettings,
    LinkSettings,
    PagerSettings,
    RunSettings,
    ServiceSettings,
    Settings,
    StoreSettings,
    ToolSettings,
)
from gameday.settings.reading import FILE_VARIABLE, PLUMBING, Found, find, handed_down, variable

__all__ = [
    "FILE_VARIABLE",
    "PLUMBING",
    "ClientSettings",
    "DrillSettings",
    "Found",
    "HookSettings",
    "KubeSettings",
    "LinkSettings",
    "PagerSettings",
    "RunSettings",
    "ServiceSettings",
    "Settings",
    "StoreSettings",
    "ToolSettings",
    "find",
    "handed_down",
    "variable",
]
