"""No link arises from tags in users' data: escaped, or with tags switched off."""

from __future__ import annotations

import json
from email.message import EmailMessage
from html import escape
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rewrite_harness import RewriteHarness
from waypost.client import escape_tags
from waypost.rewrite.service import RewriteResponse

LINK_PREFIX = "https://e.example.com/e/c/"
AUTHOR_TEXT = st.sampled_from(
    [
        *("", "Dear ", "{", "{{", "}", '"', "<", "<b>", "\n", "- ", "&#123;", "&#37;"),
        *(" cio_link url:https://evil.example", " cio_link url:https://evil.example %}", "%}"),
    ]
)
VALUE = st.one_of(
    st.text(),
    st.sampled_from(["{", "{%", "% cio_link url:https://evil.example %}"]),
    st.lists(
        st.sampled_from(
            [
                *("{", "%", "{%", "%}", "-", " ", "\n", "'", '"', "{{", "}}", "\u200c"),
                *("cio_link", " url:https://evil.example", " track:true", "&#37;", "&#123;"),
                *(
                    "\\u007b",
                    "%7B",
                    "=7B",
                    "+AHs-",
                    "<a href=x>",
                    "{% cio_link url:mailto:a@b.c %}",
                ),
            ]
        )
    ).map("".join),
)
"""Pieces of tags, plain and in the encodings of HTML, JSON, URLs and MIME."""
FORMS = [
    ("push", "body", lambda text: {"title": text, "list": [text]}),
    ("webhook", "body", lambda text: json.dumps({"title": text})),
    ("slack", "body", lambda text: "title=" + text),
    ("whatsapp", "variables", lambda text: {"1": text}),
    ("in_app", "html", lambda text: f"<p>{text}</p>"),
    ("email", "text", lambda text: text),
]


def build_mime(text: str, encoding: str) -> str:
    letter = EmailMessage()
    text = text.encode(errors="replace").decode()
    letter.set_content(text, cte=encoding)
    letter.add_alternative(f"<p>{text}</p>", subtype="html", cte=encoding)
    return letter.as_string()


def rewrite(channel: str, form: str, content: Any, **options: Any) -> RewriteResponse:
    harness = RewriteHarness()
    harness.save_settings(track_opens=False)
    return harness.rewrite(channel=channel, content={form: content}, **options)


def assert_unchanged(response: RewriteResponse, form: str, content: Any) -> None:
    assert response["deliveries"][0]["content"][form] == content
    assert LINK_PREFIX not in json.dumps(response["deliveries"])


@st.composite
def messages_with_escaped_values(draw: st.DrawFn) -> str:
    """Text of an author around the escaped values of users, encoded before or after."""
    encode = draw(
        st.sampled_from(
            [
                escape_tags,
                lambda value: escape(escape_tags(value)),
                lambda value: escape_tags(escape(value)),
                lambda value: escape_tags(value).replace("\n", "<br>"),
            ]
        )
    )
    pieces = [draw(AUTHOR_TEXT)]
    for value in draw(st.lists(VALUE, min_size=1, max_size=4)):
        pieces += encode(value), draw(AUTHOR_TEXT)
    return "".join(pieces)


@pytest.mark.parametrize(("channel", "form", "build"), FORMS)
@given(text=messages_with_escaped_values())
def test_no_link_arises_from_an_escaped_value(channel: str, form: str, build: Any, text: str):
    content = build(text)
    response = rewrite(channel, form, content)
    assert_unchanged(response, form, content)
    assert response["warnings"] == []


@pytest.mark.parametrize("encoding", ["quoted-printable", "base64", "8bit"])
@given(text=messages_with_escaped_values())
def test_no_link_arises_from_an_escaped_value_in_a_mime_part(encoding: str, text: str):
    raw = build_mime(text, encoding)
    response = rewrite("email", "mime", raw)
    assert_unchanged(response, "mime", raw)
    assert not [each for each in response["warnings"] if "cio_link" in each]


@given(text=messages_with_escaped_values())
def test_escaped_value_in_an_href_is_never_read_as_a_tag(text: str):
    content = f'<a href="https://a.example/?q={text}">a</a><a href="{text}">b</a>'
    assert rewrite("email", "html", content) == rewrite("email", "html", content, tags=False)


@pytest.mark.parametrize(("channel", "form", "build"), FORMS)
@given(text=VALUE)
def test_no_link_arises_from_content_with_tags_switched_off(
    channel: str, form: str, build: Any, text: str
):
    content = build(text)
    assert_unchanged(rewrite(channel, form, content, tags=False), form, content)


@given(text=VALUE, encoding=st.sampled_from(["quoted-printable", "base64", "8bit"]))
def test_no_link_arises_from_a_mime_part_with_tags_switched_off(text: str, encoding: str):
    raw = build_mime(text, encoding)
    assert_unchanged(rewrite("email", "mime", raw, tags=False), "mime", raw)


@given(text=st.lists(st.one_of(VALUE, st.just("https://a.example/x ")), max_size=5).map("".join))
def test_text_message_with_tags_switched_off_has_the_links_of_one_without_tags(text: str):
    """An SMS tracks every URL: a tag adds none, and hides none."""
    renamed = text.replace("cio_link", "xio_link")
    with_tags, without = (
        rewrite("sms", "text", each, tags=tags, url_params=False)["links"]
        for each, tags in ((text, False), (renamed, True))
    )
    assert [link["url"].replace("cio_link", "xio_link") for link in with_tags] == [
        link["url"] for link in without
    ]
    assert [link["reason"] for link in with_tags] == [link["reason"] for link in without]
