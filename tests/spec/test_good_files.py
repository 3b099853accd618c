"""What a good file means, value by value."""

from __future__ import annotations

import datetime
import json
from datetime import timedelta
from pathlib import Path

import pytest

from gameday.errors import UsageError
from gameday.model.runbook import CauseKind, FixStep, Runbook
from gameday.model.scenario import ResponderKind, Scenario
from gameday.spec import (
    Catalogue,
    parse_runbook,
    read_runbook,
    read_scenario,
    read_slos,
    schema,
    validate_file,
)

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CATALOGUE = Catalogue((HERE / "catalogue",))


def test_a_scenario_is_read_with_durations_ratios_and_silence() -> None:
    full = read_scenario(HERE / "good/scenario-full.yaml", catalogue=CATALOGUE)
    silent = read_scenario(HERE / "good/scenario-silent.yaml", catalogue=CATALOGUE)

    assert ("eu-west", "no") == full.spec.regions
    assert timedelta(seconds=90) == full.spec.steady_state.within
    assert timedelta(milliseconds=250) == full.spec.faults[0].at
    assert {"service": "inventory", "latency": "400ms", "regions": ["eu-west", "no"]} == (
        full.spec.faults[0].with_
    )
    assert (1, 0.5) == (full.spec.blast_radius.regions, full.spec.blast_radius.pods)
    assert (0.3, 50) == (
        full.spec.abort[0].error_budget_spent_above,
        full.spec.abort[1].burn_rate_above,
    )
    assert full.spec.expect.alert is not None
    assert timedelta(seconds=45) == full.spec.expect.alert.within
    assert ResponderKind.NONE == full.spec.responder
    assert HERE / "good/scenario-full.yaml" == full.path
    assert {"acked": timedelta(minutes=5), "mitigated": timedelta(minutes=20)} == (
        full.spec.targets.stated
    )
    assert silent.spec.expect.alert is None


def test_a_scenario_written_as_json_reads_back_the_same() -> None:
    scenario = read_scenario(HERE / "good/scenario-full.yaml", catalogue=CATALOGUE)

    again = Scenario.model_validate_json(scenario.model_dump_json(by_alias=True))

    assert scenario.model_copy(update={"path": None}) == again


def test_a_target_in_percent_and_a_list_of_documents_are_read() -> None:
    (slo,) = read_slos(HERE / "good/slo-percent-and-service.yaml")

    assert (0.999, timedelta(weeks=4)) == (slo.objective.target_ratio, slo.objective.period)
    assert """x_total{code!~"5..", a='b',}""" == slo.good_query
    assert "checkout" == slo.owner


def test_the_shipped_slo_has_the_workbooks_windows() -> None:
    (slo,) = read_slos(ROOT / "slos/checkout-latency.yaml")

    assert [14.4, 6.0, 3.0, 1.0] == [w.burn_rate for w in slo.windows]
    assert "CheckoutLatencyBudgetBurn" == slo.alert_name()
    assert slo.alert_name() == read_runbook(ROOT / slo.runbook).alert


@pytest.mark.parametrize(
    "path",
    sorted(
        p
        for name in ("scenarios", "slos", "runbooks", "experiments")
        for p in (ROOT / name).iterdir()
    ),
    ids=lambda p: p.name,
)
def test_every_shipped_file_is_valid(path: Path) -> None:
    assert [] == validate_file(path)


def test_a_runbook_names_its_owner_steps_and_review() -> None:
    book = read_runbook(HERE / "good/runbook.md")

    assert ("runbook", "CheckoutLatencyBudgetBurn", "storefront") == (
        book.id,
        book.alert,
        book.service,
    )
    assert book.owner is not None
    assert ("Checkout on-call", "checkout", "#checkout") == (
        book.owner.name,
        book.owner.team,
        book.owner.contact,
    )
    assert (datetime.date(2026, 11, 3), timedelta(days=90)) == (book.reviewed, book.review_every)
    assert [("read-red", 14, 17), ("open-the-traces", 18, 18)] == [
        (s.id, s.line, s.end_line) for s in book.first_checks
    ]
    assert ["failover-db", "drain-region", "restart-db", "rollback"] == [f.id for f in book.fixes]


def test_a_cause_that_names_both_sides_beats_one_that_says_any() -> None:
    book = read_runbook(HERE / "good/runbook.md")

    assert ["failover-db", "restart-db"] == [
        f.id for f in book.fixes_for("inventory", "db", "downstream")
    ]
    named = fix_for(book, "inventory", "db", "downstream")
    any_hop = fix_for(book, "storefront", "checkout", "downstream")
    code = fix_for(book, "checkout", None, "code")
    assert named and any_hop and code
    assert ("failover-db", "drain-region", "rollback") == (named.id, any_hop.id, code.id)


def fix_for(book: Runbook, service: str, downstream: str | None, kind: CauseKind) -> FixStep | None:
    """Return the first fix for a cause, or None where the runbook gives none."""
    return next(iter(book.fixes_for(service, downstream, kind)), None)


def test_a_service_that_is_slow_by_itself_without_a_deploy_has_no_fix_here() -> None:
    book = read_runbook(HERE / "good/runbook.md")

    assert fix_for(book, "checkout", None, "downstream") is None


def test_a_call_is_filled_with_what_was_found_and_not_with_guesses() -> None:
    book = read_runbook(HERE / "good/runbook.md")
    failover = fix_for(book, "inventory", "db", "downstream")
    drain = fix_for(book, "storefront", "checkout", "downstream")
    assert failover and failover.mitigation and drain and drain.mitigation

    assert {"region": "eu-west"} == failover.mitigation.filled({"region": "eu-west"})
    assert {} == failover.mitigation.filled({"region": None})
    assert drain.mitigation.filled({"region": None, "service": "storefront"}) is None
    assert {"region": "us-east", "reason": "slow-storefront"} == drain.mitigation.filled(
        {"region": "us-east", "service": "storefront"}
    )


def test_a_runbook_without_the_fix_offers_none_and_can_still_be_read() -> None:
    text = (HERE / "good/runbook.md").read_text(encoding="utf-8")
    without = "\n".join(line for line in text.split("\n") if "**failover-db**" not in line)
    without = without.replace("→ failover-db, restart-db", "→ failover-db")

    book = parse_runbook(without, "x.md")

    assert fix_for(book, "inventory", "db", "downstream") is None


def test_the_shipped_runbook_covers_what_it_says_and_no_more() -> None:
    book = read_runbook(ROOT / "runbooks/checkout-latency.md")

    def fix(service: str, downstream: str | None, kind: str) -> str | None:
        found = fix_for(book, service, downstream, "code" if kind == "code" else "downstream")
        return found.mitigation.name if found and found.mitigation else None

    assert "failover-db" == fix("inventory", "db", "downstream")
    assert "drain-region" == fix("storefront", "checkout", "downstream")
    assert "drain-region" == fix("checkout", "inventory", "downstream")
    assert "rollback-deploy" == fix("inventory", None, "code")
    assert fix("storefront", None, "downstream") is None


def test_names_are_found_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert "slow-db.yaml" == Catalogue.around().scenario("slow-db").name
    assert "slow-db.yaml" == Catalogue.around().scenario("scenarios/slow-db.yaml").name
    assert "checkout-latency" == Catalogue.around().slo("checkout-latency").id
    assert "checkout-latency.md" == Catalogue.around().runbook("runbooks/checkout-latency.md").name


def test_the_users_own_file_is_found_before_the_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "scenarios/slow-db.yaml"
    own.parent.mkdir()
    own.write_text("kind: Scenario")

    assert Path("scenarios/slow-db.yaml") == Catalogue.around().scenario("slow-db")


def test_a_name_that_leads_nowhere_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'slow-db'"):
        Catalogue.around().scenario("slowdb2")


def test_schemas_are_json_and_know_the_fields_of_the_file() -> None:
    scenario = json.loads(json.dumps(schema("scenario")))

    assert ["apiVersion", "kind", "metadata", "spec"] == list(scenario["properties"])
    assert {"const": "none"} in scenario["$defs"]["Expect"]["properties"]["alert"]["anyOf"]
    assert "review_every" in schema("runbook")["properties"]
    with pytest.raises(UsageError, match="did you mean 'scenario'"):
        schema("scenarios")
