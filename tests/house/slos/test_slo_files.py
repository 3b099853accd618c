"""SLOs found by what the command line names, and their rules written whole or not at all."""

from __future__ import annotations

import shutil
import socket
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gameday.errors import DriverError, SpecError, UsageError
from gameday.house.run.misfits import misfits
from gameday.house.run.stories import read_story
from gameday.house.slos.catalogue import find_slo, find_slos, slos
from gameday.house.slos.rules import check_queries, write_rules
from gameday.model.slo import Query, Slices
from gameday.spec.document import parse_documents
from gameday.spec.slo import slos_of

SLO = """\
apiVersion: openslo/v1
kind: SLO
metadata: {name: NAME}
spec:
  service: shop
  indicatorRef: counted
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.99}]
"""
SLI = """\
apiVersion: openslo/v1
kind: SLI
metadata: {name: counted}
spec:
  ratioMetric:
    counter: true
    bad: {metricSource: {type: Prometheus, spec: {query: bad_total}}}
    total: {metricSource: {type: Prometheus, spec: {query: all_total}}}
"""


def nowhere() -> str:
    """Return a URL at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's working directory with two SLOs, an SLI beside them, and other files."""
    (tmp_path / "slos").mkdir()
    (tmp_path / "slos/a.yaml").write_text(SLO.replace("NAME", "a"))
    (tmp_path / "slos/b.yml").write_text(SLO.replace("NAME", "b"))
    (tmp_path / "slos/indicators.yaml").write_text(SLI)
    (tmp_path / "slos/kustomization.yaml").write_text("resources: [a.yaml]\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_id_a_file_and_a_folder_are_understood(folder: Path) -> None:
    assert ["b", "a"] == [s.id for s in find_slos(["b", "slos/a.yaml", "slos"])]


def test_the_catalogue_lists_the_users_before_ours(folder: Path) -> None:
    ids = [s.id for s in slos()]

    assert ids == sorted(ids)
    assert {"a", "b", "checkout-latency"} <= set(ids)


def test_one_of_several_objectives_is_found_by_its_id(folder: Path) -> None:
    path = folder / "slos/a.yaml"
    path.write_text(path.read_text().replace("[{target: 0.99}]", "[{target: 0.9}, {target: 0.99}]"))

    (strict,) = find_slos(["a-2"])

    assert 0.99 == strict.objective.target_ratio
    with pytest.raises(UsageError, match=r"did you mean 'a-[12]'"):
        find_slos(["a"])
    with pytest.raises(UsageError, match="holds 2 SLOs: name one of a-1, a-2"):
        find_slo("slos/a.yaml")


def test_one_id_in_two_files_is_refused_with_both(folder: Path) -> None:
    (folder / "more").mkdir()
    shutil.copy(folder / "slos/indicators.yaml", folder / "more")
    (folder / "more/again.yaml").write_text(SLO.replace("NAME", "a"))

    with pytest.raises(SpecError, match=r"a\.yaml: the SLO 'a' is given twice .*again\.yaml"):
        find_slos(["."])
    with pytest.raises(UsageError, match=r"given twice: slos/a\.yaml and more/again\.yaml"):
        find_slos(["slos", "more/again.yaml"])


def test_the_same_file_named_twice_is_one(folder: Path) -> None:
    assert ["a"] == [s.id for s in find_slos(["slos/a.yaml", str(folder / "slos/a.yaml"), "a"])]


def test_every_problem_under_a_folder_is_named(folder: Path) -> None:
    (folder / "slos/a.yaml").write_text(SLO.replace("0.99", "99"))
    (folder / "slos/broken.yaml").write_text("a: [")

    with pytest.raises(SpecError) as caught:
        find_slos(["slos"])

    assert {"slos/a.yaml", "slos/broken.yaml"} == {p.file for p in caught.value.problems}


@pytest.mark.parametrize("name", ["nothing", "nowhere/x.yaml", "x" * 5000, "a\0b"])
def test_a_name_that_leads_nowhere_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(UsageError, match="there is no SLO"):
        find_slos([name])


def test_a_folder_without_slos_says_so(folder: Path) -> None:
    (folder / "empty").mkdir()

    with pytest.raises(UsageError, match="there is no SLO under 'empty'"):
        find_slos(["empty"])


SCENARIO = """\
apiVersion: gameday/v1
kind: Scenario
metadata: {name: x}
spec:
  slo: a
  faults: [{experiment: slow-downstream, with: {service: inventory, downstream: db}, duration: 5m}]
"""


def test_a_story_keeps_all_its_slo_refers_to(folder: Path) -> None:
    (folder / "x.yaml").write_text(SCENARIO)

    story = read_story("x.yaml")

    (again,) = slos_of(parse_documents(story.documents.slo, "x"), Path("elsewhere/x"))
    assert ("bad_total", "all_total") == (again.bad_query, again.total_query)
    assert story.slo.objective == again.objective


def test_a_run_needs_raw_counters(folder: Path) -> None:
    (folder / "x.yaml").write_text(SCENARIO)
    text = SLO.replace("NAME", "a").replace("Occurrences", "Timeslices")
    (folder / "slos/a.yaml").write_text(
        text.replace("0.99", "0.99, timeSliceTarget: 0.9, timeSliceWindow: 1m")
    )

    (refusal,) = misfits(read_story("x.yaml"))

    assert "the SLO 'a' is not counted by raw counters" in refusal.reason

    assert isinstance(find_slos(["a"])[0].measured, Slices)


def test_rules_and_their_tests_are_written_beside_each_other(folder: Path) -> None:
    paths = write_rules(find_slos(["slos"]), Path("out/rules"), time_scale=60, with_tests=True)

    assert sorted(paths) == sorted(Path("out/rules").iterdir())
    assert {"a.rules.yaml", "a.test.yaml", "a.6h.test.yaml"} <= {p.name for p in paths}
    assert "a.rules.yaml" in Path("out/rules/a.3d.test.yaml").read_text()
    assert 10 == len(paths)


def test_after_an_error_the_folder_is_as_it_was(folder: Path) -> None:
    a, b = find_slos(["slos"])
    out = Path("out")
    write_rules([a], out)
    before = {p.name: p.read_text() for p in out.iterdir()}
    wrong = replace(b, no_data_after=timedelta(microseconds=1))

    with pytest.raises(UsageError, match="shorter than a millisecond"):
        write_rules([replace(a, owner="somebody else"), wrong], out)

    assert before == {p.name: p.read_text() for p in out.iterdir()}


def test_a_folder_that_is_a_file_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot write to 'slos/a\.yaml'"):
        write_rules(find_slos(["a"]), Path("slos/a.yaml"))


@pytest.mark.usefixtures("monitoring")
def test_promtool_refuses_an_expression_with_file_and_line(folder: Path) -> None:
    (slo,) = find_slos(["a"])
    wrong = Query("rate(x)", "slos/a.yaml", 7, "spec.indicator")

    with pytest.raises(SpecError) as caught:
        check_queries([replace(slo, queries=(*slo.queries, wrong))])

    (problem,) = caught.value.problems
    assert ("slos/a.yaml", 7, "spec.indicator") == (problem.file, problem.line, problem.field)
    assert "'rate(x)' is no PromQL: expected type range vector" in problem.message
    assert "promtool" == check_queries([slo])


def test_without_a_prometheus_nobody_judges(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    assert "" == check_queries(find_slos(["a"]))
    with pytest.raises(DriverError):
        check_queries(find_slos(["a"]), prometheus=nowhere())
