"""Bash reads scripts and says what it cannot read; it runs nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from gameday.drivers.bash import Bash
from gameday.errors import PermanentDriverError

pytestmark = pytest.mark.served


@pytest.fixture
def bash() -> Bash:
    found = Bash()
    if not found.is_installed():
        pytest.skip("bash is not installed")
    return found


@pytest.mark.parametrize(
    "script",
    [
        "kubectl get pods | grep -c Running",
        "for i in 1 2; do echo $i; done",
        "cat <<EOF\nnever ended\n",
        "x=$(date) && (( y = 1 + 2 ))",
        "",
    ],
)
def test_a_script_that_can_be_read_has_no_fault(bash: Bash, script: str) -> None:
    assert None is bash.fault(script)


def test_a_fault_has_the_line_it_is_in(bash: Bash) -> None:
    fault = bash.fault("echo one\necho two)\n")

    assert fault is not None
    assert (2, True) == (fault[0], "unexpected token" in fault[1])


def test_nothing_of_it_is_run(bash: Bash, tmp_path: Path) -> None:
    bash.fault(f"touch {tmp_path}/one $(touch {tmp_path}/two)")

    assert [] == list(tmp_path.iterdir())


def test_without_a_bash_it_says_so() -> None:
    with pytest.raises(PermanentDriverError, match="bash is not installed"):
        Bash("no-such-bash").fault("true")
