"""What is broken on purpose is named with its remedy by the doctor, and no run passes on it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import broken_fronts
import pytest
import sound_system
import yaml
from broken_systems import (
    MISUSED,
    PLAYED,
    REFUSED,
    ROWS,
    UNREACHABLE,
    Row,
    alertmanager_at,
    prometheus_at,
    through_grafana,
)
from sound_system import Bench, Tools

pytestmark = [pytest.mark.served, pytest.mark.xdist_group("broken")]

DOCS = Path(__file__).parents[3] / "docs/systems.md"


@pytest.fixture(scope="module")
def tools(monitoring: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tools]:
    with sound_system.running(tmp_path_factory.mktemp("broken")) as tools:
        yield tools


@pytest.fixture
def bench(
    tools: Tools,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Bench:
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("PAGES_TOKEN", raising=False)
    folder = tmp_path / "mine"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return Bench(folder, tools, capsys)


# --- what is proven -----------------------------------------------------------------------------


def test_the_unbroken_system_is_green_and_its_drill_may_begin(bench: Bench) -> None:
    said = bench.doctor()
    code, words = bench.typed("run", "drill", "--dry-run")

    assert [] == [check for check in said["checks"] if not check["ok"]]
    assert 0 == code, words


@pytest.mark.row
def test_through_grafana_the_system_is_as_green_and_its_drill_may_begin(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAGES_TOKEN", "")
    with through_grafana(bench):
        bench.write()

        said = bench.doctor()
        code, words = bench.typed("run", "drill", "--dry-run")

    assert [] == [check for check in said["checks"] if not check["ok"]]
    assert {"grafana Prom", "grafana Alerts"} <= {check["what"] for check in said["checks"]}
    assert 0 == code, words


@pytest.mark.row
@pytest.mark.parametrize("row", ROWS, ids=[r.what for r in ROWS])
def test_what_is_broken_is_named_with_its_remedy_and_no_run_passes_on_it(
    row: Row, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    if row.needs_tls and bench.tools.certificates is None:
        pytest.skip("needs openssl, to make certificates")
    monkeypatch.setenv("PAGES_TOKEN", "")
    monkeypatch.setenv("KUBECONFIG", "")
    with row.breaks(bench):
        bench.write()

        said = bench.doctor()
        begins = "--dry-run" if row.code == PLAYED else "--yes"
        code, words = bench.typed("run", "drill", begins)

    named = [c for c in said["checks"] if not c["ok"] and c["what"].startswith(row.check)]
    assert 1 == len(named), said["checks"]
    assert row.found in (named[0]["found"] or "")
    assert row.how in named[0]["how"]
    assert row.code == code, words
    assert not (bench.folder / "injected").exists()


@pytest.mark.row
def test_when_everything_hangs_at_once_the_doctor_is_through_in_ten_seconds(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(bench.folder / "kubeconfig"))
    monkeypatch.setenv("GAMEDAY_KUBE_CONTEXTS", "books")
    monkeypatch.setenv("GAMEDAY_KUBE_NAMESPACES", "books")
    with broken_fronts.silent() as silent, broken_fronts.trickling() as slow:
        prometheus_at(bench, slow)
        alertmanager_at(bench, silent)
        bench.spec["toxiproxy"] = {"url": silent}
        bench.spec["traces"] = {"jaeger": {"url": slow}}
        bench.spec["kubernetes"] = {"context": "books", "namespaces": ["books"]}
        bench.write()
        (bench.folder / "kubeconfig").write_text(kubeconfig(silent))
        began = time.monotonic()

        said = bench.doctor()

        assert time.monotonic() - began < 10
    assert {"prometheus", "alertmanager", "toxiproxy", "cluster", "traces of pages"} <= {
        check["what"] for check in said["checks"] if check["how"] and not check["ok"]
    }


def kubeconfig(server: str) -> str:
    """Return a kubeconfig with one context, ``books``, whose API server this is."""
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "books",
            "clusters": [{"name": "books", "cluster": {"server": server}}],
            "users": [{"name": "books", "user": {}}],
            "contexts": [{"name": "books", "context": {"cluster": "books", "user": "books"}}],
        }
    )


def test_the_table_in_the_docs_has_every_fault_that_is_proven_and_no_other() -> None:
    section = (
        DOCS.read_text(encoding="utf-8").split("## What the doctor finds")[1].split("\n## ")[0]
    )
    lines = [line.split("|") for line in section.splitlines() if line.startswith("| ")][1:]
    ends = {
        PLAYED: "is played: unknown",
        MISUSED: "does not begin: exit 2",
        REFUSED: "is refused",
        UNREACHABLE: "does not begin: exit 6",
    }

    assert [(row.what, ends[row.code]) for row in ROWS] == [
        (line[1].strip(), line[4].strip()) for line in lines
    ]
