"""What a Markdown text holds, with the lines it stands in."""

from __future__ import annotations

from collections import Counter

import pytest

from gameday.spec.contents import Code, Line, WrittenLink, contents_of, slug

TEXT = """\
---
title: A page
---
# The `disk` is *full*

See [the guide](guide.md#top), ![a picture](full.png)
and <https://example.org/a_(b)>, or https://example.org/x(y).
Also [by name][ref] and [a file](<file:///etc/passwd>).

[ref]: https://example.org/ref "Title"

- In an item: [empty]()
  ```sh
  df -h
  ```

<details id="more"><a href="inside.md">x</a>
<h3>In HTML</h3></details>

`[code](no-link.md)` and [generated]({{< ref "./other.md" >}})

```promql
up == 0
```
"""


def test_links_are_found_wherever_markdown_and_html_have_them() -> None:
    assert [
        WrittenLink("guide.md#top", 6),
        WrittenLink("full.png", 6),
        WrittenLink("https://example.org/a_(b)", 7),
        WrittenLink("https://example.org/x(y)", 7),
        WrittenLink("https://example.org/ref", 8),
        WrittenLink("file:///etc/passwd", 8),
        WrittenLink("", 12),
        WrittenLink("inside.md", 17),
        WrittenLink("./other.md", 20, by_generator=True),
    ] == list(contents_of(TEXT).links)


def test_code_has_its_language_and_the_line_it_begins_in() -> None:
    assert [Code("sh", "df -h\n", 14), Code("promql", "up == 0\n", 23)] == list(
        contents_of(TEXT).code
    )


def test_anchors_are_those_of_headings_and_of_html() -> None:
    assert {"the-disk-is-full", "more", "in-html"} == contents_of(TEXT).anchors


def test_words_of_a_line_are_without_code_and_comments() -> None:
    text = "One `two`\nthree <!-- four -->five\n\n    six\n"

    assert [Line("One", 1), Line("three five", 2)] == list(contents_of(text).lines)


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        # As github.com shows them.
        ("Example Queries for slow requests", "example-queries-for-slow-requests"),
        ("What's new? (v1.2)", "whats-new-v12"),
        ("A & B", "a--b"),
        ("snake_case – dash", "snake_case--dash"),
        ("Über uns", "über-uns"),
    ],
)
def test_a_heading_has_the_anchor_that_github_gives_it(heading: str, anchor: str) -> None:
    assert anchor == slug(heading)


def test_the_second_heading_of_a_name_is_numbered() -> None:
    taken: Counter[str] = Counter()

    assert ["fixes", "fixes-1", "fixes-2"] == [slug("Fixes", taken) for _ in range(3)]


def test_an_anchor_that_a_heading_gives_itself_is_one_as_well() -> None:
    assert {"the-disk-disk", "disk"} == contents_of("# The disk {#disk}\n").anchors


def test_a_link_within_a_paragraph_with_code_over_two_lines_has_its_own_line() -> None:
    text = "The `code\nspan` and [a link](x.md)\n"

    assert [WrittenLink("x.md", 2)] == list(contents_of(text).links)
