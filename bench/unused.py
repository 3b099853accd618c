"""What the product defines and does not use itself: tests alone would keep it alive.

``python bench/unused.py`` prints every public function, class and method of `gameday` and `scoring`
whose name stands nowhere in the product but where it is defined, imported or exported. Fakes and
contracts (`gameday.testing`) are for others: they are not looked at, and what they use is not used.
Names are compared, not what they stand for: one that is used anywhere counts as used everywhere.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
LEFT_OUT = ("gameday/testing", "gameday/sandbox/shop/source")

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def modules(root: Path) -> Iterator[tuple[str, ast.Module]]:
    """Yield every module of the product, by its path."""
    for package in ("gameday", "scoring"):
        for path in sorted((root / package).rglob("*.py")):
            inside = path.relative_to(root).as_posix()
            if not inside.startswith(LEFT_OUT):
                yield inside, ast.parse(path.read_text(encoding="utf-8"))


def definitions(tree: ast.Module) -> Iterator[tuple[str, Definition]]:
    """Yield every public definition of a module, and of its public classes, by its dotted name.

    Methods of a class that has a base are left out: the base may be what calls them.
    """
    for node in tree.body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield node.name, node
            if isinstance(node, ast.ClassDef) and not node.bases:
                for inner in node.body:
                    if isinstance(inner, Definition) and not inner.name.startswith("_"):
                        yield f"{node.name}.{inner.name}", inner


def exports(node: ast.stmt) -> bool:
    """Return whether a statement is a module's ``__all__``."""
    targets = node.targets if isinstance(node, ast.Assign) else []
    return any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets)


def uses(tree: ast.AST) -> Iterator[str]:
    """Yield every name that code mentions, as often as it does; also as a word of its own."""
    body = tree.body if isinstance(tree, ast.Module) else [tree]
    for statement in body:
        if isinstance(statement, ast.stmt) and exports(statement):
            continue
        for node in ast.walk(statement):
            match node:
                case ast.Name(id=name) | ast.Attribute(attr=name):
                    yield name
                case ast.Constant(value=str(word)) if word.isidentifier():
                    yield word


def unused(root: Path = ROOT) -> list[str]:
    """Return what is defined and used by no other code of the product: ``path: name``, in order.

    A function that is decorated is used by its decorator. A use inside the definition itself does
    not count.
    """
    trees = dict(modules(root))
    mentioned = Counter(name for tree in trees.values() for name in uses(tree))
    return [
        f"{path}: {dotted}"
        for path, tree in trees.items()
        for dotted, node in definitions(tree)
        if isinstance(node, ast.ClassDef) or not node.decorator_list
        if mentioned[node.name] <= sum(used == node.name for used in uses(node))
    ]


def main() -> None:
    """Print them."""
    for line in unused():
        print(line)


if __name__ == "__main__":
    main()
