"""The text of a rule file is YAML that says what was meant, whatever the texts are."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gameday.rules.rule_file import Group, Rule, rule_file, scalar

# YAML itself cannot hold these: it reads them as the end of a line, or not at all.
texts = st.text(st.characters(exclude_categories=("Cs",)))


@given(texts)
def test_a_text_is_read_back_as_it_was(text: str) -> None:
    assert text == yaml.safe_load(f"key: {scalar(text)}\n")["key"]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("storefront", "storefront"),
        ("slo:sli_error:ratio_rate5m", "slo:sli_error:ratio_rate5m"),
        ("14.4", "'14.4'"),
        ("yes", "'yes'"),
        ("Null", "'Null'"),
        ("a: b", "'a: b'"),
        ("a:", "'a:'"),
        ("it's", "'it''s'"),
        ("", "''"),
        ("a\nb", '"a\\nb"'),
        ("\u2028", '"\\u2028"'),
        ("\U0001f600", "'\U0001f600'"),
        ("\U000e0001", '"\\U000e0001"'),
        ("\x07", '"\\x07"'),
    ],
)
def test_only_what_needs_quotes_gets_them(text: str, written: str) -> None:
    assert written == scalar(text)


@given(st.lists(texts, min_size=1, max_size=4).map("\n".join), texts, texts)
def test_expressions_and_annotations_survive(expr: str, label: str, annotation: str) -> None:
    rule = Rule(
        "Alert",
        f"(\n{expr}\n)",
        {"label": label},
        is_alert=True,
        wait="5m",
        annotations={"said": annotation},
    )

    text = "".join(rule_file([Group("g", (rule,), ("a remark",))], comment="generated"))

    assert {
        "groups": [
            {
                "name": "g",
                "rules": [
                    {
                        "alert": "Alert",
                        "expr": f"(\n{expr}\n)",
                        "for": "5m",
                        "labels": {"label": label},
                        "annotations": {"said": annotation},
                    }
                ],
            }
        ]
    } == yaml.safe_load(text)
    assert text.startswith("# generated\n")
    assert "# a remark\n- name: g\n" in text
