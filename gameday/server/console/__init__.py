"""The console: the pages a person works in at 3 am, over the incidents of an engine.

`incidents` shows them, a drill's and real ones alike; `runs` shows the game days. What the
instruments show is read by `readings` with the eyes of `gameday.diagnosis`. Everything is rendered
here; the little script only keeps an open page up to date.
"""

from gameday.server.console.app import Console, console_app

__all__ = ["Console", "console_app"]
