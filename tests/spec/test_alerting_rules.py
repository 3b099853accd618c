"""Alerting rules as Prometheus' files and the operator's documents hold them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gameday.errors import SpecError
from gameday.model.alerting_rule import AlertingRule
from gameday.spec.alerting_rules import read_alerting_rules

GROUPS = """\
groups:
- name: shop
  rules:
  - record: job:up
    expr: sum(up)
  - alert: Down
    expr: up == 0
    labels: {severity: page}
    annotations:
      runbook_url: https://runbooks.example/down
"""


def rules(folder: Path, text: str) -> list[AlertingRule]:
    path = folder / "rules.yaml"
    path.write_text(text, encoding="utf-8")
    return read_alerting_rules(path)


def test_a_rule_file_gives_its_alerts_with_line_and_group(tmp_path: Path) -> None:
    assert [
        AlertingRule(
            "Down",
            str(tmp_path / "rules.yaml"),
            6,
            "shop",
            {"severity": "page"},
            {"runbook_url": "https://runbooks.example/down"},
        )
    ] == rules(tmp_path, GROUPS)


@pytest.mark.parametrize(
    "around",
    [
        "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nspec:\n{}",
        "kind: List\nitems:\n- kind: PrometheusRule\n  spec:\n  {}",
    ],
)
def test_a_document_of_the_operator_gives_its_alerts(tmp_path: Path, around: str) -> None:
    indented = "\n".join(f"    {line}" for line in GROUPS.splitlines())

    found = rules(tmp_path, around.replace("  {}", "{}").replace("{}", indented))

    assert ["Down"] == [rule.name for rule in found]


def test_a_file_without_groups_is_refused_with_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="holds no groups of Prometheus rules"):
        rules(tmp_path, "kind: Scenario\n")
