"""What is made of what a program prints as deploys."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import pytest

from gameday.drivers.deploy_command import PrintedDeploys
from gameday.errors import DriverError, TemporaryDriverError
from gameday.model.signals import Deploy

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def printing(program: str, *arguments: str, within: timedelta = timedelta(seconds=30)) -> object:
    log = PrintedDeploys([sys.executable, "-c", program, *arguments], within=within)
    return log.deploys(since=NOON - HOUR, until=NOON)


async def test_the_span_is_said_where_the_command_asks_for_it() -> None:
    program = """
import json, sys
print(json.dumps({"deploys": [
    {"service": sys.argv[1], "revision": sys.argv[2], "deployed_at": "2026-01-01T14:00:00+02:00",
     "summary": "by hand", "who": "not ours to know"},
]}))
"""

    found = await printing(program, "{since}", "to {until}")  # type: ignore[misc]

    assert [
        Deploy("2026-01-01T11:00:00Z", "to 2026-01-01T12:00:00Z", NOON, None, "by hand")
    ] == list(found)


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("nothing", "prints no deploys"),
        ("{}", "it is no list"),
        ("[1]", "entry 1 is no object"),
        ('[{"service": "a", "revision": 1}]', "entry 1 has no revision"),
        ('[{"service": "a", "revision": "b"}]', "entry 1 has no deployed_at"),
        (
            '[{"service": "a", "revision": "b", "deployed_at": "2026-01-01T12:00:00"}]',
            "has no zone: end it with Z",
        ),
        ('[{"service": "a", "revision": "b", "deployed_at": "today"}]', "entry 1: "),
    ],
)
async def test_what_is_printed_otherwise_is_said_with_its_entry(printed: str, said: str) -> None:
    with pytest.raises(DriverError, match=said):
        await printing(f"print({printed!r})")  # type: ignore[misc]


async def test_a_program_that_fails_is_quoted() -> None:
    with pytest.raises(DriverError, match="ended with 3: the pipeline is down"):
        await printing(  # type: ignore[misc]
            "import sys; print('the pipeline is down', file=sys.stderr); sys.exit(3)"
        )


async def test_a_program_that_hangs_is_ended() -> None:
    with pytest.raises(TemporaryDriverError, match=r"did not end within 0\.2 s and was killed"):
        await printing(  # type: ignore[misc]
            "import time; time.sleep(600)", within=timedelta(seconds=0.2)
        )


@pytest.mark.parametrize(
    "program",
    [
        "import os, sys; sys.exit(os.environ['DEPLOY_TOKEN'])",
        "import json, os\n"
        "entry = {'service': 's', 'revision': 'r', 'deployed_at': os.environ['DEPLOY_TOKEN']}\n"
        "print(json.dumps([entry]))",
    ],
    ids=["in what it complains", "in what it prints"],
)
async def test_a_secret_in_a_commands_words_is_covered(
    program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_TOKEN", "HUNTER2-HUNTER2")

    with pytest.raises(DriverError) as caught:
        await printing(program)

    assert "HUNTER2" not in str(caught.value)
    assert "•••" in str(caught.value)
