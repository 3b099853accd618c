"""Where a request comes from, as far as its browser says."""

from __future__ import annotations

import pytest

from gameday.http.origin import is_from_elsewhere, is_from_own_page, is_taken_in

HOST = {"host": "here:8080"}


def sent(site: str, mode: str = "no-cors", dest: str = "image") -> dict[str, str]:
    return HOST | {"sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": dest}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "same-origin"}, False),
        ({"sec-fetch-site": "same-site"}, True),
        ({"sec-fetch-site": "cross-site"}, True),
        # The browser names no site: then it is the origin that counts.
        ({"origin": "http://here:8080"}, False),
        ({"origin": "https://here:8080"}, False),
        ({"origin": "http://here:8081"}, True),
        ({"origin": "http://evil.example"}, True),
        ({"origin": "null"}, True),
        ({"origin": "http://[broken"}, True),
    ],
)
def test_a_form_is_from_elsewhere_where_its_site_or_else_its_origin_is_another(
    headers: dict[str, str], expected: bool
) -> None:
    assert expected == is_from_elsewhere(HOST | headers)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize(
    ("mode", "dest", "expected"),
    [
        ("no-cors", "image", True),
        ("no-cors", "script", True),
        ("cors", "empty", True),
        ("websocket", "websocket", True),
        ("navigate", "iframe", True),
        ("navigate", "embed", True),
        ("navigate", "document", False),
    ],
)
def test_a_page_of_another_site_takes_in_all_that_it_does_not_go_to(
    site: str, mode: str, dest: str, expected: bool
) -> None:
    assert expected == is_taken_in(sent(site, mode, dest))
    assert not is_taken_in(sent("same-origin", mode, dest))
    assert not is_taken_in(HOST)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "same-site", "referer": "http://here:8080/x"}, False),
        ({"referer": "http://here:8080/console/"}, True),
        ({"referer": "http://here:8081/console/"}, False),
        ({"referer": "http://[broken"}, False),
        # A page can have its browser say nothing.
        ({}, False),
    ],
)
def test_only_what_says_that_our_own_page_led_here_is_certain(
    headers: dict[str, str], expected: bool
) -> None:
    assert expected == is_from_own_page(HOST | headers)
