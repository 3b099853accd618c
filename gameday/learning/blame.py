"""Which sentences of a postmortem blame, why, and how to say the same of the system.

It is the subject that counts, not the word: a health check may fail to fire and a proxy may forget
its routes. A person in the place of a cause, a judgement of people, and what somebody should have
done are found; what people did to help is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gameday.learning import blame_words as words
from gameday.spec.prose import Sentence, sentences_of

__all__ = ["Blame", "BlameKind", "blame_in", "blame_of"]


class BlameKind(StrEnum):
    """How a sentence blames."""

    PERSON = "person"
    HUMAN_ERROR = "human_error"
    SHOULD_HAVE = "should_have"
    COUNTERFACTUAL = "counterfactual"
    JUDGEMENT = "judgement"
    PASSIVE = "passive"


WHY = {
    BlameKind.PERSON: "a person stands where the cause belongs",
    BlameKind.HUMAN_ERROR: "an error of people is where the analysis begins, not where it ends",
    BlameKind.SHOULD_HAVE: "it measures people by what was known only afterwards",
    BlameKind.COUNTERFACTUAL: "it tells of an incident that did not happen",
    BlameKind.JUDGEMENT: "it judges people and explains nothing",
    BlameKind.PASSIVE: "the passive voice still points at a person",
}
"""What is wrong with each kind, as the end of `this blames: …`."""

INSTEAD = {
    BlameKind.PERSON: "say what the system let happen, and what made it look right:"
    " “The command ran against production, since its prompt is that of staging.”",
    BlameKind.HUMAN_ERROR: "say what made the slip possible and what let it through:"
    " “The form takes any number without asking back.”",
    BlameKind.SHOULD_HAVE: "say what was known at the time and what is missing in the system:"
    " “No step of the runbook says when to escalate.”",
    BlameKind.COUNTERFACTUAL: "say what happened, and make the wish an action item:"
    " “No alert watches the replication lag; add one.”",
    BlameKind.JUDGEMENT: "leave the judgement out and say what people saw and what they had:"
    " “The alert had fired 38 times that week without a cause.”",
    BlameKind.PASSIVE: "make the part of the system the subject:"
    " “The load balancer took a configuration in which two pools overlap.”",
}
"""A wording to use in place of each kind."""


@dataclass(frozen=True, slots=True)
class Blame:
    """A sentence that blames.

    Attributes:
        said: the words of it that do.
    """

    kind: BlameKind
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


def blame_in(text: str) -> Sequence[Blame]:
    """Return the sentences of a Markdown text that blame, in order, each once."""
    found = (blame_of(sentence) for sentence in sentences_of(text))
    return [blame for blame in found if blame is not None]


def blame_of(sentence: Sentence) -> Blame | None:
    """Return how a sentence blames, by the most telling of its words; None where it does not."""
    text = _own_words(sentence.words)
    for kind, pattern in _RULES:
        if match := pattern.search(text):
            return Blame(kind, sentence, " ".join(match[0].split()).strip(" ,;:"))
    return None


# What somebody or something else said is evidence, also where it blames.
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


def _rules() -> Iterator[tuple[BlameKind, re.Pattern[str]]]:
    def rule(kind: BlameKind, pattern: str) -> tuple[BlameKind, re.Pattern[str]]:
        return kind, re.compile(pattern, re.IGNORECASE)

    yield rule(BlameKind.HUMAN_ERROR, rf"\b{words.ERROR_OF_PEOPLE}\b")
    yield rule(
        BlameKind.COUNTERFACTUAL,
        rf"\b(?:could|would|might)(?: \w+)? have (?:\w+ly )?been (?:\w+ly )?{words.SEEN_LATE}\b",
    )
    yield rule(
        BlameKind.COUNTERFACTUAL,
        rf"\b(?:if only|(?:if|had) (?:\w+ ){{0,3}}?(?:{words.PERSON}|{words.SOMEBODY}"
        rf"|{words.NOBODY}|we|they|I)\b.*\b(?:would|could|might)(?:n't| not| never)? have)\b",
    )
    yield rule(
        BlameKind.COUNTERFACTUAL,
        rf"(?:{_WHO}|\bthey|\bwe|\bI) (?:could|would|might)(?: \w+)? have"
        rf" (?:\w+ly )?(?:{words.SEEN_LATE}|{_PAST})\b",
    )
    yield rule(
        BlameKind.SHOULD_HAVE,
        rf"{_ANYBODY} (?:really )?(?:should|ought to)(?:n't| not| never| really)? have"
        rf" (?:\w+ly )?(?:{words.SEEN_LATE}|{_PAST})\b",
    )
    yield rule(
        BlameKind.SHOULD_HAVE,
        rf"\b(?:should|ought to)(?:n't| not"
        rf"| never)? have (?:\w+ly )?been (?:\w+ )?{words.SEEN_LATE}\b",
    )
    yield rule(BlameKind.JUDGEMENT, rf"\b{words.JUDGEMENT}")
    yield rule(
        BlameKind.PASSIVE,
        rf"\b{words.SLIP}\b[^.;]{{0,60}}\b(?:was|were|been|is|are|got) [^.;]{{0,40}}\bby"
        rf" (?:the |a |an |our |their )?(?:\w+ ){{0,2}}?{_WHO}\b",
    )
    yield rule(
        BlameKind.PASSIVE,
        rf"\b(?:was|were|been|is|are|got) (?:[^.;]{{0,40}} )?(?:{words.SLIP}|mis\w+ed"
        rf"|dismissed|ignored"
        r"|overlooked|forgotten|neglected|missed|skipped|omitted|caused|introduced|triggered"
        r"|broken"
        r"|botched|bungled|mishandled|not (?:\w+ )?\w+ed(?: properly)?)\b"
        rf"[^.;]{{0,40}}\bby (?:the |a |an |our |their )?(?:\w+ ){{0,2}}?{_WHO}\b",
    )
    yield rule(BlameKind.PASSIVE, r"\b(?:was|were|been|got) (?:botched|bungled|fat-fingered)\b")
    yield rule(
        BlameKind.PASSIVE,
        r"\b(?:was|were|been|got) (?:accidentally|inadvertently|mistakenly|wrongly|carelessly"
        r"|hastily) \w+(?! by (?:the|a|an) (?:\w+ )?(?:job|script|controller|scheduler|proxy))",
    )
    yield rule(
        BlameKind.PERSON,
        rf"\b(?:caused by|due to|because of|the result of|down to|the fault of|traced (?:back )?to"
        rf"|attributed to|on the part of) (?:the |a |an |our |one of "
        rf"|some )?(?:\w+ ){{0,2}}?{_WHO}\b"
        r"(?! (?:\w+ )?(?:not being|dashboard|channel|page|calendar|rota|account|namespace"
        r"|label))",
    )
    yield rule(BlameKind.PERSON, rf"{_WHO} {words.ADVERB}{words.FAULT}\b")
    yield rule(BlameKind.PERSON, rf"{_ANYBODY} {words.ADVERB}{words.HUMAN_FAULT}\b")
    yield rule(
        BlameKind.PERSON,
        rf"(?:{_WHO}|\bthey) {words.ADVERB}{_PAST}\b{_SAME_CLAUSE}\b{words.SLIP}\b",
    )
    yield rule(BlameKind.PERSON, rf"{_WHO} {words.ADVERB}(?:{words.SLIP}) {_PAST}\b")
    yield rule(
        BlameKind.PERSON,
        rf"\b{words.NOBODY} (?:\w+ )?(?:bothered|noticed|checked|tested|acted|took|looked|read"
        r"|thought|questioned|told|asked|cared|tried|reviewed|verified|reacted|responded)\b",
    )
    yield rule(BlameKind.PERSON, rf"\bwhy (?:did|had|didn't|hadn't) (?:\w+ ){{0,2}}?{_WHO}\b")
    yield rule(BlameKind.PERSON, rf"{_WHO}'s? {words.LACK}\b")
    name = rf"(?-i:{words.GIVEN_NAME})"
    yield rule(BlameKind.PERSON, rf"{name} {words.ADVERB}{words.HUMAN_FAULT}\b")
    yield rule(
        BlameKind.PERSON,
        rf"{name} {words.ADVERB}(?:applied|ran|pushed|merged|deleted|typed|entered|clicked"
        rf"|changed|edited|deployed|used|restarted)\b{_SAME_CLAUSE}\b(?:{words.SLIP}|bad)\b",
    )
    yield rule(BlameKind.PERSON, rf"{name}'s? {words.LACK}\b")
    yield rule(
        BlameKind.PERSON,
        rf"\b(?:caused by|due to|because of|it was|introduced by|fault of) {name}(?:'s?"
        rf" (?:\w+ )?{words.CHANGE}| in a hurry)\b",
    )


_RULES = tuple(_rules())
