"""The shop's repository: its past, its releases, and the changes drawn by a seed."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gameday.errors import PermanentDriverError, UsageError
from gameday.sandbox.shop import changes, history
from gameday.sandbox.shop.changes import ChangeKind
from gameday.sandbox.shop.git import git

TODAY = datetime(2026, 6, 10, 15, tzinfo=UTC)
SERVICES = ("storefront", "checkout", "inventory")

# Words that would tell a responder that what they look at was put there for them.
GIVEAWAYS = re.compile(
    r"toxic|chaos|fault|inject|slow|latenc|burn|gameday|game.day|drill|sabotage|\bbad\b|\bbug",
    re.IGNORECASE,
)

pytestmark = [
    pytest.mark.served,
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed"),
]


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    repository = tmp_path_factory.mktemp("shop") / "repository"
    history.make(repository, today=TODAY)
    return repository


@pytest.fixture
def repository(_made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(_made, tmp_path / "repository"))


def source_files() -> list[str]:
    """Return the paths of the shop's files, sorted."""
    return sorted(
        path.relative_to(history.SOURCE).as_posix()
        for path in history.SOURCE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )


def test_the_past_has_a_dozen_commits_by_several_people_over_months(repository: Path) -> None:
    log = [line.split("|") for line in git(repository, "log", "--format=%an|%ct").splitlines()]
    dates = [datetime.fromtimestamp(int(at), UTC) for _, at in log]

    assert len(log) >= 12
    assert len({author for author, _ in log}) >= 4
    assert dates == sorted(dates, reverse=True)
    assert max(dates) < TODAY - timedelta(days=7)
    assert max(dates) - min(dates) > timedelta(days=90)


def test_the_newest_tree_is_the_source(repository: Path) -> None:
    expected = {path: (history.SOURCE / path).read_text() for path in source_files()}

    actual = {
        path: (repository / path).read_text() for path in git(repository, "ls-files").splitlines()
    }

    assert expected == actual


def test_every_commit_of_the_past_compiles(repository: Path) -> None:
    for number in range(len(history.COMMITS)):
        for path in source_files():
            text = history.text_at(path, number)
            if text is not None and path.endswith(".py"):
                compile(text, path, "exec")


def test_the_same_day_gives_the_same_revisions(repository: Path, tmp_path: Path) -> None:
    again = history.make(tmp_path / "again", today=TODAY.replace(hour=3))

    assert git(repository, "rev-parse", "HEAD") == again


def test_blame_leads_to_whoever_wrote_a_function(repository: Path) -> None:
    text = (repository / "checkout/pricing.py").read_text().splitlines()
    line = next(n for n, content in enumerate(text, 1) if content.startswith("def tax_cents"))

    blame = git(repository, "blame", "--porcelain", f"-L{line},{line + 1}", "checkout/pricing.py")

    assert "summary Charge tax by country" in blame


def test_a_release_is_checked_out_once_and_lies_under_its_revision(
    repository: Path, tmp_path: Path
) -> None:
    revision = git(repository, "rev-parse", "HEAD")

    first = history.check_out(repository, tmp_path / "releases", revision[:12])
    second = history.check_out(repository, tmp_path / "releases", revision)

    assert first == second == tmp_path / "releases" / revision
    assert (first / "storefront" / "__main__.py").exists()


def test_an_unknown_revision_is_refused(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(PermanentDriverError):
        history.check_out(repository, tmp_path / "releases", "0" * 40)


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("kind", list(ChangeKind))
def test_a_change_compiles_and_touches_one_file_of_its_service(
    repository: Path, service: str, kind: ChangeKind
) -> None:
    for seed in range(2):
        made = changes.commit(repository, service=service, seed=seed, kind=kind, now=TODAY)

        files = git(repository, "diff", "--name-only", made.previous, made.revision).split()
        text = git(repository, "show", f"{made.revision}:{made.file}")
        compile(text, made.file, "exec")
        assert [made.file] == files
        assert made.file.startswith(service + "/")
        assert f"def {made.function}(" in text


@pytest.mark.parametrize("kind", [ChangeKind.COMPUTE, ChangeKind.WAIT])
def test_what_a_change_adds_is_blamed_on_it(repository: Path, kind: ChangeKind) -> None:
    made = changes.commit(repository, service="checkout", seed=1, kind=kind, now=TODAY)

    lines = git(
        repository,
        "blame",
        "-s",
        "-l",
        f"-L/def {made.function}(/,+6",
        made.revision,
        "--",
        made.file,
    ).splitlines()

    assert {made.revision} == {line.split()[0].lstrip("^") for line in lines}


def test_a_change_leaves_the_branch_and_the_tree_as_they_were(repository: Path) -> None:
    before = git(repository, "rev-parse", "HEAD")

    made = changes.commit(repository, service="inventory", seed=4, kind="wait", now=TODAY)

    assert before == made.previous == git(repository, "rev-parse", "HEAD")
    assert "" == git(repository, "status", "--porcelain")


def test_a_seed_draws_the_same_change_again(repository: Path) -> None:
    first = changes.commit(repository, service="checkout", seed=9, kind="compute", now=TODAY)
    again = changes.commit(repository, service="checkout", seed=9, kind="compute", now=TODAY)

    assert first == again


def test_nothing_in_the_shop_gives_a_fault_away(repository: Path) -> None:
    for service in SERVICES:
        for kind in ChangeKind:
            for seed in range(2):
                changes.commit(repository, service=service, seed=seed, kind=kind, now=TODAY)

    said = git(repository, "log", "--all", "-p", "--format=%an %s %b")

    # `inject` is what OpenTelemetry calls it when a trace id goes into the headers of a request.
    said = said.replace("propagate.inject(headers)", "")
    assert [] == [line for line in said.splitlines() if GIVEAWAYS.search(line)]


def test_an_unknown_service_or_kind_is_refused_by_name(repository: Path) -> None:
    with pytest.raises(UsageError, match="'payments'"):
        changes.commit(repository, service="payments", seed=1, kind="wait")
    with pytest.raises(UsageError, match="'explode'"):
        changes.commit(repository, service="checkout", seed=1, kind="explode")


def test_a_helper_is_used_by_the_function_it_was_made_for(repository: Path) -> None:
    for site in changes.SITES:
        text = git(repository, "show", f"HEAD:{site.file}")

        assert f"def {site.host}(" in text
        assert site.compute[0] not in text
        assert site.wait[0] not in text


def test_a_missing_git_is_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(PermanentDriverError, match="git is not installed"):
        git(tmp_path, "status")
