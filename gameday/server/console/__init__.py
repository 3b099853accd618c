"""The console: the pages a person works in at 3 am, over a drill's incident or the service's.

The pages are written against `subject.Incidents` and `subject.Runs` and know nothing of what is
behind them; `drill` and `served` are the two that there are. What the instruments show is read by
`readings` with the eyes of `gameday.diagnosis`. Everything is rendered here; the little script only
keeps an open page up to date.
"""

from gameday.server.console.app import Console, console_app
from gameday.server.console.run_console import run_console, sign_in_links

__all__ = ["Console", "console_app", "run_console", "sign_in_links"]
