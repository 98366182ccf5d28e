"""The redirect delivers what rewriting reports: each tracked link leads to its destination."""

from __future__ import annotations

import re
from html import escape, unescape
from typing import Any

from hypothesis import given, note, settings
from hypothesis import strategies as st

from tests.redirect_harness import RedirectHarness, make_request
from tests.rewrite_harness import BASE, RewriteHarness
from waypost.urls import MAX_LOCATION_LENGTH

LINK = re.compile(re.escape(BASE) + r"/e/c/([^\"]+)\"")
PATH = st.one_of(
    st.text(max_size=60),
    st.integers(0, 6_000).map("a".__mul__),
    st.integers(0, 1_000).map("\u00e9".__mul__),
    st.binary(min_size=0, max_size=2_600).map(bytes.hex),  # hardly compresses: is stored
)
HREF = st.one_of(
    st.text(max_size=60),
    st.builds(
        "{}{}{}".format,
        st.sampled_from(
            [
                "https://e.com/",
                "http://ü.de/?a=",
                "HTTPS://E.com#",
                "mailto:a@b.c?",
                "myapp://x/",
                "javascript:",
                "//e.com/",
            ]
        ),
        PATH,
        st.sampled_from(["", "?_cio_id=1", "#top", "&a=1;b"]),
    ),
)
PARAMETERS: st.SearchStrategy[dict[str, str]] = st.one_of(
    st.just({}),
    st.dictionaries(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=8),
        st.text(max_size=40),
        max_size=4,
    ),
    st.integers(0, 5_200).map(lambda length: {"utm_source": "x" * length}),
    st.just({"utm_source": "{{ x }}", "utm_term": "fixed"}),
)
PERSON = st.one_of(
    st.none(), st.sampled_from(["p1", "a b&c=d", "é" * 255, "\U0001f600" * 250, "x" * 255])
)


@settings(max_examples=3 * settings().max_examples)
@given(
    hrefs=st.lists(HREF, min_size=1, max_size=3),
    parameters=PARAMETERS,
    person=PERSON,
    value=st.integers(0, 6_000).map("y".__mul__),
    cio_id=st.booleans(),
)
def test_every_tracked_link_is_delivered_with_the_reported_destination(
    hrefs: list[str], parameters: dict[str, str], person: str | None, value: str, cio_id: bool
):
    redirect = RedirectHarness()
    sending = RewriteHarness(sealer=redirect.sealer, short_links=redirect.short_links)
    sending.save_settings(
        url_params=parameters, cio_id=cio_id, schemes=("myapp",), track_opens=False
    )
    source = "".join(f'<a href="{escape(href)}">x</a>' for href in hrefs)
    recipient: dict[str, Any] = {"delivery": "d1", "person": person, "data": {"x": value}}
    response = sending.rewrite(content={"html": source}, recipients=[recipient])
    note(str(response))
    assert response["failed"] == []
    tracked = [link for link in response["links"] if link["tracked"]]
    tokens = LINK.findall(unescape(str(response["deliveries"][0]["content"]["html"])))
    assert len(tokens) == len(tracked)
    for token, link in zip(tokens, tracked, strict=True):
        location = redirect.redirect_service.handle_click(token, make_request()).location
        assert location == link["destination"]
        assert len(location) <= MAX_LOCATION_LENGTH
        assert location.isascii()
        assert link["round_trip"] is True
