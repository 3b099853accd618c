"""Strangers' text where people and programs read it."""

from __future__ import annotations

import pytest
from jinja2 import Environment
from markdown_it import MarkdownIt
from markupsafe import Markup

from gameday.cli.output import print_table, say
from gameday.legible import finalized, in_markdown, legible

OVERRIDE = "pay\u202e\u2066gpj.exe"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("10 % of the café's ☕ – 支払い", "10 % of the café's ☕ – 支払い"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        (OVERRIDE, "pay��gpj.exe"),
        ("\x1b[2J\x1b]0;title\x07gone", "�[2J�]0;title�gone"),
        ("\u061carabic \u200e\u200fmarks\x9b", "�arabic ��marks�"),
        ("a line\r over it", "a line� over it"),
    ],
)
def test_what_would_be_obeyed_is_shown_instead(text: str, shown: str) -> None:
    assert shown == legible(text)


def test_text_without_any_of_it_is_the_very_object() -> None:
    text = "plain" * 3

    assert legible(text) is text


def test_a_page_shows_it_and_keeps_its_own_markup() -> None:
    environment = Environment(autoescape=True, finalize=finalized)
    template = environment.from_string("{{ a }}|{{ b }}|{{ c }}")

    page = template.render(a=OVERRIDE + "<b>", b=Markup(f"<b>{OVERRIDE}</b>"), c=3)

    assert "pay��gpj.exe&lt;b&gt;|<b>pay��gpj.exe</b>|3" == page


def test_a_terminal_shows_it(capsys: pytest.CaptureFixture[str]) -> None:
    say(OVERRIDE)
    print_table(("summary",), [("\x1b[2Jgone",)], empty="")

    shown = capsys.readouterr()
    assert ("\u202e" in shown.err, "\x1b[2J" in shown.out) == (False, False)
    assert "�[2Jgone" in shown.out


@pytest.mark.parametrize(
    ("text", "page"),
    [
        ("a <b>bold</b> word", "a &lt;b&gt;bold&lt;/b&gt; word"),
        ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"),
        ("![x](http://elsewhere)", "![x](http://elsewhere)"),
        ("&lt;b&gt; stays", "&amp;lt;b&amp;gt; stays"),
        ("calls `<lambda>` & waits", "calls <code>&lt;lambda&gt;</code> &amp; waits"),
    ],
)
def test_markdown_shows_it_as_it_is_written(text: str, page: str) -> None:
    assert f"<p>{page}</p>\n" == MarkdownIt("commonmark").render(in_markdown(text))
