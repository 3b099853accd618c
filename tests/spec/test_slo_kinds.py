"""Everything OpenSLO v1 can say that gameday keeps its word on, read into values."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from gameday.errors import SpecError
from gameday.model.slo import NO_DATA_AFTER, Ratio, Raw, Reading, Slices, Slo, Threshold
from gameday.spec.document import parse_documents
from gameday.spec.slo import Referable, read_slos, slo_ids, slos_of, whole_text
from scoring.slo import BurnWindow, Severity

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)

COUNTED = """\
      ratioMetric:
        counter: true
        good: {metricSource: {type: Prometheus, spec: {query: good}}}
        total: {metricSource: {type: Prometheus, spec: {query: total}}}
"""
LAG = """\
      thresholdMetric: {metricSource: {type: Prometheus, spec: {query: max(lag)}}}
"""


def document(
    indicator: str = COUNTED,
    *,
    method: str = "Occurrences",
    objectives: str = "[{target: 0.99}]",
    period: str = "30d",
    policies: str = "",
    annotations: str = "{}",
) -> str:
    spec = "".join(f"    {line}\n" for line in ("spec:", *indicator.splitlines()))
    return f"""\
apiVersion: openslo/v1
kind: SLO
metadata: {{name: checkout, displayName: Checkouts, annotations: {annotations}}}
spec:
  service: shop
  indicator:
{spec}  timeWindow: [{{duration: {period}, isRolling: true}}]
  budgetingMethod: {method}
  objectives: {objectives}
{policies}"""


def slos(text: str) -> tuple[Slo, ...]:
    return slos_of(
        parse_documents(text, "x.yaml"), Path("x.yaml"), shelf=Referable(Path("nowhere"))
    )


def one(text: str) -> Slo:
    (slo,) = slos(text)
    return slo


def refusals(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        slos(text)
    return str(caught.value)


def ratio(good: str, total: str, *, counter: str = "true", part: str = "good") -> str:
    said = f"        counter: {counter}\n" if counter else ""
    return (
        f"      ratioMetric:\n{said}"
        f"        {part}: {{metricSource: {{spec: {{query: {good!r}}}}}}}\n"
        f"        total: {{metricSource: {{spec: {{query: {total!r}}}}}}}\n"
    )


def test_good_and_total_counters_are_what_a_run_can_recompute_from() -> None:
    slo = one(document())

    assert ("good", "", "total", None) == (
        slo.good_query,
        slo.bad_query,
        slo.total_query,
        slo.measured,
    )
    assert slo.counts_events
    assert Ratio(total="total", good="good") == slo.sli


def test_bad_and_total_counters_are_too() -> None:
    slo = one(document(ratio("bad", "total", part="bad")))

    assert ("", "bad", "total") == (slo.good_query, slo.bad_query, slo.total_query)
    assert slo.counts_events


@pytest.mark.parametrize(
    "query",
    [
        "sum({})",
        " sum ( {} ) ",
        "rate({}[{{{{.window}}}}])",
        "sum(increase({}[{{{{ .window }}}}]))",
    ],
)
def test_a_sum_or_a_rate_of_a_counter_is_that_counter(query: str) -> None:
    slo = one(document(ratio(query.format('a{b="c"}'), query.format("d"))))

    assert ('a{b="c"}', "d") == (slo.good_query, slo.total_query)


@pytest.mark.parametrize("counter", ["", "true", "false"])
def test_expressions_over_the_window_stay_expressions(counter: str) -> None:
    good, total = "sum(rate(a[{{ .window }}])) - 1", "sum(rate(b[{{.window}}]))"

    slo = one(document(ratio(good, total, counter=counter)))

    assert (
        Ratio(total=total, good=good.replace(" .window ", ".window"), reading=Reading.WINDOWED)
        == slo.measured
    )
    assert not slo.counts_events
    assert "" == slo.total_query


def test_numbers_that_go_up_and_down_are_gauges() -> None:
    slo = one(document(ratio("sum(rate(a[5m]))", "b", counter="false")))

    assert Ratio(total="b", good="sum(rate(a[5m]))", reading=Reading.GAUGE) == slo.measured


@pytest.mark.parametrize(("kind", "is_success"), [("success", True), ("failure", False)])
def test_a_raw_ratio_says_whether_one_is_good(kind: str, is_success: bool) -> None:
    raw = (
        f"      ratioMetric:\n        rawType: {kind}\n"
        "        raw: {metricSource: {spec: {query: 'avg(up[{{.window}}])'}}}\n"
    )

    slo = one(document(raw))

    assert Raw("avg(up[{{.window}}])", is_success) == slo.measured
    assert slo.measured.is_windowed


@pytest.mark.parametrize(("op", "sign"), [("lt", "<"), ("lte", "<="), ("gt", ">"), ("gte", ">=")])
def test_a_threshold_is_good_by_the_objectives_comparison(op: str, sign: str) -> None:
    slo = one(document(LAG, objectives=f"[{{target: 0.99, op: {op}, value: 500}}]"))

    assert Threshold("max(lag)", sign, 500) == slo.measured


@pytest.mark.parametrize(
    ("window", "length"), [("5m", 5 * MINUTE), ("2", 2 * MINUTE), ("1m", MINUTE)]
)
def test_time_slices_hold_what_happens_within_them(window: str, length: timedelta) -> None:
    said = f"[{{target: 0.99, timeSliceTarget: 0.95, timeSliceWindow: {window}, op: gt}}]"

    slo = one(document(method="Timeslices", objectives=said))

    assert Slices(Ratio(total="total", good="good"), length, 0.95, is_strict=True) == slo.measured
    assert not slo.counts_events
    assert "" == slo.good_query


def test_slices_of_a_threshold_keep_its_comparison_to_themselves() -> None:
    said = "[{target: 0.9, op: gt, value: 3, timeSliceTarget: 1, timeSliceWindow: 1m}]"

    slo = one(document(LAG, method="Timeslices", objectives=said))

    assert Slices(Threshold("max(lag)", ">", 3), MINUTE, 1.0) == slo.measured


def test_ratios_of_slices_are_averaged() -> None:
    said = "[{target: 0.99, timeSliceWindow: 1m}]"

    slo = one(document(method="RatioTimeslices", objectives=said))

    assert Slices(Ratio(total="total", good="good"), MINUTE) == slo.measured


def test_several_objectives_are_several_slos_named_after_them() -> None:
    said = (
        "[{displayName: Within 100 ms!, target: 0.9, op: lte, value: 100},"
        " {target: 0.99, op: lte, value: 500},"
        " {displayName: within 100 ms, target: 0.999, op: lte, value: 900}]"
    )
    text = document(LAG, objectives=said)

    found = slos(text)

    assert ["checkout-within-100-ms", "checkout-2", "checkout-3"] == [s.id for s in found]
    assert [100, 500, 900] == [s.measured.value for s in found]  # type: ignore[union-attr]
    assert ["Checkouts: Within 100 ms!", "Checkouts", "Checkouts: within 100 ms"] == [
        s.title for s in found
    ]
    assert [s.id for s in found] == slo_ids(parse_documents(text, "x.yaml")[0])


def test_an_id_never_grows_past_a_name() -> None:
    text = document(objectives="[{target: 0.9, displayName: " + "x" * 90 + "}, {target: 0.99}]")

    ids = [s.id for s in slos(text.replace("name: checkout,", f"name: {'c' * 63},"))]

    assert ["c" * 61 + "-1", "c" * 61 + "-2"] == ids


@pytest.mark.parametrize(
    ("written", "days"),
    [("1440m", 1), ("48h", 2), ("7d", 7), ("4w", 28), ("1M", 30), ("1Q", 90), ("1Y", 365)],
)
def test_a_period_is_written_in_any_unit_of_the_standard(written: str, days: int) -> None:
    assert timedelta(days=days) == one(document(period=written)).objective.period


@pytest.mark.parametrize(
    ("period", "longest"), [("1d", 24 * HOUR), ("7h", 6 * HOUR), ("1h", HOUR), ("90d", 72 * HOUR)]
)
def test_no_derived_window_is_longer_than_the_period(period: str, longest: timedelta) -> None:
    assert longest == max(w.long for w in one(document(period=period)).windows)


POLICIES = """\
  alertPolicies:
    - alertPolicyRef: slow
    - kind: AlertPolicy
      metadata: {name: fast, annotations: {gameday/short-window: 90s}}
      spec:
        alertWhenNoData: false
        conditions:
          - kind: AlertCondition
            metadata: {name: fast}
            spec:
              severity: page
              condition:
                {kind: Burnrate, op: gt, threshold: 20, lookbackWindow: 30m, alertAfter: 2m}
---
apiVersion: openslo/v1
kind: AlertPolicy
metadata: {name: slow}
spec:
  alertWhenBreaching: true
  conditions: [{conditionRef: slow}]
  notificationTargets: [{targetRef: team}]
---
apiVersion: openslo/v1
kind: AlertCondition
metadata: {name: slow}
spec:
  severity: ticket
  condition: {kind: burnrate, op: gte, threshold: 2.5, lookbackWindow: 6h}
---
apiVersion: openslo/v1
kind: AlertNotificationTarget
metadata: {name: team}
spec: {target: email}
"""


def test_alert_policies_give_own_windows_page_first() -> None:
    slo = one(document(policies=POLICIES))

    assert (
        BurnWindow(HOUR / 2, 1.5 * MINUTE, 20, Severity.PAGE, 2 * MINUTE),
        BurnWindow(6 * HOUR, HOUR / 2, 2.5, Severity.TICKET),
    ) == slo.windows
    assert slo.no_data_after is None


def test_a_policy_that_does_not_alert_on_a_breach_gives_no_window() -> None:
    quiet = POLICIES.replace("alertWhenBreaching: true", "alertWhenBreaching: false")

    assert [20] == [w.burn_rate for w in one(document(policies=quiet)).windows]


def test_policies_that_never_alert_are_refused() -> None:
    text = POLICIES.replace("alertWhenBreaching: true", "alertWhenBreaching: false").replace(
        "alertWhenNoData: false", "alertWhenBreaching: false"
    )

    assert "none of the policies alerts on a breach" in refusals(document(policies=text))


@pytest.mark.parametrize("said", ["alertWhenNoData: true", "alertWhenResolved: true"])
def test_missing_data_is_told_unless_every_policy_says_no(said: str) -> None:
    text = POLICIES.replace("alertWhenNoData: false", said)

    assert NO_DATA_AFTER == one(document(policies=text)).no_data_after


@pytest.mark.parametrize("prefix", ["gameday/", "gameday.dev/"])
def test_annotations_set_what_openslo_has_no_field_for(prefix: str) -> None:
    said = {
        "owner": "shop",
        "runbook": "runbooks/x.md",
        "dashboard": "https://d/{service}",
        "traces": "https://t",
        "profile": "https://p",
        "min-events": "100",
        "min-bad-events": "5",
        "no-data": "1h",
    }
    written = ", ".join(f"{prefix}{k}: '{v}'" for k, v in said.items())

    slo = one(document(annotations=f"{{{written}, team: a}}"))

    assert ("shop", "runbooks/x.md") == (slo.owner, slo.runbook)
    assert {"red": "https://d/{service}", "traces": "https://t", "profile": "https://p"} == dict(
        slo.links
    )
    assert (100, 5, HOUR) == (slo.min_events, slo.min_bad_events, slo.no_data_after)


def test_missing_data_can_be_left_untold() -> None:
    assert one(document(annotations="{gameday/no-data: 'off'}")).no_data_after is None


def test_every_expression_is_kept_with_its_line() -> None:
    queries = one(document()).queries

    assert {("good", 10), ("total", 11)} == {(q.text, q.line) for q in queries}
    assert all(q.file == "x.yaml" and q.field.endswith("spec.query") for q in queries)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "apiVersion: openslo/v1\nkind: Service\nmetadata: {name: s}\n",
            "x.yaml:1: the file holds no SLO",
        ),
        ("- 1\n- 2\n", "x.yaml:1: the document is a list, not a mapping of fields"),
        (
            document().replace("service: shop", "service: shop\n  indicatorRef: there"),
            "x.yaml:6: spec.indicatorRef: indicator and indicatorRef are both given",
        ),
        (
            "apiVersion: openslo/v1\nkind: Service\nmetadata: {name: s}\nspec: shop\n",
            "x.yaml:4: spec: must be a mapping of fields",
        ),
        ("kind: SLO\n", "x.yaml:1: apiVersion: is missing (write openslo/v1)"),
        (
            document(policies="  alertPolicies: fast\n"),
            "spec.alertPolicies: must be a list (write alertPolicies: [{alertPolicyRef: name}])",
        ),
    ],
)
def test_what_is_no_slo_says_why(text: str, said: str) -> None:
    assert said in refusals(text)


# --- references -----------------------------------------------------------------------------------

SLI = "apiVersion: openslo/v1\nkind: SLI\nmetadata: {name: NAME}\nspec:\n" + "".join(
    f"{line[4:]}\n" for line in COUNTED.splitlines()
)
BY_REFERENCE = document().replace(
    document()[document().index("  indicator:") : document().index("  timeWindow")],
    "  indicatorRef: counted\n",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An SLO whose indicator stands in another file, whose data source stands in a third."""
    (tmp_path / "slo.yaml").write_text(BY_REFERENCE)
    sli = SLI.replace("NAME", "counted").replace(
        "{type: Prometheus, spec: {query: good}}",
        "{metricSourceRef: main, spec: {query: good}}",
    )
    (tmp_path / "indicators.yml").write_text("# all of them\n" + sli)
    (tmp_path / "source.yaml").write_text(
        "- apiVersion: openslo/v1\n  kind: DataSource\n  metadata: {name: main}\n"
        "  spec: {type: prometheus, connectionDetails: {url: http://x}}\n"
    )
    return tmp_path


def test_a_reference_is_found_in_a_file_beside(folder: Path) -> None:
    (slo,) = read_slos(folder / "slo.yaml")

    assert ("good", "total") == (slo.good_query, slo.total_query)
    assert str(folder / "indicators.yml") == slo.queries[0].file


def test_the_whole_text_needs_no_other_file(folder: Path) -> None:
    text = whole_text(folder / "slo.yaml")

    assert one(text).good_query == "good"


def test_a_reference_in_the_same_file_comes_first(folder: Path) -> None:
    own = SLI.replace("NAME", "counted").replace("query: good", "query: own")
    (folder / "slo.yaml").write_text(BY_REFERENCE + "---\n" + own)

    (slo,) = read_slos(folder / "slo.yaml")

    assert "own" == slo.good_query


def test_two_documents_that_a_reference_could_mean_are_both_named(folder: Path) -> None:
    (folder / "more.yaml").write_text(SLI.replace("NAME", "counted"))

    with pytest.raises(SpecError) as caught:
        read_slos(folder / "slo.yaml")

    said = str(caught.value)
    assert "there are several of SLI 'counted'" in said
    assert f"{folder / 'indicators.yml'}:4" in said
    assert f"{folder / 'more.yaml'}:3" in said


def test_what_is_wrong_in_another_file_is_named_there(folder: Path) -> None:
    (folder / "source.yaml").write_text(
        (folder / "source.yaml").read_text().replace("prometheus", "Datadog")
    )

    with pytest.raises(SpecError) as caught:
        read_slos(folder / "slo.yaml")

    assert {(str(folder / "source.yaml"), 4)} == {(p.file, p.line) for p in caught.value.problems}


def test_a_neighbour_that_cannot_be_read_is_mentioned_where_a_reference_fails(
    folder: Path,
) -> None:
    (folder / "indicators.yml").write_text("kind: SLI\n  broken: [")

    with pytest.raises(SpecError, match=r"indicators\.yml cannot be read"):
        read_slos(folder / "slo.yaml")
