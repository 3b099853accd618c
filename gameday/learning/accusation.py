"""Which sentences of a postmortem accuse people, why, and how to say the same of the system.

It is the subject that counts, not the word: a health check may fail to fire and a proxy may forget
its routes. A person in the place of a cause, a judgement of people, and what somebody should have
done are found; what people did to help is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gameday.learning import accusation_words as words
from gameday.spec.prose import Sentence, sentences_of

__all__ = ["Accusation", "AccusationKind", "accusations_in", "accusation_of"]


class AccusationKind(StrEnum):
    """How a sentence accuses."""

    PERSON = "person"
    HUMAN_ERROR = "human_error"
    SHOULD_HAVE = "should_have"
    COUNTERFACTUAL = "counterfactual"
    JUDGEMENT = "judgement"
    PASSIVE = "passive"


WHY = {
    AccusationKind.PERSON: "a person stands where the cause belongs",
    AccusationKind.HUMAN_ERROR: "an error of people is where an analysis begins, and no end of it",
    AccusationKind.SHOULD_HAVE: "it measures people by what was known only afterwards",
    AccusationKind.COUNTERFACTUAL: "it tells of an incident that did not happen",
    AccusationKind.JUDGEMENT: "it judges people and explains nothing",
    AccusationKind.PASSIVE: "the passive voice still points at a person",
}
"""What is wrong with each kind, as the end of `this accuses: …`."""

INSTEAD = {
    AccusationKind.PERSON: "say what the system let happen, and what made it look right:"
    " “The command ran against production, since its prompt is that of staging.”",
    AccusationKind.HUMAN_ERROR: "say what made the slip possible and what let it through:"
    " “The form takes any number without asking back.”",
    AccusationKind.SHOULD_HAVE: "say what was known at the time and what is missing in the system:"
    " “No step of the runbook says when to escalate.”",
    AccusationKind.COUNTERFACTUAL: "say what happened, and make the wish an action item:"
    " “No alert watches the replication lag; add one.”",
    AccusationKind.JUDGEMENT: "leave the judgement out and say what people saw and what they had:"
    " “The alert had fired 38 times that week without a cause.”",
    AccusationKind.PASSIVE: "make the part of the system the subject:"
    " “The load balancer took a configuration in which two pools overlap.”",
}
"""A wording to use in place of each kind."""


@dataclass(frozen=True, slots=True)
class Accusation:
    """A sentence that accuses people.

    Attributes:
        said: the words of it that do.
    """

    kind: AccusationKind
    sentence: Sentence
    said: str

    @property
    def why(self) -> str:
        """Return what is wrong with it, as a clause."""
        return WHY[self.kind]

    @property
    def instead(self) -> str:
        """Return a wording to use in its place."""
        return INSTEAD[self.kind]


def accusations_in(text: str) -> Sequence[Accusation]:
    """Return the sentences of a Markdown text that accuse people, in order, each once."""
    found = (accusation_of(sentence) for sentence in sentences_of(text))
    return [accusation for accusation in found if accusation is not None]


def accusation_of(sentence: Sentence) -> Accusation | None:
    """Return how a sentence accuses, by the most telling of its words; None where it does not."""
    text = _own_words(sentence.words)
    for kind, pattern in _RULES:
        if match := pattern.search(text):
            return Accusation(kind, sentence, " ".join(match[0].split()).strip(" ,;:"))
    return None


# What somebody or something else said is evidence, also where it accuses.
_QUOTED = re.compile(r"“[^”]*”|\"[^\"]*\"|(?<!\w)'[^']*\s[^']*'(?!\w)|`[^`]*`")
# In Kubernetes an operator is a program.
_PROGRAM = re.compile(
    r"\b(?!(?:The|An|Our|One|Two|Each) )[A-Z]\w+ [Oo]perators?\b|\boperator pattern\b"
)


def _own_words(text: str) -> str:
    text = _QUOTED.sub("…", text.replace("’", "'"))
    text = _PROGRAM.sub("…", text)
    # A path or an address holds words of nobody.
    return " ".join("…" if "://" in w or w.count("/") > 1 else w for w in text.split())


_WHO = rf"\b(?:{words.PERSON}|{words.SOMEBODY}|{words.NOBODY})"
_ANYBODY = rf"\b(?:{words.PERSON}|{words.SOMEBODY}|{words.NOBODY}|{words.MAYBE_PERSON})"
_SAME_CLAUSE = (
    r"(?:(?!\b(?:that|which|whose|who|because|since|noticed|found|saw|reported|discovered"
    r"|reali[sz]ed|confirmed|reverted|corrected|fixed|removed the|replaced)\b)[^.;:]){0,60}?"
)
_PAST = (
    r"(?:\w+ed|\w+n|did|made|ran|run|set|sent|put|took|went|left|kept|gave|read|cut|hit|shut|let"
    r"|used|lost|told)"
)


def _rules() -> Iterator[tuple[AccusationKind, re.Pattern[str]]]:
    def rule(kind: AccusationKind, pattern: str) -> tuple[AccusationKind, re.Pattern[str]]:
        return kind, re.compile(pattern, re.IGNORECASE)

    yield rule(AccusationKind.HUMAN_ERROR, rf"\b{words.ERROR_OF_PEOPLE}\b")
    yield rule(
        AccusationKind.COUNTERFACTUAL,
        rf"\b(?:could|would|might)(?: \w+)? have (?:\w+ly )?been (?:\w+ly )?{words.SEEN_LATE}\b",
    )
    yield rule(
        AccusationKind.COUNTERFACTUAL,
        rf"\b(?:if only|(?:if|had) (?:\w+ ){{0,3}}?(?:{words.PERSON}|{words.SOMEBODY}"
        rf"|{words.NOBODY}|we|they|I)\b.*\b(?:would|could|might)(?:n't| not| never)? have)\b",
    )
    yield rule(
        AccusationKind.COUNTERFACTUAL,
        rf"(?:{_WHO}|\bthey|\bwe|\bI) (?:could|would|might)(?: \w+)? have"
        rf" (?:\w+ly )?(?:{words.SEEN_LATE}|{_PAST})\b",
    )
    yield rule(
        AccusationKind.SHOULD_HAVE,
        rf"{_ANYBODY} (?:really )?(?:should|ought to)(?:n't| not| never| really)? have"
        rf" (?:\w+ly )?(?:{words.SEEN_LATE}|{_PAST})\b",
    )
    yield rule(
        AccusationKind.SHOULD_HAVE,
        rf"\b(?:should|ought to)(?:n't| not"
        rf"| never)? have (?:\w+ly )?been (?:\w+ )?{words.SEEN_LATE}\b",
    )
    yield rule(AccusationKind.JUDGEMENT, rf"\b{words.JUDGEMENT}")
    yield rule(
        AccusationKind.PASSIVE,
        rf"\b{words.SLIP}\b[^.;]{{0,60}}\b(?:was|were|been|is|are|got) [^.;]{{0,40}}\bby"
        rf" (?:the |a |an |our |their )?(?:\w+ ){{0,2}}?{_WHO}\b",
    )
    yield rule(
        AccusationKind.PASSIVE,
        rf"\b(?:was|were|been|is|are|got) (?:[^.;]{{0,40}} )?(?:{words.SLIP}|mis\w+ed"
        rf"|dismissed|ignored"
        r"|overlooked|forgotten|neglected|missed|skipped|omitted|caused|introduced|triggered"
        r"|broken"
        r"|botched|bungled|mishandled|not (?:\w+ )?\w+ed(?: properly)?)\b"
        rf"[^.;]{{0,40}}\bby (?:the |a |an |our |their )?(?:\w+ ){{0,2}}?{_WHO}\b",
    )
    yield rule(
        AccusationKind.PASSIVE, r"\b(?:was|were|been|got) (?:botched|bungled|fat-fingered)\b"
    )
    yield rule(
        AccusationKind.PASSIVE,
        r"\b(?:was|were|been|got) (?:accidentally|inadvertently|mistakenly|wrongly|carelessly"
        r"|hastily) \w+(?! by (?:the|a|an) (?:\w+ )?(?:job|script|controller|scheduler|proxy))"
        r"|\b(?:was|were) (?:incorrectly (?:assumed|entered|typed|set|applied)|\w+ with a typo)\b",
    )
    yield rule(
        AccusationKind.PERSON,
        rf"\b(?:caused by|due to|because of|the result of|down to|the fault of|traced (?:back )?to"
        rf"|attributed to|on the part of) (?:the |a |an |our |one of "
        rf"|some )?(?:\w+ ){{0,2}}?{_WHO}\b"
        r"(?! (?:\w+ )?(?:not being|dashboard|channel|page|calendar|rota|account|namespace"
        r"|label))",
    )
    yield rule(AccusationKind.PERSON, rf"{_WHO} {words.ADVERB}{words.FAULT}\b")
    yield rule(AccusationKind.PERSON, rf"{_ANYBODY} {words.ADVERB}{words.HUMAN_FAULT}\b")
    yield rule(
        AccusationKind.PERSON,
        rf"(?:{_WHO}|\bthey) {words.ADVERB}{_PAST}\b{_SAME_CLAUSE}\b{words.SLIP}\b",
    )
    yield rule(AccusationKind.PERSON, rf"{_WHO} {words.ADVERB}(?:{words.SLIP}) {_PAST}\b")
    yield rule(
        AccusationKind.PERSON,
        rf"\b{words.NOBODY} (?:\w+ )?(?:bothered|noticed|checked|tested|acted|took|looked|read"
        r"|thought|questioned|told|asked|cared|tried|reviewed|verified|reacted|responded)\b",
    )
    yield rule(
        AccusationKind.PERSON,
        rf"\bwhy (?:did|had|didn't|hadn't) (?:\w+ ){{0,2}}?(?:{_WHO}|you|they)\b",
    )
    yield rule(
        AccusationKind.PERSON,
        r"\bwhose (?:fault|mistake|error|idea)\b"
        r"|^who (?:did|broke|pushed|deployed|approved|merged|deleted|changed)\b",
    )
    yield rule(
        AccusationKind.PERSON,
        r"\b(?:someone|somebody|whoever) (?:\w+ly )?(?:wrote|deployed|pushed|deleted|changed"
        r"|merged|edited|removed|disabled|committed|ran|turned|switched|left|set|approved)\b",
    )
    yield rule(
        AccusationKind.PERSON,
        rf"{_WHO} {_PAST}\b[^.;]{{0,140}}?,? (?:but|and) {words.HUMAN_FAULT}\b",
    )
    yield rule(
        AccusationKind.PERSON,
        rf"{_WHO} {words.ADVERB}{_PAST}\b{_SAME_CLAUSE}\b(?:that|which) {words.HARMED}\b",
    )
    yield rule(AccusationKind.PERSON, rf"{_WHO}'s? {words.LACK}\b")
    name = rf"(?-i:{words.GIVEN_NAME})"
    yield rule(AccusationKind.PERSON, rf"{name} {words.ADVERB}{words.HUMAN_FAULT}\b")
    yield rule(
        AccusationKind.PERSON,
        rf"{name} (?:(?:did not|didn't|never) {words.UNCHECKED}"
        r"|broke (?:it|the|our|prod\w*|main))\b",
    )
    yield rule(
        AccusationKind.PERSON,
        rf"(?:{name}|{_WHO}) {words.ADVERB}{words.SHIPPED}\b{_SAME_CLAUSE}"
        rf"\b(?:{words.UNSOUND}|{words.SLIP})\b",
    )
    yield rule(
        AccusationKind.PERSON,
        rf"{name} {words.ADVERB}(?:applied|ran|pushed|merged|deleted|typed|entered|clicked"
        rf"|changed|edited|deployed|used|restarted)\b{_SAME_CLAUSE}\b(?:{words.SLIP}|bad)\b",
    )
    yield rule(AccusationKind.PERSON, rf"{name}'s? {words.LACK}\b")
    yield rule(
        AccusationKind.PERSON,
        rf"\b(?:caused by|due to|because of|it was|introduced by|fault of) {name}(?:'s?"
        rf" (?:\w+ )?{words.CHANGE}| in a hurry)\b",
    )


_RULES = tuple(_rules())
