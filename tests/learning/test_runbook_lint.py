"""What the linter finds in a runbook, and what it leaves alone."""

from __future__ import annotations

from datetime import date

import pytest

from gameday.learning.flaw import FlawKind
from gameday.learning.lint import Seen, flaws_in
from gameday.learning.runbook_code import ShellFault, metrics_of, scripts_of
from gameday.learning.runbook_links import (
    LinkedFile,
    addresses_of,
    alert_flaws,
    paths_of,
    unreachable,
)
from gameday.learning.runbook_page import page_of
from gameday.model.alerting_rule import AlertingRule

TODAY = date(2026, 11, 28)
HEAD = """\
---
alert: Down
owner: {name: On-call, team: shop, contact: "#shop"}
reviewed: 2026-11-01
---
# Down

"""
SECTIONS = (
    "## Meaning\n\nIt is down.\n\n## Likely causes\n\n- A crash.\n\n## Fixes\n\n- Restart.\n\n"
)


def found(checks: str, *, head: str = HEAD, seen: Seen = Seen()) -> list[tuple[str, int, str]]:
    """Return the flaws of a sound runbook whose first checks are these; they begin in line 22."""
    page = page_of(f"{head}{SECTIONS}## First checks\n\n{checks}", "runbooks/down.md")
    return [(flaw.kind, flaw.line, flaw.what) for flaw in flaws_in(page, seen, TODAY)]


def test_a_sound_runbook_is_let_pass() -> None:
    assert [] == found("1. Look at `df -h`.\n")


# --- the head -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "to", "flaw"),
    [
        ('owner: {name: On-call, team: shop, contact: "#shop"}\n', "", "it names no owner"),
        (', contact: "#shop"', "", "it does not say where its owner is reached"),
        ("reviewed: 2026-11-01\n", "", "it does not say when it was last reviewed"),
        ("2026-11-01", "2026-08-01", "its review was due on 2026-10-30"),
        ("2026-11-01", "2026-12-01", "it says it was reviewed on 2026-12-01, which is to come"),
    ],
)
def test_owner_and_review_are_held_against_today(changed: str, to: str, flaw: str) -> None:
    assert [flaw] == [what for _, _, what in found("1. Look.\n", head=HEAD.replace(changed, to))]


def test_a_review_may_hold_longer_than_a_quarter() -> None:
    head = HEAD.replace("2026-11-01", "2026-01-01\nreview_every: 365d")

    assert [] == found("1. Look.\n", head=head)


def test_a_page_without_title_and_alert_does_not_say_whose_runbook_it_is() -> None:
    page = page_of("Restart it.\n", "x.md")

    kinds = [flaw.kind for flaw in flaws_in(page, Seen(), TODAY)]

    assert [FlawKind.ALERT, FlawKind.OWNER, FlawKind.REVIEW] + 4 * [FlawKind.SECTION] == kinds


def test_what_validate_says_is_said_here_as_well() -> None:
    head = HEAD.replace("owner:", "ownr:")

    assert ("form", 3, "ownr: unknown field 'ownr'") in found("1. Look.\n", head=head)


def test_a_head_that_cannot_be_read_is_the_one_thing_said_of_it() -> None:
    page = page_of("---\nalert: [x\n---\n# X\n\n[a](#b)\n", "x.md")

    assert [FlawKind.FORM, FlawKind.ANCHOR] == [f.kind for f in flaws_in(page, Seen(), TODAY)]


# --- words --------------------------------------------------------------------------------------


def test_a_section_with_nothing_but_a_comment_is_empty() -> None:
    assert [("section", 20, "the section “First checks” is empty")] == found("<!-- later -->\n")


def test_a_section_may_be_headed_as_the_prometheus_operators_are() -> None:
    text = HEAD + SECTIONS.replace("Fixes", "Mitigation") + "## Diagnosis\n\nLook.\n"

    assert [] == list(flaws_in(page_of(text, "x.md"), Seen(), TODAY))


@pytest.mark.parametrize(
    "words", ["TODO", "Ask somebody (TBD).", "???", "Coming soon.", "```sh\n# TODO: which?\n```"]
)
def test_words_that_wait_to_be_written_are_found(words: str) -> None:
    assert ["placeholder"] == [kind for kind, _, _ in found(words + "\n")]


@pytest.mark.parametrize(
    "words", ["The `TODO` file.", "A todo list.", "<!-- TODO -->Look.", "```sh\ngrep TODO x\n```"]
)
def test_words_that_only_look_like_it_are_not(words: str) -> None:
    assert [] == found(words + "\n")


# --- commands -----------------------------------------------------------------------------------


def scripts(block: str, language: str = "shell") -> list[tuple[str, int]]:
    page = page_of(f"# X\n\n```{language}\n{block}\n```\n", "x.md")
    return [(script.text, script.line) for script in scripts_of(page)]


def test_a_block_without_a_prompt_is_one_script() -> None:
    assert [("cd /tmp\nls\n", 4)] == scripts("cd /tmp\nls")


def test_of_a_session_each_command_is_one_and_what_it_prints_is_none() -> None:
    block = "$ kubectl get pods\nNAME (x)\n$ for i in 1; do\n> echo $i \\\n  ; done\n# lsof -n"

    assert [("kubectl get pods", 4), ("for i in 1; do\necho $i \\\n  ; done", 6)] == scripts(block)


def test_a_console_without_a_prompt_may_be_all_output() -> None:
    assert [] == scripts("kubectl get pods", "console")


def test_other_languages_are_no_scripts() -> None:
    assert [] == scripts("x = (", "python")


def test_a_blank_is_a_word_to_the_shell() -> None:
    assert [("kubectl -n xxxx get pod", 4)] == scripts("$ kubectl -n <ns> get pod")


@pytest.mark.parametrize(
    "line",
    [
        "sort < in > out",
        "diff <(ls a) <(ls b)",
        "cat <<EOF",
        "tr a b <in.txt >out.txt",
        "cmd 2>&1 </dev/null",
        "NODE='<value of the label>'",
        "# <pod>",
    ],
)
def test_redirections_and_quoted_words_are_no_blanks(line: str) -> None:
    assert [] == found(f"```sh\n{line}\n```\n")


def test_a_blank_in_a_command_is_a_placeholder_once() -> None:
    flaws = found("```sh\n$ kubectl -n <ns> get pod\n$ kubectl -n <ns> logs <my-pod>\n```\n")

    assert [("placeholder", 23, "<ns>"), ("placeholder", 24, "<my-pod>")] == [
        (kind, line, what.split()[0]) for kind, line, what in flaws
    ]


def test_what_the_shell_cannot_read_is_told_with_its_line_in_the_file() -> None:
    text = "```sh\necho one\necho two)\n```\n"
    (script,) = scripts_of(page_of(f"{HEAD}{SECTIONS}## First checks\n\n{text}", "x.md"))

    seen = Seen(faults={script: ShellFault(2, "syntax error")})

    assert [("command", 24, "the shell cannot read this: syntax error")] == found(text, seen=seen)


# --- queries ------------------------------------------------------------------------------------


def test_a_query_that_is_no_promql_is_found() -> None:
    ((kind, line, what),) = found("```promql\nsum(rate(x[5m])\n```\n")

    assert ("query", 23) == (kind, line)
    assert what.startswith("this is no PromQL: ")


@pytest.mark.parametrize(
    "query",
    [
        "rate(x[$__rate_interval])",
        'up{job="<job>"} == 0',
        "up{...}",
        "rate(a[5m])\n\nrate(b[5m])",
        "brand_new_function(up)",
    ],
)
def test_what_is_filled_in_first_and_several_queries_in_one_block_are_let_pass(query: str) -> None:
    assert [] == found(f"```promql\n{query}\n```\n")


def test_metrics_that_prometheus_does_not_have_are_found_once_with_their_line() -> None:
    text = "```promql\nsum(rate(gone[5m]))\n  / sum(rate(here[5m])) > gone\n```\n"
    seen = Seen(lacking=frozenset({"gone"}), prometheus="Prometheus at http://p")

    assert [("metric", 23, "Prometheus at http://p has no metric gone")] == found(text, seen=seen)
    assert {"gone", "here"} == metrics_of(page_of(text, "x.md"))


# --- links --------------------------------------------------------------------------------------


def test_links_into_the_page_and_to_files_beside_it_are_looked_up() -> None:
    text = (
        "[a](#likely-causes) [b](#nowhere) [c](other.md#there) [d](other.md#gone) [e](lost.md)"
        " [f](../pretty/) [g](down.md) [h](/from/the/top.md) [i](mailto:a@b.example)\n"
    )
    places = {
        "runbooks/other.md": LinkedFile(exists=True, anchors=frozenset({"there"})),
        "runbooks/down.md": LinkedFile(exists=True, anchors=frozenset()),
    }

    flaws = found(text, seen=Seen(places=places))

    assert [
        ("anchor", "#nowhere leads to the top: this page has no heading or anchor of that name"),
        ("anchor", "#gone leads to the top: other.md has no heading or anchor of that name"),
        ("link", "lost.md leads nowhere: there is no such file"),
        ("link", "down.md leads to the page that it stands on"),
    ] == [(kind, what) for kind, _, what in flaws]


def test_paths_are_asked_for_relative_to_the_page_and_addresses_without_anchors() -> None:
    page = page_of("[a](../x.md#y) [b](https://e.example/p#q) [c](https://e.example/p)\n", "r/d.md")

    assert (["x.md"], ["https://e.example/p"]) == (paths_of(page), addresses_of(page))


@pytest.mark.parametrize(
    ("address", "branch"),
    [
        ("https://github.com/o/r/blob/main/a.md", "main"),
        ("https://github.com/o/r/tree/master", "master"),
        ("https://raw.githubusercontent.com/o/r/refs/heads/main/a", "main"),
        ("https://gitlab.example/g/s/r/-/blob/master/a.md#L3", "master"),
        ("https://codeberg.org/o/r/src/branch/develop/a", "develop"),
    ],
)
def test_a_link_into_a_branch_follows_it(address: str, branch: str) -> None:
    ((kind, _, what),) = found(f"See {address}\n")

    assert ("moving-branch", True) == (kind, f"follows the branch {branch}:" in what)


@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/o/r",
        "https://github.com/o/r/blob/v1.2.0/main/a.md",
        "https://github.com/o/r/issues/1",
        "https://docs.example/main/a",
    ],
)
def test_other_addresses_do_not(address: str) -> None:
    assert [] == found(f"See {address}\n")


def test_an_address_that_leads_nowhere_is_told_once_with_why() -> None:
    seen = Seen(dead={"https://e.example/gone": "it answers 404"})

    flaws = found("[a](https://e.example/gone)\n[b](https://e.example/gone#x)\n", seen=seen)

    assert [("link", 22), ("link", 23)] == [(kind, line) for kind, line, _ in flaws]
    assert flaws[0][2] == "https://e.example/gone leads nowhere: it answers 404"


def test_a_loopback_address_needs_a_command_that_opens_a_way_to_it() -> None:
    opened = "```sh\nkubectl port-forward svc/prometheus 9090\n```\n"

    assert ["unreachable"] == [kind for kind, _, _ in found("[a](http://localhost:9090)\n")]
    assert [] == found(f"{opened}\n[a](http://localhost:9090)\n")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://runbooks.example/down", ""),
        ("https://github.com/o/r/blob/main/down.md", ""),
        ("https://wiki/{{ $labels.alertname }}", ""),
        ("runbooks/down.md", "it is a path, which leads nowhere outside the repository"),
        ("/srv/down.md", "it is a path, which leads nowhere outside the repository"),
        ("file:///srv/down.md", "it is a file of somebody's own machine"),
        ("http://localhost:8080/down", "it is the reader's own machine"),
        ("http://[::1]/down", "it is the reader's own machine"),
        ("http://wiki.tools.svc.cluster.local/", "it is a name that only the cluster knows"),
        ("slack://channel", "it is no address that a browser opens"),
    ],
)
def test_who_is_paged_has_to_reach_the_runbook(url: str, why: str) -> None:
    assert why == unreachable(url)


def test_an_alert_whose_runbook_nobody_can_open_is_told_with_its_place() -> None:
    rules = [
        AlertingRule("Down", "rules.yaml", 6, annotations={"runbook_url": "runbooks/down.md"}),
        AlertingRule("Up", "rules.yaml", 9, annotations={"runbook_url": "https://e.example/up"}),
        AlertingRule("Silent", "rules.yaml", 12),
    ]

    (flaw,) = alert_flaws(rules)

    assert ("unreachable", "rules.yaml", 6) == (flaw.kind, flaw.file, flaw.line)
    assert flaw.what.startswith("whoever Down pages cannot open its runbook_url")
