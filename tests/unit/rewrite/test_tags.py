"""Tags in rendered content: left and reported if unreadable, ignored if the request says so."""

from __future__ import annotations

import json
from base64 import b64encode
from email.message import EmailMessage
from typing import Any

import pytest

from tests.message_harness import MessageHarness, decode_links
from waypost.errors import InvalidRequest
from waypost.rewrite.service import RewriteResponse

TAG = "{% cio_link url:https://evil.example %}"
FORMS = [
    pytest.param("email", "html", f"<p>Hi {TAG}</p>", id="HTML of an e-mail"),
    pytest.param("email", "text", f"Hi {TAG}", id="text of an e-mail"),
    pytest.param("sms", "text", f"Hi {TAG}", id="SMS"),
    pytest.param("whatsapp", "variables", {"1": "Ada", "2": [TAG]}, id="variables"),
    pytest.param("push", "body", {"title": TAG, "n": 1}, id="body as an object"),
    pytest.param("webhook", "body", json.dumps({"title": TAG}), id="body as JSON"),
    pytest.param("slack", "body", f"title={TAG}", id="body as plain text"),
    pytest.param("in_app", "html", f'<a href="{TAG}">x</a>', id="HTML of an app"),
]


def build_mime(html: str, encoding: str) -> str:
    body = b64encode(html.encode()).decode() if encoding == "base64" else html
    return (
        f"Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: {encoding}\n\n{body}\n"
    )


def rewrite_form(
    messages: MessageHarness, channel: str, form: str, source: Any, **options: Any
) -> RewriteResponse:
    return messages.rewrite(channel=channel, content={form: source}, **options)


@pytest.mark.parametrize(("channel", "form", "source"), FORMS)
def test_tag_is_interpreted_by_default(
    messages: MessageHarness, channel: str, form: str, source: Any
):
    response = rewrite_form(messages, channel, form, source)
    assert "https://e.example.com/e/c/" in json.dumps(response["deliveries"])


@pytest.mark.parametrize(("channel", "form", "source"), FORMS)
def test_content_with_tags_switched_off_stays_unchanged_and_is_reported(
    messages: MessageHarness, channel: str, form: str, source: Any
):
    response = rewrite_form(messages, channel, form, source, tags=False)
    assert response["deliveries"][0]["content"][form] == source
    assert not [link for link in response["links"] if link["tracked"]]
    (warning,) = response["warnings"]
    assert warning.startswith(f"content.{form}")
    assert warning.endswith(" has cio_link tags that stay as they are (1): tags is false")


@pytest.mark.parametrize("encoding", ["7bit", "base64", "quoted-printable"])
def test_tags_of_mime_parts_can_be_switched_off(messages: MessageHarness, encoding: str):
    raw = build_mime(f"<p>Hi {TAG}</p>", encoding)
    response = messages.rewrite(content={"mime": raw}, tags=False)
    assert response["deliveries"][0]["content"]["mime"] == raw
    assert response["links"] == []
    assert response["warnings"] == [
        "content.mime (text/html) has cio_link tags that stay as they are (1): tags is false"
    ]


def test_other_links_are_tracked_with_tags_switched_off(messages: MessageHarness):
    source = (
        f'<a href="https://e.com/">a</a>{TAG}<a href="{TAG}">b</a><a href="https://f.com/">c</a>'
    )
    response = messages.rewrite(content={"html": source}, tags=False)
    assert decode_links(str(response["deliveries"][0]["content"]["html"])) == (
        f'<a href="[https://e.com/]">a</a>{TAG}<a href="{TAG}">b</a><a href="[https://f.com/]">c</a>'
    )
    assert [link["reason"] for link in response["links"]] == [
        None,
        "holds Liquid that was not rendered",
        None,
    ]


def test_content_without_tags_gets_no_warning(messages: MessageHarness):
    content = {"html": "<p>{{ cio_link }} {% cio_links %}</p>", "text": "cio_link"}
    assert messages.rewrite(content=content, tags=False)["warnings"] == []


@pytest.mark.parametrize("tags", ["false", 0, None])
def test_tags_option_is_a_boolean(messages: MessageHarness, tags: object):
    with pytest.raises(InvalidRequest, match="tags: is neither true nor false"):
        messages.rewrite(content={"html": "x"}, tags=tags)


UNREADABLE = [
    ("{% cio_link track:true %}", "cio_link track:true: no url; add url:https://…"),
    ("{% cio_link url:https://e.com }", "cio_link url:https://e.com }</p>: no end; add %}"),
    ("{%- cio_link url:https://e.com", "cio_link url:https://e.com</p>: no end; add %}"),
    (
        "{% cio_link url:{% if a %}https://e.com{% endif %} %}",
        "cio_link url:{% if a %}https://e.com{% endif %} %}</p>: no end; add %}",
    ),
    (
        "{% cio_link url:https://e.com track:x %}",
        "cio_link: track is not true or false ('x')",
    ),
    (
        "{% cio_link https://e.com %}",
        "cio_link https://e.com: unknown argument ('https'); use url, track or url_params",
    ),
    (
        '{% cio_link url:"https://e.com" "x" %}',
        'cio_link url:"https://e.com" "x": arguments not of the form name:value',
    ),
]


@pytest.mark.parametrize(("tag", "reason"), UNREADABLE)
def test_unreadable_tag_in_rendered_content_stays_and_is_reported(
    messages: MessageHarness, tag: str, reason: str
):
    source = f"<p>\n{tag}</p>\n{{% cio_link url:https://f.com %}}"
    response = messages.rewrite(content={"html": source})
    assert decode_links(str(response["deliveries"][0]["content"]["html"])) == (
        f"<p>\n{tag}</p>\n[https://f.com]"
    )
    (warning,) = response["warnings"]
    start = "content.html has cio_link tags that stay as they are (1): line 2: "
    assert warning.removeprefix(start).startswith(reason)


@pytest.mark.parametrize(("channel", "form", "source"), FORMS)
def test_unreadable_tag_stays_in_every_form_of_content(
    messages: MessageHarness, channel: str, form: str, source: Any
):
    unreadable = json.loads(json.dumps(source).replace("url:", "link:"))
    response = rewrite_form(messages, channel, form, unreadable)
    assert response["deliveries"][0]["content"][form] == unreadable
    assert "unknown argument ('link')" in response["warnings"][0]


def test_unreadable_tag_of_a_mime_part_is_reported_with_the_line_of_the_part(
    messages: MessageHarness,
):
    letter = EmailMessage()
    letter.set_content("See\n\n{% cio_link %}")
    letter.add_alternative("<p>Hello", subtype="html")
    response = messages.rewrite(content={"mime": letter.as_string()}, track=False)
    assert response["deliveries"][0]["content"]["mime"] == letter.as_string()
    (warning,) = response["warnings"]
    assert warning == (
        "content.mime (text/plain) has cio_link tags that stay as they are (1): "
        "line 3: cio_link: no url; add url:https://…"
    )


def test_tags_of_one_text_get_one_warning_with_the_first_reason(messages: MessageHarness):
    source = "{% cio_link url:https://e.com %}\n{% cio_link url: %}\n{% cio_link track:x"
    (warning,) = messages.rewrite(channel="push", content={"text": source})["warnings"]
    assert warning == (
        "content.text has cio_link tags that stay as they are (2): "
        "line 2: cio_link url:: no url; add url:https://…"
    )


def test_number_of_warnings_about_tags_is_limited(messages: MessageHarness):
    body = {"list": ["{% cio_link %}" * 3] * 300}
    response = messages.rewrite(channel="push", content={"body": body})
    assert len(response["warnings"]) == 101
    assert response["warnings"][0].startswith("content.body.list[0] has cio_link tags")
    assert response["warnings"][-1] == (
        "content has more texts with cio_link tags that stay as they are (200)"
    )
    assert response["deliveries"][0]["content"]["body"] == body


@pytest.mark.parametrize(("tag", "reason"), UNREADABLE[:1] + UNREADABLE[5:6])
def test_unreadable_tag_of_a_template_refuses_the_message_and_names_its_line(
    messages: MessageHarness, tag: str, reason: str
):
    with pytest.raises(InvalidRequest) as caught:
        messages.rewrite(content={"html": f"<p>\n\n{tag}</p>"}, liquid=True)
    (problem,) = caught.value.problems
    assert (problem.field, problem.reason) == ("content.html", f"{reason} (line 3)")


def test_template_with_a_tag_is_refused_if_tags_are_switched_off(messages: MessageHarness):
    with pytest.raises(InvalidRequest) as caught:
        messages.rewrite(content={"html": f"<p>\n{TAG}</p>"}, liquid=True, tags=False)
    (problem,) = caught.value.problems
    assert problem.field == "content.html"
    assert problem.reason == "cio_link: tags is false; remove the tag, or set tags to true (line 2)"


def test_template_without_tags_is_rendered_with_tags_switched_off(messages: MessageHarness):
    data = {"name": TAG}
    response = messages.rewrite(
        content={"html": '<a href="https://e.com/">{{ name }}</a>'},
        liquid=True,
        tags=False,
        recipients=[{"delivery": "d1", "data": data}],
    )
    assert decode_links(str(response["deliveries"][0]["content"]["html"])) == (
        f'<a href="[https://e.com/]">{TAG}</a>'
    )


TEMPLATES = [
    ("email", {"html": "<p>{{ x }}</p>"}),
    ("email", {"html": '<a href="{{ x }}">{{ x }}</a>'}),
    ("email", {"html": "<a href={{ x }}>{% if x %}{{ x }}{% endif %}</a>"}),
    ("email", {"html": "{% capture y %}{{ x }}{% endcapture %}{{ y }}{{ y | append: x }}"}),
    ("email", {"html": "{% assign y = x %}{% for a in (1..2) %}{{ y }}{% endfor %}"}),
    ("email", {"text": "{{ x }}"}),
    ("sms", {"text": "{{ x }} {{ x }}"}),
    ("whatsapp", {"variables": {"1": "{{ x }}"}}),
    ("push", {"body": {"title": "{{ x }}"}}),
    ("webhook", {"body": '{"title": "{{ x }}"}'}),
]


@pytest.mark.parametrize("value", [TAG, f"{{% raw %}}{TAG}", f"{{{{ x }}}}{TAG}"])
@pytest.mark.parametrize(("channel", "content"), TEMPLATES)
def test_tag_in_recipient_data_is_never_interpreted(
    messages: MessageHarness, channel: str, content: dict[str, Any], value: str
):
    response = messages.rewrite(
        channel=channel,
        content=content,
        liquid=True,
        recipients=[{"delivery": "d1", "data": {"x": value}}],
    )
    (delivery,) = response["deliveries"]
    assert value in json.dumps(delivery["content"])
    assert not [link for link in response["links"] if link["tracked"]]


def test_data_cannot_complete_a_tag_of_rendered_template_text(messages: MessageHarness):
    """The template writes the start of a tag as text, and the data the rest of it."""
    response = messages.rewrite(
        content={"html": "{{ '{%' }} cio_link {{ x }}"},
        liquid=True,
        recipients=[{"delivery": "d1", "data": {"x": "url:https://evil.example %}"}}],
    )
    assert response["deliveries"][0]["content"]["html"] == TAG
    assert response["links"] == []


def test_tag_in_a_url_parameter_is_not_interpreted(messages: MessageHarness):
    messages.save_settings(url_params={"name": "{{ x }}"})
    response = messages.rewrite(
        content={"html": '<a href="https://e.com/">a</a>'},
        recipients=[{"delivery": "d1", "data": {"x": TAG}}],
    )
    assert [link["url"] for link in response["links"]] == ["https://e.com/"]
    assert "evil.example" not in str(response["deliveries"][0]["content"]["html"])


@pytest.mark.parametrize("liquid", [False, True])
def test_tag_with_half_of_a_surrogate_pair_cannot_be_read(messages: MessageHarness, liquid: bool):
    """JSON can contain it as an escape, but no URL can."""
    body = '{"a": "{% cio_link url:https://e.com/\\ud800 %}"}'
    reason = "half of a surrogate pair in the url"
    if liquid:
        with pytest.raises(InvalidRequest, match=reason) as raised:
            messages.rewrite(channel="push", content={"body": body}, liquid=True)
        str(raised.value).encode()
        return
    answer = messages.rewrite(channel="push", content={"body": body})
    assert answer["deliveries"][0]["content"] == {"body": body}
    assert any(reason in warning for warning in answer["warnings"])
    "".join(answer["warnings"]).encode()
