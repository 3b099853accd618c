"""Accusation is found by the subject of a sentence, on sentences that no rule was written on."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from given import GIVEN

from gameday.learning.accusation import AccusationKind, accusation_of, accusations_in
from gameday.learning.postmortem import draft
from gameday.model.result import RunResult
from gameday.model.scenario import Scenario
from gameday.model.slo import Slo
from gameday.spec.prose import Sentence
from gameday.testing.blameless import false_alarms, labelled_halves, tally, wilson
from scoring.timeline import Timeline

LABELS = Path(__file__).parent / "labelled"
REPORTS = GIVEN.corpora / "postmortems/mybinder"


def kind_of(words: str) -> AccusationKind | None:
    found = accusation_of(Sentence(words, 1))
    return found.kind if found else None


def test_at_least_120_sentences_are_labelled_and_either_half_holds_both_kinds() -> None:
    split = labelled_halves(LABELS, None)

    assert len(split.rules) + len(split.held_out) >= 120
    for half in (split.rules, split.held_out):
        blameful = sum(s.is_blameful for s in half)
        assert 0.4 < blameful / len(half) < 0.7


def test_no_pair_is_torn_apart() -> None:
    split = labelled_halves(LABELS, None)

    held_out = {s.words for s in split.held_out}
    said = {s.words: s.is_blameful for s in split.rules}
    assert said["The wrong command was run by the operator."]
    assert not said["The runbook holds two commands that differ in one letter."]
    assert not held_out & set(said)


def test_on_the_half_held_out_it_is_precise_and_finds_most() -> None:
    found = tally(labelled_halves(LABELS, None).held_out)

    assert found.precision_ratio >= 0.9
    assert found.recall_ratio >= 0.8


def test_in_reports_of_others_it_raises_few_false_alarms() -> None:
    if not REPORTS.is_dir():
        pytest.skip(f"the incident reports of mybinder.org are not at {REPORTS}")

    found = tally(labelled_halves(LABELS, REPORTS).held_out)
    alarms, sentences = false_alarms(LABELS / "reports.yaml", REPORTS)

    assert found.precision_ratio >= 0.9
    assert found.recall_ratio >= 0.8
    assert sentences > 1000
    assert 1000 * alarms / sentences <= 3


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (AccusationKind.PERSON, "The engineer forgot the flag."),
        (AccusationKind.PERSON, "The outage is the fault of the on-call engineer."),
        (AccusationKind.PERSON, "Nadia didn't verify the restore."),
        (AccusationKind.PERSON, "A developer merged an untested migration."),
        (AccusationKind.PERSON, "The engineer changed a rule that took the site down."),
        (AccusationKind.PERSON, "Somebody turned the alert off."),
        (AccusationKind.PERSON, "Whose idea was that?"),
        (AccusationKind.HUMAN_ERROR, "The trigger was human error."),
        (AccusationKind.SHOULD_HAVE, "The responder should have paged the database team."),
        (AccusationKind.COUNTERFACTUAL, "It could have been avoided by a second look."),
        (AccusationKind.JUDGEMENT, "Despite being aware of the risk, the release went on."),
        (AccusationKind.PASSIVE, "The wrong pool was drained by an operator."),
    ],
)
def test_each_kind_of_blame_is_told_as_what_it_is(kind: AccusationKind, words: str) -> None:
    assert kind == kind_of(words)


@pytest.mark.parametrize(
    "words",
    [
        "The health check failed to fire.",
        "The alert should have fired at 14:02 and fired at 14:31.",
        "The wrong pool was drained by the autoscaler.",
        "The Postgres operator failed to reconcile the primary.",
        "Grafana didn't update the panel.",
        "The engineer deployed the fix that had been tested.",
        "Somebody reported the outage in the chat.",
        "User error rates rose to 4 %.",
        "The sloppy quorum let two writers through.",
        "We rolled back at 14:05 and the alert cleared.",
        "The responder restarted the pod without affecting users.",
        "The chat said “the admin forgot it again” at 14:05.",
        "The log says `operator error: he forgot the flag`.",
    ],
)
def test_systems_quotations_and_what_people_did_to_help_are_not_blamed(words: str) -> None:
    assert kind_of(words) is None


def test_each_sentence_is_found_once_with_its_line_and_what_to_write_instead() -> None:
    text = "# Cache\n\nIt was slow. The careless engineer forgot\nthe index.\n\n> He forgot it.\n"

    (found,) = accusations_in(text)

    assert Sentence("The careless engineer forgot the index.", 3) == found.sentence
    assert "careless" == found.said
    assert found.why and found.instead


@pytest.mark.parametrize("kind", AccusationKind)
def test_the_wording_to_use_instead_blames_nobody(kind: AccusationKind) -> None:
    from gameday.learning.accusation import INSTEAD

    example = INSTEAD[kind].split("“")[1].rstrip("”")

    assert kind_of(example) is None


def test_the_draft_that_gameday_writes_blames_nobody(
    result: RunResult, timeline: Timeline, scenario: Scenario, slo: Slo
) -> None:
    assert [] == list(accusations_in(draft(result, timeline, scenario, slo)))


@pytest.mark.parametrize("words", ["the engineer ", "If had ", "Anna Bert ", "was ", "a"])
def test_a_long_sentence_costs_no_more_than_its_length(words: str) -> None:
    def cost(times: int) -> float:
        sentence = Sentence(words * times, 1)
        begun = time.process_time()
        accusation_of(sentence)
        return time.process_time() - begun

    short = min(cost(1000) for _ in range(3))

    assert cost(8000) < 40 * short + 0.5


@pytest.mark.parametrize(
    ("successes", "trials", "interval"),
    [(0, 10, (0.0, 0.2775)), (5, 10, (0.2366, 0.7634)), (10, 10, (0.7225, 1.0))],
)
def test_the_interval_of_a_share_is_wilsons(
    successes: int, trials: int, interval: tuple[float, float]
) -> None:
    assert pytest.approx(interval, abs=0.0001) == wilson(successes, trials)
