"""No code knows a name of the shop but the shop's own rooms: it is one system among others.

Names that are its own are looked for inside every string and every identifier; words that others
use as well (a proxy, a primary) are its own only as a label or a Service, in its rooms. Comments
and docstrings may take their examples from it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]

ROOMS = {
    "gameday/sandbox": "the shop itself, on this machine",
    "gameday/cli/sandbox.py": "`gameday sandbox`, which starts and ends it",
    "gameday/house/targets/cluster.py": "the shop on a cluster, as a system to play on",
    "gameday/house/targets/cluster_code.py": "its history, in a pod",
    "gameday/house/targets/cluster_faults.py": "what its faults may reach",
    "gameday/house/targets/cluster_shop.py": "puts it onto a cluster",
    "gameday/house/targets/cluster_tenancy.py": "takes it off again",
    "gameday/drivers/kubernetes/mitigations.py": "what its responder may do",
    "gameday/drivers/kubernetes/rollouts.py": "its releases, by SHOP_REVISION",
    "gameday/shop.py": "its labels, and what the shipped experiments break of it",
}
"""The shop's declared rooms, and what each is for it. One may go, none may come."""


def own_names() -> set[str]:
    """Return what the shop alone is called by: its services, variables, labels, mitigations."""
    services = {p.parent.name for p in (ROOT / "gameday/sandbox/shop/source").glob("*/__main__.py")}
    texts = [p.read_text(encoding="utf-8") for p in (ROOT / "deploy/shop").glob("*.yaml")]
    variables = {v for text in texts for v in re.findall(r"\bSHOP_[A-Z]+", text)}
    mitigations = {"failover-db", "rollback-deploy"}
    return services - EVERYDAY | variables | mitigations | {"shop.gameday.dev", "part-of=shop"}


def service_names() -> set[str]:
    """Return the names of its Services on a cluster, and of its namespace."""
    documents = (
        document
        for path in (ROOT / "deploy/shop").glob("*.yaml")
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
        if document
    )
    return {d["metadata"]["name"] for d in documents if d["kind"] in ("Service", "Namespace")}


EVERYDAY = {"alertmanager", "edge", "primary", "prometheus", "proxy"}
"""Services of the shop that are called as everybody calls such a thing."""


def code() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / "gameday").rglob("*.py")) + sorted((ROOT / "scoring").rglob("*.py")):
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def room_of(name: str) -> str | None:
    return next((r for r in ROOMS if name == r or name.startswith(f"{r}/")), None)


def said_in(module: ast.Module) -> Iterator[str]:
    """Yield every string that is no docstring, and every identifier."""
    described = {
        id(statement.value)
        for node in ast.walk(module)
        for statement in _body(node)
        if isinstance(statement, ast.Expr)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) not in described:
                yield node.value
        elif isinstance(node, ast.Name):
            yield f"id:{node.id}"
        elif isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.arg):
            yield f"id:{getattr(node, 'name', None) or getattr(node, 'arg', '')}"


def _body(node: ast.AST) -> list[ast.stmt]:
    body = getattr(node, "body", None)
    return body if isinstance(body, list) else []


@cache
def found() -> dict[str, set[str]]:
    own = re.compile(rf"(?<![A-Za-z])({'|'.join(map(re.escape, sorted(own_names())))})(?![A-Za-z])")
    whole = service_names() - EVERYDAY
    identifier = re.compile(r"(^|_)shop(_|$)|Shop")
    known: dict[str, set[str]] = {}
    for name, module in code():
        for said in said_in(module):
            if said.startswith("id:"):
                names = {said[3:]} if identifier.search(said[3:].lower()) else set()
            else:
                names = {m[1] for m in own.finditer(said)} | ({said} & whole)
            if names:
                known.setdefault(name, set()).update(names)
    return known


def test_no_code_knows_a_name_of_the_shop_but_its_own_rooms() -> None:
    assert {} == {name: names for name, names in found().items() if room_of(name) is None}


def test_every_room_of_its_own_knows_one_or_is_none_of_its_own() -> None:
    assert set(ROOMS) == {room_of(name) for name in found()} - {None}


def test_the_names_are_those_of_the_shop_as_it_is() -> None:
    assert {"checkout", "inventory", "storefront", "SHOP_REVISION"} <= own_names()
    assert {"mailbox", "telemetry", "shop"} <= service_names()
