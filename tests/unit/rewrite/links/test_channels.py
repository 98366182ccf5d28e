"""Which texts of a message are searched for links, and how they are written back."""

from __future__ import annotations

import json

import pytest

from tests.unit.rewrite.conftest import MessageHarness, decode_links
from waypost.errors import InvalidRequest

TAG = "{% cio_link url:https://e.com/?a=1&b=2 %}"
OFF = ["push", "in_app", "webhook", "slack"]


def test_sms_links_are_tracked_by_themselves(desk: MessageHarness):
    sent = desk.rewrite_content("text", f"See https://e.com/a. Or {TAG}!", channel="sms")
    assert decode_links(sent) == "See [https://e.com/a]. Or [https://e.com/?a=1&b=2]!"


@pytest.mark.parametrize("channel", OFF)
def test_other_channels_track_through_the_tag_alone(desk: MessageHarness, channel):
    source = f"https://e.com/a {TAG}"
    assert decode_links(desk.rewrite_content("text", source, channel=channel)) == (
        "https://e.com/a [https://e.com/?a=1&b=2]"
    )


@pytest.mark.parametrize("channel", OFF)
def test_html_of_other_channels_tracks_through_the_tag_alone(desk: MessageHarness, channel):
    source = f'<a href="https://e.com/a">{TAG}</a>'
    assert decode_links(desk.rewrite_content("html", source, channel=channel)) == (
        '<a href="https://e.com/a">[https://e.com/?a=1&b=2]</a>'
    )


@pytest.mark.parametrize(
    "content",
    [{"html": TAG}, {"html": TAG, "text": TAG}, {"variables": {"1": TAG}}, {"body": TAG}],
)
def test_an_sms_with_anything_but_its_text_is_refused(desk: MessageHarness, content):
    """Its links would stay untracked without a word."""
    with pytest.raises(InvalidRequest, match="sms accepts text only"):
        desk.rewrite(channel="sms", content=content)


def test_whatsapp_links_are_tracked_in_variables(desk: MessageHarness):
    source = {"1": f"Hi {TAG}", "2": "https://e.com/a", "list": [TAG, {"n": 7, "deep": TAG}]}
    sent = desk.rewrite_content("variables", source, channel="whatsapp")
    assert decode_links(json.dumps(sent)) == json.dumps(source).replace(
        TAG, "[https://e.com/?a=1&b=2]"
    )


def test_a_whatsapp_message_without_variables_is_refused(desk: MessageHarness):
    with pytest.raises(InvalidRequest, match="whatsapp accepts variables only"):
        desk.rewrite(channel="whatsapp", content={"text": TAG})


def test_the_text_part_of_an_email_is_searched_when_asked(desk: MessageHarness):
    content = {"html": "<p>", "text": f"https://e.com/a {TAG}"}
    for asked, expected in (
        (False, "https://e.com/a [https://e.com/?a=1&b=2]"),
        (True, "[https://e.com/a] [https://e.com/?a=1&b=2]"),
    ):
        answer = desk.rewrite(content=content, track_text=asked)
        assert decode_links(str(answer["deliveries"][0]["content"]["text"])) == expected


def test_what_the_html_part_says_of_a_url_holds_in_the_text_part(desk: MessageHarness):
    desk.save_settings(url_params={"u": "1"})
    answer = desk.rewrite(
        content={
            "html": '<a class="untracked" href="https://e.com/a?x=1&amp;y=2">'
            '<a class="disable-url-params" data-cio-tag="T" href="https://e.com/b">',
            "text": "https://e.com/a?x=1&y=2 https://e.com/b https://e.com/c",
        },
        track_text=True,
    )
    assert decode_links(str(answer["deliveries"][0]["content"]["text"])) == (
        "https://e.com/a?x=1&y=2&u=1 [https://e.com/b] [https://e.com/c?u=1]"
    )
    assert answer["links"][1]["link"] == answer["links"][3]["link"]


def test_a_tag_in_a_json_body_leaves_valid_json(desk: MessageHarness):
    desk.save_settings(url_params={"u": 'a"b'})
    body = (
        '{"text": "go {% cio_link url:\\"https:\\/\\/e.com\\/?a=1\\" %}", '
        '"raw": "{% cio_link url:https://e.com/\\u0026x track:false %}", "é": "\\u00e9"}'
    )
    sent = desk.rewrite_content("body", body, channel="slack")
    assert sent.startswith('{"text": "go https://')
    assert sent.endswith('"é": "\\u00e9"}')
    values = json.loads(decode_links(sent, lambda href: href.replace('"', '\\"')))
    assert values["text"] == "go https://e.com/?a=1&u=a%22b"
    assert values["raw"] == "https://e.com/&x?u=a%22b"


def test_a_body_may_be_plain_text_or_an_object(desk: MessageHarness):
    assert decode_links(desk.rewrite_content("body", f"a=1&url={TAG}", channel="webhook")) == (
        "a=1&url=[https://e.com/?a=1&b=2]"
    )
    sent = desk.rewrite_content(
        "body", {"blocks": [{"text": TAG, "n": 1, "ok": True, "no": None}]}, channel="slack"
    )
    assert decode_links(json.dumps(sent)) == json.dumps(
        {"blocks": [{"text": "[https://e.com/?a=1&b=2]", "n": 1, "ok": True, "no": None}]}
    )


@pytest.mark.parametrize("channel", ["sms", "push"])
def test_only_an_email_can_be_mime(desk: MessageHarness, channel):
    with pytest.raises(InvalidRequest, match="is for email only"):
        desk.rewrite(channel=channel, content={"mime": "Subject: x\n\nhi"})
