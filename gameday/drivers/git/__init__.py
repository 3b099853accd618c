"""git: who last changed the function that a frame points at, and branches of patches (`branch`).

`history` is what is asked; `place` finds the lines a frame means, by its name (`frame`, `choice`)
among the functions of a file (`functions`, `grammars`); `last_change` follows these lines back to
the commit that changed them. `view` is the repository as it is read, stripped of all that could run
a program or change what is found, and `command` runs git on it.
"""

from gameday.drivers.git.branch import PatchBranch
from gameday.drivers.git.history import GitHistory

__all__ = ["GitHistory", "PatchBranch"]
