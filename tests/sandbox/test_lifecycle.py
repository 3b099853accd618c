"""What starting a sandbox hands to it."""

from __future__ import annotations

import os
import sys

from gameday.sandbox.lifecycle import handed_down


def test_what_a_child_would_get_is_what_it_has_and_none_of_it_once_it_is_closed() -> None:
    passed_on, own = os.pipe(), os.pipe()
    for descriptor in passed_on:
        os.set_inheritable(descriptor, True)
    try:
        closed = [(os.POSIX_SPAWN_CLOSE, descriptor) for descriptor in handed_down()]
        program = (
            "import os, sys; sys.exit(any(os.path.exists(f'/dev/fd/{n}') for n in sys.argv[1:]))"
        )
        argv = [sys.executable, "-c", program, *map(str, passed_on)]
        codes = [
            os.waitstatus_to_exitcode(
                os.waitpid(os.posix_spawn(argv[0], argv, os.environ, file_actions=actions), 0)[1]
            )
            for actions in ([], closed)
        ]

        assert set(passed_on) <= set(handed_down())
        assert not set(own) & set(handed_down())
        assert [1, 0] == codes
    finally:
        for descriptor in (*passed_on, *own):
            os.close(descriptor)
