"""Texts of a message that are searched for links, by channel."""

from __future__ import annotations

import json

import pytest

from tests.message_harness import MessageHarness, decode_links
from waypost.errors import InvalidRequest
from waypost.rewrite.links.channels import extract_texts
from waypost.rewrite.links.extractor import TEXT_TAGS

TAG = "{% cio_link url:https://e.com/?a=1&b=2 %}"
TAG_ONLY_CHANNELS = ["push", "in_app", "webhook", "slack"]


def test_sms_tracks_all_links(messages: MessageHarness):
    sent = messages.rewrite_content("text", f"See https://e.com/a. Or {TAG}!", channel="sms")
    assert decode_links(sent) == "See [https://e.com/a]. Or [https://e.com/?a=1&b=2]!"


@pytest.mark.parametrize("channel", TAG_ONLY_CHANNELS)
def test_text_of_other_channels_tracks_only_cio_link(messages: MessageHarness, channel):
    source = f"https://e.com/a {TAG}"
    assert decode_links(messages.rewrite_content("text", source, channel=channel)) == (
        "https://e.com/a [https://e.com/?a=1&b=2]"
    )


@pytest.mark.parametrize("channel", TAG_ONLY_CHANNELS)
def test_html_of_other_channels_tracks_only_cio_link(messages: MessageHarness, channel):
    source = f'<a href="https://e.com/a">{TAG}</a>'
    assert decode_links(messages.rewrite_content("html", source, channel=channel)) == (
        '<a href="https://e.com/a">[https://e.com/?a=1&b=2]</a>'
    )


@pytest.mark.parametrize(
    "content",
    [{"html": TAG}, {"html": TAG, "text": TAG}, {"variables": {"1": TAG}}, {"body": TAG}],
)
def test_sms_refuses_content_other_than_text(messages: MessageHarness, content):
    """Links in other content would silently stay untracked."""
    with pytest.raises(InvalidRequest, match="sms accepts text only"):
        messages.rewrite(channel="sms", content=content)


def test_whatsapp_tracks_cio_link_in_variables(messages: MessageHarness):
    source = {"1": f"Hi {TAG}", "2": "https://e.com/a", "list": [TAG, {"n": 7, "deep": TAG}]}
    sent = messages.rewrite_content("variables", source, channel="whatsapp")
    assert decode_links(json.dumps(sent)) == json.dumps(source).replace(
        TAG, "[https://e.com/?a=1&b=2]"
    )


def test_whatsapp_refuses_content_other_than_variables(messages: MessageHarness):
    with pytest.raises(InvalidRequest, match="whatsapp accepts variables only"):
        messages.rewrite(channel="whatsapp", content={"text": TAG})


def test_text_part_of_an_email_is_tracked_only_on_request(messages: MessageHarness):
    content = {"html": "<p>", "text": f"https://e.com/a {TAG}"}
    for track_text, expected in (
        (False, "https://e.com/a [https://e.com/?a=1&b=2]"),
        (True, "[https://e.com/a] [https://e.com/?a=1&b=2]"),
    ):
        response = messages.rewrite(content=content, track_text=track_text)
        assert decode_links(str(response["deliveries"][0]["content"]["text"])) == expected


def test_link_options_of_the_html_part_apply_to_the_text_part(messages: MessageHarness):
    messages.save_settings(url_params={"u": "1"})
    response = messages.rewrite(
        content={
            "html": '<a class="untracked" href="https://e.com/a?x=1&amp;y=2">'
            '<a class="disable-url-params" data-cio-tag="T" href="https://e.com/b">',
            "text": "https://e.com/a?x=1&y=2 https://e.com/b https://e.com/c",
        },
        track_text=True,
    )
    assert decode_links(str(response["deliveries"][0]["content"]["text"])) == (
        "https://e.com/a?x=1&y=2&u=1 [https://e.com/b] [https://e.com/c?u=1]"
    )
    assert response["links"][1]["link"] == response["links"][3]["link"]


def test_json_body_stays_valid_when_cio_link_is_rewritten(messages: MessageHarness):
    messages.save_settings(url_params={"u": 'a"b'})
    body = (
        '{"text": "go {% cio_link url:\\"https:\\/\\/e.com\\/?a=1\\" %}", '
        '"raw": "{% cio_link url:https://e.com/\\u0026x track:false %}", "é": "\\u00e9"}'
    )
    sent = messages.rewrite_content("body", body, channel="slack")
    assert sent.startswith('{"text": "go https://')
    assert sent.endswith('"é": "\\u00e9"}')
    values = json.loads(decode_links(sent, lambda href: href.replace('"', '\\"')))
    assert values["text"] == "go https://e.com/?a=1&u=a%22b"
    assert values["raw"] == "https://e.com/&x?u=a%22b"


def test_body_is_plain_text_or_a_json_object(messages: MessageHarness):
    assert decode_links(messages.rewrite_content("body", f"a=1&url={TAG}", channel="webhook")) == (
        "a=1&url=[https://e.com/?a=1&b=2]"
    )
    sent = messages.rewrite_content(
        "body", {"blocks": [{"text": TAG, "n": 1, "ok": True, "no": None}]}, channel="slack"
    )
    assert decode_links(json.dumps(sent)) == json.dumps(
        {"blocks": [{"text": "[https://e.com/?a=1&b=2]", "n": 1, "ok": True, "no": None}]}
    )


@pytest.mark.parametrize("channel", ["sms", "push"])
def test_mime_content_is_refused_outside_email(messages: MessageHarness, channel):
    with pytest.raises(InvalidRequest, match="is for email only"):
        messages.rewrite(channel=channel, content={"mime": "Subject: x\n\nhi"})


@pytest.mark.parametrize("body", ["{{{", "{{["])
def test_unclosed_output_does_not_start_a_json_body(body):
    """Python 3.11.2 matches possessive quantifiers incorrectly; no pattern may use them."""
    (text,) = extract_texts("webhook", {"body": body})
    assert text.markup is TEXT_TAGS
