"""New commits in the shop's repository, drawn by a seed: what a team might deploy next.

A change that costs something does so in a definition of its own, called from a function that the
seed draws, so that a profile, a blame and a deploy timeline can lead to it. Nothing in it, neither
a name nor the message, says that it is anything but work as usual.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from gameday.errors import UsageError
from gameday.sandbox.shop.git import git
from gameday.sandbox.shop.history import AUTHORS, BRANCH


class ChangeKind(StrEnum):
    """What a change does to those who wait for an answer."""

    COMPUTE = "compute"  # keeps a core busy for about 0.14 s, for baskets of eight lines and more
    WAIT = "wait"  # waits for about 0.2 s, for most baskets
    HARMLESS = "harmless"


@dataclass(frozen=True, slots=True)
class Change:
    """A commit that was made.

    Attributes:
        revision: its full hash; ``previous`` is its parent.
        function: the definition that does the work the change adds.
        file: path in the repository.
    """

    revision: str
    function: str
    file: str
    previous: str
    author: str
    summary: str


@dataclass(frozen=True, slots=True)
class Site:
    """A function that a change can go into.

    Attributes:
        many: condition for a big basket; ``numbers``: a list of integers, one per line of the
            basket; ``arranged``: statement that puts the lines into the order ``places``.
        pieces: expression for the number of pieces in the basket.
    """

    service: str
    file: str
    host: str
    many: str
    numbers: str
    arranged: str
    pieces: str
    compute: tuple[str, str, str]  # helper, what it returns, subject of the commit
    wait: tuple[str, str, str]  # helper, what it is for, subject of the commit


SITES: tuple[Site, ...] = (
    Site(
        "storefront",
        "storefront/offers.py",
        "suggest_offers",
        "len(basket.lines) >= 8",
        "[line.unit_cents for line in basket.lines]",
        "count = min(len(places), count)",
        "sum(line.quantity for line in basket.lines)",
        (
            "offer_mix",
            "the places of the articles in the mix that suits an offer best",
            "Suggest offers that go with the basket",
        ),
        (
            "offer_turn",
            "Take a turn of the offer board",
            "Turn the offer board with the basket",
        ),
    ),
    Site(
        "storefront",
        "storefront/receipts.py",
        "receipt_lines",
        "len(basket.lines) >= 8",
        "[line.quantity for line in basket.lines]",
        "basket = Basket(\n            basket.customer,\n            basket.country,\n"
        "            basket.coupon,\n"
        "            tuple(basket.lines[place] for place in places),\n        )",
        "basket_pieces(basket)",
        (
            "column_order",
            "the places of the lines so that a receipt's columns are even",
            "Set long receipts in even columns",
        ),
        ("print_slot", "Take a slot of the receipt printer", "Print a paper receipt as well"),
    ),
    Site(
        "checkout",
        "checkout/shipping.py",
        "parcels_for",
        "len(lines) >= 8",
        "[line_grams(line) for line in lines]",
        "lines = [lines[place] for place in places]",
        'sum(line["quantity"] for line in lines)',
        (
            "packing_order",
            "the places of the lines in the order that packs them tightest",
            "Pack large orders into fewer parcels",
        ),
        (
            "label_slot",
            "Take a slot of the label printer",
            "Order parcel labels together with the parcels",
        ),
    ),
    Site(
        "checkout",
        "checkout/pricing.py",
        "volume_discount_cents",
        "len(lines) >= 8",
        '[line["unit_cents"] for line in lines]',
        "lines = [lines[place] for place in places]",
        'sum(line["quantity"] for line in lines)',
        (
            "bundle_order",
            "the places of the lines in the order that makes the best bundles",
            "Prepare discounts for bundles",
        ),
        (
            "ledger_turn",
            "Take the order's turn in the ledger",
            "Note volume discounts in the ledger",
        ),
    ),
    Site(
        "inventory",
        "inventory/reservations.py",
        "wanted_pieces",
        "len(lines) >= 8",
        '[int(line["quantity"]) for line in lines]',
        "lines = [lines[place] for place in places]",
        'sum(int(line["quantity"]) for line in lines)',
        (
            "shelf_groups",
            "the places of the lines grouped by how they lie on the shelves",
            "Group what is wanted by shelf",
        ),
        ("scale_turn", "Take a turn at the scales", "Weigh goods when they are reserved"),
    ),
    Site(
        "inventory",
        "inventory/reservations.py",
        "pick_list",
        "len(left) >= 8",
        "[on_hand for on_hand, _ in left.values()]",
        "skus = list(left)\n        left = {skus[place]: left[skus[place]] for place in places}",
        "len(left)",
        (
            "shortest_walk",
            "the places of the articles on the shortest walk found",
            "Walk less when picking large orders",
        ),
        ("aisle_turn", "Take a turn in the aisle", "Let pickers take turns in the aisles"),
    ),
)

COMPUTE = '''def {helper}(numbers: list[int]) -> list[int]:
    """Return {what}."""
    places = list(range(len(numbers)))
    best = sum(numbers) * len(numbers)
    draw = sum(numbers) or 1
    until = time.thread_time() + {constant}
    while time.thread_time() < until:
        draw = (draw * 1103515245 + 12345) % 2147483648
        one, other = draw % len(places), (draw >> 9) % len(places)
        places[one], places[other] = places[other], places[one]
        cost, before = 0, 0
        for place in places:
            cost += abs(numbers[place] - before)
            before = numbers[place]
        if cost <= best:
            best = cost
        else:
            places[one], places[other] = places[other], places[one]
    return places
'''

PAUSE = '''def {helper}(pieces: int) -> None:
    """{what}.

    Large baskets have one of their own.
    """
    if pieces < LARGE_PIECES:
        time.sleep({constant})
'''

TURNS = '''def {helper}(pieces: int) -> int:
    """{what}.

    Large baskets have one of their own.
    """
    turn = 0
    while pieces < LARGE_PIECES and turn < {constant}:
        time.sleep(0.02)
        turn += 1
    return turn
'''

TIDY = (
    ("Say what the shop counts in", "# Amounts are integer cents, weights grams, times UTC.\n"),
    ("Name the team that looks after this", "# Questions about this go to the orders team.\n"),
    ("Note where the rules come from", "# The rules in here are those of the trade handbook.\n"),
)


def with_time(text: str) -> str:
    """Return a module that imports `time`, its imports still in order."""
    mark = "from __future__ import annotations\n\n"
    head, rest = text.split(mark, 1)
    block, gap, tail = rest.partition("\n\n")
    lines = block.splitlines()
    plain = [line for line in lines if line.startswith("import ")]
    if "import time" in plain:
        return text
    if not plain and not re.match(r"from (typing|dataclasses|collections)", block):
        return f"{head}{mark}import time\n\n{rest}"
    others = [line for line in lines if line not in plain]
    return head + mark + "\n".join([*sorted([*plain, "import time"]), *others]) + gap + tail


def with_helper(text: str, site: Site, helper: str, statement: str) -> str:
    """Return a module with a new definition before the host, which calls it first thing."""
    start = text.index(f"def {site.host}(")
    docstring_end = text.index('"""\n', text.index('"""', start) + 3) + 4
    return (
        text[:start]
        + helper
        + "\n\n"
        + text[start:docstring_end]
        + statement
        + (text[docstring_end:])
    )


def with_constant(text: str, lines: str) -> str:
    """Return a module with constants before its first definition."""
    first = re.search(r"^(def|class|@)", text, re.MULTILINE)
    assert first is not None, "every file of the shop that changes has definitions"
    before = text[: first.start()].rstrip("\n")
    # Constants stand together; after imports there is one empty line.
    return (
        before
        + ("\n" if re.match(r"[A-Z_]+ = ", before.rpartition("\n")[2]) else "\n\n")
        + (lines + "\n\n" + text[first.start() :])
    )


def draft(text: str, site: Site, kind: ChangeKind, rng: random.Random) -> tuple[str, str, str]:
    """Return the changed module, the function that does the added work, and the subject."""
    match kind:
        case ChangeKind.COMPUTE:
            name, what, subject = site.compute
            constant = f"{name.upper()}_SECONDS"
            seconds = rng.choice((0.13, 0.14, 0.15, 0.16))
            statement = (
                f"    if {site.many}:\n        numbers = {site.numbers}\n"
                f"        places = {name}(numbers)\n        {site.arranged}\n"
            )
            helper = COMPUTE.format(helper=name, what=what, constant=constant)
            text = with_helper(text, site, helper, statement)
            return with_time(with_constant(text, f"{constant} = {seconds}\n")), name, subject
        case ChangeKind.WAIT:
            name, what, subject = site.wait
            template, unit, value = rng.choice(
                ((PAUSE, "SECONDS", "0.2"), (PAUSE, "SECONDS", "0.21"), (TURNS, "TURNS", "10"))
            )
            constant = f"{name.upper()}_{unit}"
            statement = f"    {name}({site.pieces})\n"
            helper = template.format(helper=name, what=what, constant=constant)
            text = with_helper(text, site, helper, statement)
            constants = f"{constant} = {value}\nLARGE_PIECES = 60\n"
            return with_time(with_constant(text, constants)), name, subject
        case ChangeKind.HARMLESS:
            subject, comment = rng.choice(TIDY)
            start = text.index(f"def {site.host}(")
            return text[:start] + comment + text[start:], site.host, subject


def commit(
    repository: Path,
    *,
    service: str,
    seed: int,
    kind: ChangeKind | str,
    now: datetime | None = None,
) -> Change:
    """Commit a change on top of the shop's main branch and return it; nothing is deployed.

    Args:
        service: ``storefront``, ``checkout`` or ``inventory``.
        seed: draws the function, the author and the amount.

    Raises:
        UsageError: there is no such service or kind.
        PermanentDriverError: git says no.
    """
    sites = [site for site in SITES if site.service == service]
    if not sites:
        raise UsageError(
            f"no changes to service {service!r}:"
            f" choose one of {', '.join(sorted({site.service for site in SITES}))}"
        )
    if kind not in list(ChangeKind):
        raise UsageError(f"no change of kind {str(kind)!r}: choose one of {', '.join(ChangeKind)}")
    rng = random.Random(f"{service}/{kind}/{seed}")
    site, author = rng.choice(sites), rng.choice(AUTHORS)
    minutes = rng.randint(2, 50)
    previous = git(repository, "rev-parse", BRANCH)
    text = git(repository, "show", f"{previous}:{site.file}") + "\n"
    changed, function, subject = draft(text, site, ChangeKind(kind), rng)
    at = (now or datetime.now(UTC)) - timedelta(minutes=minutes)

    git(repository, "checkout", "--quiet", "--detach", previous)
    try:
        (repository / site.file).write_text(changed, encoding="utf-8")
        git(repository, "add", "--all")
        git(repository, "commit", "--quiet", "--message", subject, author=author, at=at)
        revision = git(repository, "rev-parse", "HEAD")
        # A name keeps it reachable; the branch everybody builds on stays where it is.
        git(repository, "update-ref", f"refs/heads/work/{revision[:12]}", revision)
    finally:
        git(repository, "checkout", "--quiet", "--force", BRANCH)
    return Change(revision, function, site.file, previous, author[0], subject)
