"""What docs/slos.md shows can be copied: it is read, and its rules pass promtool."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gameday.model.slo import Slo
from gameday.rules.rule_tests import rule_tests
from gameday.rules.slo_rules import prometheus_rules
from gameday.spec.document import parse_documents
from gameday.spec.openslo.annotations import ON_ALERT, ON_SLO
from gameday.spec.slo import slos_of

PAGE = Path(__file__).parents[2] / "docs/slos.md"
TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)


def slos(example: str, folder: Path) -> tuple[Slo, ...]:
    return slos_of(parse_documents(example, "docs/slos.md"), folder / "slos.md")


def test_every_example_is_an_slo(tmp_path: Path) -> None:
    ids = [slo.id for example in EXAMPLES for slo in slos(example, tmp_path)]

    assert [
        "checkout-availability",
        "orders-lag-usable",
        "orders-lag-fresh",
        "search-minutes",
        "payments",
    ] == ids


@pytest.mark.usefixtures("monitoring")
@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_the_rules_of_every_example_pass_promtool(tmp_path: Path, example: str) -> None:
    tool = shutil.which("promtool")
    if not tool:
        pytest.skip("promtool is not here; `make setup` installs Prometheus")
    for slo in slos(example, tmp_path):
        (tmp_path / "x.yaml").write_text(prometheus_rules(slo))
        (tmp_path / "x.test.yaml").write_text(rule_tests(slo, rule_file="x.yaml")[""])
        for command in (["check", "rules", "x.yaml"], ["test", "rules", "x.test.yaml"]):
            done = subprocess.run(
                [tool, *command],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert 0 == done.returncode, done.stdout + done.stderr


def test_every_annotation_is_explained() -> None:
    for name in (*ON_SLO, *ON_ALERT):
        assert f"gameday/{name}`" in TEXT or f"`/{name}`" in TEXT, name


def test_every_kind_of_series_is_listed(tmp_path: Path) -> None:
    listed = set(re.findall(r"(?:slo:[a-z_]+:[a-z_]+|sloth_slo_info)", TEXT))
    for example in EXAMPLES:
        for slo in slos(example, tmp_path):
            for name in re.findall(r"- record: '?([a-z_:]+)", prometheus_rules(slo)):
                kind = re.sub(r"slo:sli_(point|slice)_.*", "slo:sli_point_…", name)
                assert kind in listed or kind == "slo:sli_point_…", name
