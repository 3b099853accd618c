"""The documents OpenSLO itself publishes: read, or refused by the name of the feature.

They are not part of the repository; without them these tests say so and are skipped.
`pytest -s tests/spec/test_slo_corpus.py` prints the table.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from given import GIVEN

from gameday.errors import Problem
from gameday.spec.document import Document, read_documents, separated
from gameday.spec.slo import Referable, openslo_problems, slos_of

CORPUS = GIVEN.corpora / "openslo"

FEATURES = {
    "calendar": "a calendar window is not supported",
    "another product": "the metric source",
    "a condition that alerts on slow burns": "would alert while the budget is spent slowly",
    "a reference that leads nowhere": "there is no ",
    "counter not said": "is missing",
}


def published() -> list[Path]:
    files = sorted(CORPUS.rglob("*.yaml"))
    if not files:
        pytest.skip("no published openslo files here: GAMEDAY_TEST_CORPORA names a folder of them")
    return files


def documents() -> list[tuple[Path, Document]]:
    return [(path, d) for path in published() for d in separated(read_documents(path))]


def problems_of(path: Path, document: Document) -> list[Problem]:
    """Return what is wrong with one document among its neighbours, read by itself."""
    return openslo_problems((document,), path)


def test_every_published_document_is_read_or_refused_by_a_feature() -> None:
    read: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for path, document in documents():
        found = problems_of(path, document)
        (refused if found else read)[document.data["kind"]] += 1
        for problem in found:
            assert problem.line > 0, str(problem)
            assert problem.hint, str(problem)
            named = [n for n, sentence in FEATURES.items() if sentence in problem.message]
            assert 1 == len(named), f"no feature is named: {problem}"
        reasons.update(
            {n for p in found for n, sentence in FEATURES.items() if sentence in p.message}
        )

    print(f"\n{'kind':<26}{'read':>6}{'refused':>9}")
    for kind in sorted({*read, *refused}):
        print(f"{kind:<26}{read[kind]:>6}{refused[kind]:>9}")
    print(f"{'all':<26}{read.total():>6}{refused.total():>9}\n\nrefused for (documents)")
    for name, count in reasons.most_common():
        print(f"  {count:>3}  {name}")
    assert len(documents()) == read.total() + refused.total()
    assert {"SLI", "DataSource", "Service", "AlertNotificationTarget"} <= set(read)


def test_a_calendar_window_is_refused_wherever_it_is_published() -> None:
    for path, document in documents():
        windows = (document.data.get("spec") or {}).get("timeWindow") or [{}]
        if "calendar" in windows[0]:
            assert any("calendar" in p.message for p in problems_of(path, document)), str(path)


def test_the_published_counters_are_counters_once_their_window_rolls() -> None:
    path = CORPUS / "v1/slos.yaml"
    if not path.exists():
        pytest.skip("no published openslo files here: GAMEDAY_TEST_CORPORA names a folder of them")
    (document,) = separated(read_documents(path))
    window = document.data["spec"]["timeWindow"][0]
    window["isRolling"] = True
    del window["calendar"]

    (slo,) = slos_of((document,), path, shelf=Referable(path.parent))

    assert slo.measured is not None
    assert 'http_requests{k8s_cluster="prod",component="web"}' == slo.measured.sli.total  # type: ignore[union-attr]
