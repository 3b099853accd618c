"""The structure of the product in figures: modules, rooms, arrows between them, lines, repetitions.

``python bench/structure.py [ROOT …]`` prints a column for each checkout, this one by default::

    git worktree add /tmp/before 7954aa2
    python bench/structure.py /tmp/before .
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
PRODUCT = ("gameday", "scoring")
STRANGERS = "gameday/sandbox/shop/source"
"""The shop's own source plays a stranger's code, and is left out."""

RUN = 6
"""Lines that stand in two places before they count as a repetition."""


def modules(root: Path) -> Mapping[str, Path]:
    """Return every module of the product by its dotted name."""
    found = {}
    for package in PRODUCT:
        for path in sorted((root / package).rglob("*.py")):
            inside = path.relative_to(root)
            if not inside.as_posix().startswith(STRANGERS):
                name = ".".join(inside.with_suffix("").parts).removesuffix(".__init__")
                found[name] = path
    return found


def room(module: str) -> str:
    """Return the room of a module: a folder, two below the product's at the deepest."""
    parts = module.split(".")
    return ".".join(parts[: 3 if parts[1:2] in (["house"], ["drivers"], ["server"]) else 2])


def imports(path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    """Yield the modules of the product that a module imports, wherever it does."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if whole in known or node.module in known:
                    yield whole if whole in known else node.module


def arrows(known: Mapping[str, Path]) -> set[tuple[str, str]]:
    """Return which room imports from which other."""
    return {
        (room(name), room(other))
        for name, path in known.items()
        for other in imports(path, known)
        if room(name) != room(other)
    }


def circles(drawn: Iterable[tuple[str, str]]) -> Sequence[str]:
    """Return the rooms that can be reached from themselves, by whatever way, in order."""
    reached: dict[str, set[str]] = defaultdict(set)
    for here, there in drawn:
        reached[here].add(there)
    for between in list(reached):
        for beyond in reached.values():
            if between in beyond:
                beyond |= reached[between]
    return sorted(room for room, others in reached.items() if room in others)


def repetitions(paths: Mapping[str, Path]) -> int:
    """Return how many pairs of modules share a run of lines that say the same."""
    places: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for name, path in paths.items():
        lines = [
            words
            for line in path.read_text(encoding="utf-8").splitlines()
            if (words := " ".join(line.split())) and not re.match(r"(#|from |import |\W+$)", words)
        ]
        for start in range(len(lines) - RUN + 1):
            places[tuple(lines[start : start + RUN])].add(name)
    pairs = set()
    for names in places.values():
        ordered = sorted(names)
        pairs |= {(a, b) for n, a in enumerate(ordered) for b in ordered[n + 1 :]}
    return len(pairs)


def measured(root: Path) -> Mapping[str, int]:
    """Return the figures of one checkout."""
    known = modules(root)
    drawn = arrows(known)
    lengths = [len(p.read_text(encoding="utf-8").splitlines()) for p in known.values()]
    return {
        "modules": len(known),
        "rooms": len({room(name) for name in known}),
        "arrows between rooms": len(drawn),
        "arrows both ways": len({frozenset(a) for a in drawn if a[::-1] in drawn}),
        "rooms in a circle": len(circles(drawn)),
        "product lines": sum(lengths),
        "longest module": max(lengths),
        "pairs of modules that repeat six lines": repetitions(known),
    }


def main() -> None:
    """Print the table."""
    roots = [Path(argument) for argument in sys.argv[1:]] or [ROOT]
    columns = [measured(root) for root in roots]
    print(f"| | {' | '.join(str(r) for r in roots)} |")
    print("|---" * (len(roots) + 1) + "|")
    for figure in columns[0]:
        print(f"| {figure} | {' | '.join(str(c[figure]) for c in columns)} |")


if __name__ == "__main__":
    main()
