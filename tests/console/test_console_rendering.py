"""Words as the pages write them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gameday.server.console.rendering import lasting, plotly_js, prose


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0, "0:00"), (65, "1:05"), (600, "10:00"), (7200, "2:00:00"), (-12, "−0:12")],
)
def test_times_are_written_as_people_say_them(seconds: int, written: str) -> None:
    assert written == lasting(timedelta(seconds=seconds))


def test_a_runbooks_paragraphs_and_code_become_html_and_nothing_else_does() -> None:
    text = "Look at `a <b>`\nfirst.\n\n<script>no</script>"

    assert prose(text) == (
        "<p>Look at <code>a &lt;b&gt;</code> first.</p>\n<p>&lt;script&gt;no&lt;/script&gt;</p>"
    )


def test_the_charts_script_comes_with_the_installed_package() -> None:
    assert plotly_js().is_file()
