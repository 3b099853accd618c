"""git: who last changed the function that a frame points at.

`history` asks and reads; `view` is the repository as it is asked, stripped of all that could run a
program or change what is read.
"""

from gameday.drivers.git.history import GitHistory

__all__ = ["GitHistory"]
