"""From a profile in Go to the commit, by a system's document alone: no span says what ran."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gameday.diagnosis import stacks
from gameday.diagnosis.blame import explain
from gameday.diagnosis.case import Case
from gameday.diagnosis.exclusive import Hop
from gameday.diagnosis.suspicion import Suspect
from gameday.drivers.git import GitHistory
from gameday.model.code import CodeOf, RevisionFrom
from gameday.model.page import Finding
from gameday.model.signals import Deploy, Frame, Profile, Span, Stack, Trace
from gameday.testing.desk import a_page

NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
CART = "internal/cart/cart.go"
SOURCE = """\
package cart

type Cart struct{ lines []int }

func (c *Cart) Total() int {
	sum := 0
	for _, line := range c.lines {
		sum += line
	}
	return sum
}
"""


class Shop:
    """The repository of a service, a commit a day."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "--quiet")

    def git(self, *arguments: str, day: int = 1) -> str:
        at = f"2026-01-{day:02d}T12:00:00Z"
        who = {"NAME": "Ada", "EMAIL": "ada@example.org", "DATE": at}
        told = {f"GIT_{role}_{k}": v for role in ("AUTHOR", "COMMITTER") for k, v in who.items()}
        return subprocess.run(
            ["git", "-C", str(self.folder), *arguments],
            check=True, capture_output=True, text=True,
            env={"PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": str(self.folder), **told},
        ).stdout.strip()  # fmt: skip

    def commit(self, text: str, words: str, day: int) -> str:
        (self.folder / CART).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / CART).write_text(text)
        self.git("add", ".", day=day)
        self.git("commit", "--quiet", "--allow-empty", "--message", words, day=day)
        return self.git("rev-parse", "HEAD")


def go(function: str, file: str, line: int) -> Frame:
    return Frame(function, file, line)


PROFILE = Profile(
    (
        Stack(
            (
                go("net/http.(*conn).serve", "/usr/local/go/src/net/http/server.go", 2000),
                go("main.checkout", "/src/cmd/shop/main.go", 9),
                go("github.com/acme/shop/internal/cart.(*Cart).Total", f"/src/{CART}", 8),
                go("runtime.mallocgc", "/usr/local/go/src/runtime/malloc.go", 1000),
            ),
            3 * SECOND,
        ),
    )
)


async def explained(shop: Shop, deploys: list[Deploy]) -> Finding:
    span = Span("1", "2", None, "POST", "server", "checkout", NOON, SECOND)
    suspect = Suspect(
        place=Hop("checkout", ""), span="POST", kind="server", bulk_ratio=1.0, time=SECOND,
        usual=SECOND, errors=False, traces=(Trace("1", (span,)),), region=None, example=span,
    )  # fmt: skip
    case = Case(a_page(at=NOON + 17 * SECOND), suspect=suspect)
    case.judge_profile(suspect, stacks.read(PROFILE, revision=None))
    revision = RevisionFrom(image_tag=True, pattern="-([0-9a-f]{7,40})$")
    source = CodeOf(service="checkout", repository=str(shop.folder), revision=revision)
    return await explain(case, suspect, deploys, GitHistory(), sources=[source])


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "shop")


def live(commit: str, before: timedelta) -> Deploy:
    return Deploy("checkout", f"main-{commit[:12]}", NOON - before)


async def test_the_commit_that_went_live_before_the_onset_is_named(shop: Shop) -> None:
    old = shop.commit(SOURCE, "start", 1)
    slow = shop.commit(SOURCE.replace("sum += line", "sum += slow(line)"), "count slowly", 2)

    found = await explained(shop, [live(old, timedelta(days=3)), live(slow, 20 * SECOND)])

    assert found.detail["explained"]
    assert (slow, CART) == (found.detail["commit"], found.detail["file"])
    assert "'count slowly') changed github.com/acme/shop/internal/cart.(*Cart).Total" in (
        found.summary
    )


async def test_a_version_that_left_the_function_alone_explains_nothing(shop: Shop) -> None:
    old = shop.commit(SOURCE, "start", 1)
    other = shop.commit(SOURCE + "\nfunc New() *Cart { return nil }\n", "add another", 2)

    found = await explained(shop, [live(old, timedelta(days=3)), live(other, 20 * SECOND)])

    assert not found.detail["explained"]
    assert f"was the same in main-{old[:2]}" in found.summary
