"""The shop's git repository: how its source grew, by whom, and its releases.

The tree under ``source/`` is the newest state. Each commit of `COMMITS` names what it brought,
whole files or single definitions; an earlier state is the newest one without what came later. So
there is one copy of the source to maintain, every commit compiles, and `git blame` leads to
whoever wrote a function.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gameday.sandbox.shop.git import git

SOURCE = Path(__file__).parent / "source"
BRANCH = "main"

MIRA = ("Mira Okonkwo", "mira.okonkwo@shop.example")
JONAS = ("Jonas Feldt", "jonas.feldt@shop.example")
PRIYA = ("Priya Venkat", "priya.venkat@shop.example")
TOMAS = ("Tomás Rivero", "tomas.rivero@shop.example")
LENA = ("Lena Brandvold", "lena.brandvold@shop.example")
AUTHORS = (MIRA, JONAS, PRIYA, TOMAS, LENA)


@dataclass(frozen=True, slots=True)
class PastCommit:
    """One commit of the shop's past.

    Attributes:
        days_ago: counted back from the day the repository is made.
        brings: paths (``checkout/pricing.py``) or definitions in them (``…pricing.py:tax_cents``).
    """

    author: tuple[str, str]
    days_ago: int
    subject: str
    brings: tuple[str, ...]


COMMITS: tuple[PastCommit, ...] = (
    PastCommit(MIRA, 212, "Begin the shop", ("README.md", ".gitignore")),
    PastCommit(
        MIRA,
        210,
        "Serve requests, one thread each",
        (
            "chassis/__init__.py",
            "chassis/settings.py",
            "chassis/errors.py",
            "chassis/server.py",
            "chassis/process.py",
        ),
    ),
    PastCommit(
        JONAS,
        203,
        "Take baskets at the storefront",
        ("storefront/__init__.py", "storefront/baskets.py", "storefront/__main__.py"),
    ),
    PastCommit(JONAS, 199, "Call the next service", ("chassis/client.py",)),
    PastCommit(
        PRIYA,
        188,
        "Price orders",
        (
            "checkout/__init__.py",
            "checkout/pricing.py",
            "checkout/orders.py",
            "checkout/__main__.py",
        ),
    ),
    PastCommit(
        TOMAS,
        175,
        "Keep stock in PostgreSQL",
        (
            "inventory/__init__.py",
            "inventory/database.py",
            "inventory/stock.py",
            "inventory/__main__.py",
        ),
    ),
    PastCommit(TOMAS, 171, "Reserve goods for a customer", ("inventory/reservations.py",)),
    PastCommit(LENA, 160, "Write logs as JSON lines", ("chassis/logs.py",)),
    PastCommit(
        LENA,
        158,
        "Trace, count and profile requests",
        ("chassis/telemetry.py", "chassis/admin.py"),
    ),
    PastCommit(
        PRIYA,
        141,
        "Give volume discounts and take coupons",
        (
            "checkout/pricing.py:volume_discount_cents",
            "checkout/pricing.py:coupon_discount_cents",
            "checkout/pricing.py:COUPON_PERCENT",
        ),
    ),
    PastCommit(MIRA, 127, "Plan parcels and charge for them", ("checkout/shipping.py",)),
    PastCommit(JONAS, 104, "Print receipts", ("storefront/receipts.py",)),
    PastCommit(
        LENA,
        96,
        "Open a second region",
        ("edge/__init__.py", "edge/balance.py", "edge/__main__.py"),
    ),
    PastCommit(
        TOMAS,
        73,
        "Look at the shelves before bulk orders",
        (
            "inventory/reservations.py:is_bulk",
            "inventory/reservations.py:BULK_PIECES",
            "inventory/stock.py:levels",
            "inventory/stock.py:LEVELS",
        ),
    ),
    PastCommit(JONAS, 58, "Show offers beside the receipt", ("storefront/offers.py",)),
    PastCommit(
        PRIYA,
        39,
        "Charge tax by country",
        ("checkout/pricing.py:tax_cents", "checkout/pricing.py:TAX_PERCENT"),
    ),
    PastCommit(
        TOMAS,
        22,
        "Warn about scarce articles, sort the pick list",
        (
            "inventory/reservations.py:scarce_articles",
            "inventory/reservations.py:SCARCE_PIECES",
            "inventory/reservations.py:pick_list",
        ),
    ),
    PastCommit(
        MIRA,
        9,
        "Merge lines of the same article",
        ("storefront/baskets.py:merge_lines", "storefront/baskets.py:MOST_LINES"),
    ),
)


def definitions(text: str) -> dict[str, tuple[int, int]]:
    """Return the lines each top-level definition of a module takes, with the space before it.

    Values are (first, last + 1), counted from 0.
    """
    spans: dict[str, tuple[int, int]] = {}
    end = 0
    for node in ast.parse(text).body:
        first, end = end, node.end_lineno or 0
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                spans[name] = (first, end)
            case ast.Assign(targets=[ast.Name(id=name)]):
                spans[name] = (first, end)
    return spans


def text_at(path: str, commit: int) -> str | None:
    """Return a file as it was after this commit (an index of `COMMITS`); None: not there yet."""
    born: int | None = None
    later: set[str] = set()
    for number, past in enumerate(COMMITS):
        for brought in past.brings:
            file, _, name = brought.partition(":")
            if file == path and not name:
                born = number
            elif file == path and number > commit:
                later.add(name)
    if born is None or born > commit:
        return None
    text = (SOURCE / path).read_text(encoding="utf-8")
    if not later:
        return text
    spans = definitions(text)
    gone = {line for name in later for line in range(*spans[name])}
    lines = text.splitlines(keepends=True)
    return "".join(line for number, line in enumerate(lines) if number not in gone)


def make(repository: Path, *, today: datetime | None = None) -> str:
    """Make the shop's repository and return its newest revision.

    The same day (UTC) gives the same revisions.

    Args:
        repository: folder that does not exist yet.
        today: the past is counted back from here; the present day by default.

    Raises:
        PermanentDriverError: git is missing, or says no.
    """
    day = (
        (today or datetime.now(UTC))
        .astimezone(UTC)
        .replace(hour=0, minute=0, second=0, microsecond=0)
    )
    repository.mkdir(parents=True)
    git(repository, "init", "--quiet", f"--initial-branch={BRANCH}")
    for number, past in enumerate(COMMITS):
        for path in sorted({brought.partition(":")[0] for brought in past.brings}):
            text = text_at(path, number)
            if text is not None:
                target = repository / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text, encoding="utf-8")
        at = (
            day
            - timedelta(days=past.days_ago)
            + timedelta(hours=8 + number * 5 % 9, minutes=number * 17 % 60)
        )
        git(repository, "add", "--all")
        git(repository, "commit", "--quiet", "--message", past.subject, author=past.author, at=at)
    return git(repository, "rev-parse", "HEAD")


def check_out(repository: Path, releases: Path, revision: str) -> Path:
    """Return the folder of a release, ``<releases>/<revision>``; makes it where it is missing.

    A release is a git worktree, so that a file path in a profile leads straight to its history.

    Raises:
        PermanentDriverError: the repository has no such revision.
    """
    full = git(repository, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    folder = releases / full
    if not folder.exists():
        releases.mkdir(parents=True, exist_ok=True)
        git(repository, "worktree", "add", "--quiet", "--detach", str(folder), full)
    return folder


def subject(repository: Path, revision: str) -> str:
    """Return the first line of a commit's message."""
    return git(repository, "show", "--no-patch", "--format=%s", revision)
