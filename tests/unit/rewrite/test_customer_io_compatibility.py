"""Test the behaviours of Customer.io's link tracking that its customers rely on.

Each row is a message, what its workspace settled, and what becomes of its links: where they lead
and whether they are tracked, or are left to the byte. What differs on purpose is at the end.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.rewrite_harness import SHORT_LINK, RewriteHarness, list_texts
from waypost.errors import InvalidRequest
from waypost.models.workspace import ShortLinkChannels

ID = "_cio_id=p0"
UTM = {"utm_source": "news letter", "utm_campaign": "{{ campaign.name }}"}
QUERY = "utm_source=news+letter&utm_campaign=sale"


def html(text: str, **more: Any) -> dict[str, Any]:
    return {"content": {"html": text}, **more}


def tag(arguments: str) -> str:
    return "{% cio_link " + arguments + " %}"


def outcomes(harness: RewriteHarness, body: dict[str, Any]) -> list[tuple[bool, str | None]]:
    answer = harness.rewrite(**body)
    assert all(link["round_trip"] is not False for link in answer["links"])
    return [(link["tracked"], link["destination"]) for link in answer["links"]]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(
            html('<a href="https://a.com/x">x</a>'),
            [(True, f"https://a.com/x?{ID}&{QUERY}")],
            id="links of e-mails are tracked, the person's id first, spaces as plus",
        ),
        pytest.param(
            html('<a href="http://www.mydomain.com/page" class="untracked">'),
            [(False, f"http://www.mydomain.com/page?{QUERY}")],
            id="untracked",
        ),
        pytest.param(
            html('<a href="https://a.com/x" class="disable-url-params">'),
            [(True, "https://a.com/x")],
            id="disable-url-params",
        ),
        pytest.param(
            html('<a class="button disable-url-params untracked" href="https://a.com/x">'),
            [(False, None)],
            id="both classes, with a space between them, among others",
        ),
        pytest.param(
            html('<a href="www.a.com/x">x</a><a href="/x">y</a>'),
            [(False, None), (False, None)],
            id="links must have a protocol",
        ),
        pytest.param(
            html('<a href="mailto:a@a.com">m</a><a href="tel:+4930123">t</a><a href="sms:1">s</a>'),
            [(False, None)] * 3,
            id="mailto, tel and sms are left and get no parameters",
        ),
        pytest.param(
            html(f'<a href="{tag("url:mailto:a@a.com")}">m</a>'),
            [(True, "mailto:a@a.com")],
            id="cio_link is the way to track mailto",
        ),
        pytest.param(
            html(tag("url:tel:+4930123 url_params:true")),
            [(True, "tel:+4930123")],
            id="no parameters on telephone numbers, even if asked for",
        ),
        pytest.param(
            html(tag("url:http://a.com track: true url_params: false")),
            [(True, "http://a.com")],
            id="flags with a space after the colon",
        ),
        pytest.param(
            html(tag("url:https://a.com track:false")),
            [(False, f"https://a.com?{QUERY}")],
            id="track false",
        ),
        pytest.param(
            html(tag("url:https://a.com track:false url_params:false")),
            [(False, None)],
            id="both flags false",
        ),
        pytest.param(
            html('<img src="https://a.com/i"><link href="https://a.com/s" rel="stylesheet">'),
            [],
            id="images and style sheets are no links",
        ),
        pytest.param(
            html('<a href="https://a.com/?utm_source=mine&x=1#part">'),
            [(True, f"https://a.com/?utm_source=mine&x=1&{ID}&utm_campaign=sale#part")],
            id="a parameter that the link has wins; before the fragment",
        ),
        pytest.param(
            html('<a href="https://a.com/?code=SAVE10%2B5&x=a+b">'),
            [(True, f"https://a.com/?code=SAVE10%2B5&x=a+b&{ID}&{QUERY}")],
            id="a discount code stays as it is",
        ),
        pytest.param(
            html('<a href="https://a.com/x">x</a>', url_params=False),
            [(True, "https://a.com/x")],
            id="a message without parameters",
        ),
        pytest.param(
            {"channel": "sms", "content": {"text": "Go to https://a.com/x."}},
            [(True, f"https://a.com/x?{ID}&{QUERY}")],
            id="SMS is on by default",
        ),
        pytest.param(
            {
                "channel": "whatsapp",
                "content": {"variables": {"1": tag("url:https://a.com/x"), "2": "https://a.com/y"}},
            },
            [(True, f"https://a.com/x?{ID}&{QUERY}")],
            id="WhatsApp in variables, through cio_link",
        ),
        pytest.param(
            {"channel": "push", "content": {"body": {"link": "https://a.com/x"}}},
            [],
            id="push is off by default",
        ),
        pytest.param(
            {"channel": "in_app", "content": {"html": '<a href="https://a.com/x">'}},
            [],
            id="in-app is off by default",
        ),
        pytest.param(
            {"channel": "webhook", "content": {"body": f'{{"u": "{tag("url:https://a.com")}"}}'}},
            [(True, f"https://a.com?{ID}&{QUERY}")],
            id="webhooks through cio_link",
        ),
        pytest.param(
            {"channel": "slack", "content": {"body": {"text": tag("url:https://a.com")}}},
            [(True, f"https://a.com?{ID}&{QUERY}")],
            id="Slack through cio_link",
        ),
    ],
)  # fmt: skip
def test_links(
    harness: RewriteHarness, body: dict[str, Any], expected: list[tuple[bool, str | None]]
):
    harness.save_settings(url_params=UTM, cio_id=True)
    assert outcomes(harness, body) == expected


@pytest.mark.parametrize("kind", ["campaign", "broadcast", "newsletter", "transactional"])
def test_message_without_tracking_has_no_clicks_opens_or_parameters(
    harness: RewriteHarness, kind: str
):
    harness.save_settings(url_params=UTM, cio_id=True, track_opens=True)
    source = '<body><a href="https://a.com/x">x</a>{% cio_link url:https://a.com %}</body>'
    answer = harness.rewrite(content={"html": source}, track=False, kind=kind)
    assert list_texts(answer, "html") == [
        '<body><a href="https://a.com/x">x</a>https://a.com</body>'
    ]


def test_workspace_without_open_tracking_overrides_the_message(
    harness: RewriteHarness,
):
    harness.save_settings(track_opens=False)
    answer = harness.rewrite(content={"html": "<body>x</body>"}, track_opens=True)
    assert list_texts(answer, "html") == ["<body>x</body>"]


def test_the_pixel_stands_just_before_the_end_of_the_body(harness: RewriteHarness):
    (text,) = list_texts(harness.rewrite(content={"html": "<body><p>x</p></body>"}), "html")
    assert text.startswith("<body><p>x</p><img ")
    assert text.endswith("></body>")


def test_untracked_class_stays_in_the_message(harness: RewriteHarness):
    source = '<a class="untracked" href="https://a.com">x</a>'
    assert source in list_texts(harness.rewrite(content={"html": source}), "html")[0]


def test_url_from_trigger_data_is_one_link_for_all_recipients(harness: RewriteHarness):
    recipients = [
        {"delivery": f"d{n}", "data": {"trigger": {"custom_url": f"https://a.com/{n}"}}}
        for n in range(3)
    ]
    content = {"html": '<a href="{{trigger.custom_url}}">x</a>'}
    answer = harness.rewrite(content=content, liquid=True, recipients=recipients)
    (link,) = answer["links"]
    assert link["url"] == "{{trigger.custom_url}}"


def test_a_tag_groups_what_a_body_without_liquid_has_for_each_message(harness: RewriteHarness):
    def link(number: int, more: str = "") -> object:
        source = f'<a href="https://a.com?token=123abc{number}"{more}>x</a>'
        answer = harness.rewrite(content={"html": source}, kind="transactional")
        return answer["links"][0]["link"]

    assert link(1) != link(2)
    grouped = ' data-cio-tag="YOUR-LINK-GROUP-NAME"'
    assert link(1, grouped) == link(2, grouped)


def test_two_links_to_one_url_are_one_in_reports(harness: RewriteHarness):
    source = '<a href="https://a.com">x</a><a href="https://a.com">y</a>'
    links = harness.rewrite(content={"html": source})["links"]
    assert len({link["link"] for link in links}) == 1
    assert [link["position"] for link in links] == [1, 2]


def test_the_id_for_the_javascript_library_is_a_parameter_of_the_workspace(harness: RewriteHarness):
    harness.save_settings(url_params={"ajs_uid": "cio_{{customer.cio_id}}"}, cio_id=False)
    body = html('<a href="https://a.com">x</a>')
    assert outcomes(harness, body) == [(True, "https://a.com?ajs_uid=cio_p0")]


def test_changed_setting_applies_to_later_messages(harness: RewriteHarness):
    harness.save_settings(cio_id=True)
    body = html('<a href="https://a.com">x</a>')
    before = harness.rewrite(**body)
    harness.save_settings(cio_id=False)
    assert before["links"][0]["destination"] == "https://a.com?_cio_id=p0"
    assert outcomes(harness, body) == [(True, "https://a.com")]


def test_vml_shapes_of_outlook_get_the_same_destination_as_their_links(harness: RewriteHarness):
    source = (
        '<!--[if mso]><v:roundrect href="https://a.com/x"></v:roundrect><![endif]-->'
        '<a href="https://a.com/x">x</a>'
    )
    links = harness.rewrite(content={"html": source})["links"]
    assert [link["tracked"] for link in links] == [True, True]
    assert len({link["link"] for link in links}) == 1


def test_sms_links_are_shortened_if_the_workspace_enables_it(harness: RewriteHarness):
    harness.save_settings(shorten=ShortLinkChannels(sms=True, whatsapp=True))
    (text,) = list_texts(harness.rewrite(channel="sms", content={"text": "https://a.com/x"}))
    assert SHORT_LINK.search(text)
    content = {"variables": {"1": tag("url:https://a.com/x")}}
    (whatsapp,) = harness.rewrite(channel="whatsapp", content=content)["deliveries"]
    assert SHORT_LINK.search(json.dumps(whatsapp["content"]))


def test_text_part_of_an_email_is_tracked_only_on_request(harness: RewriteHarness):
    content = {"html": '<a href="https://a.com">x</a>', "text": "https://a.com"}
    assert list_texts(harness.rewrite(content=content)) == ["https://a.com"]
    assert "/e/c/" in list_texts(harness.rewrite(content=content, track_text=True))[0]


@pytest.mark.parametrize(
    "href", ["https://a.com/password/reset?token=8f14e45fceea167a5a36dedd4bea2543"]
)
def test_links_that_look_secret_are_reported(harness: RewriteHarness, href: str):
    (link,) = harness.rewrite(content={"html": f'<a href="{href}">x</a>'})["links"]
    assert link["tracked"]
    assert "looks secret" in str(link["reason"])


class TestWhatDiffers:
    """Intended differences; docs/migrating-from-customerio.md gives the reasons."""

    def test_a_tag_without_url_refuses_the_template(self, harness: RewriteHarness):
        with pytest.raises(InvalidRequest, match="no url"):
            harness.rewrite(content={"html": tag("url:")}, liquid=True)

    def test_a_tag_without_url_stays_in_rendered_content(self, harness: RewriteHarness):
        response = harness.rewrite(channel="push", content={"text": tag("url:")})
        assert list_texts(response) == [tag("url:")]
        assert "no url" in response["warnings"][0]

    def test_a_whatsapp_message_with_text_is_refused(self, harness: RewriteHarness):
        with pytest.raises(InvalidRequest, match="variables"):
            harness.rewrite(channel="whatsapp", content={"text": "https://a.com"})

    def test_an_unsubscribe_link_is_a_link_unless_its_author_or_workspace_says_otherwise(
        self, harness: RewriteHarness
    ):
        body = html('<a href="https://a.com/unsubscribe/1">x</a>')
        assert outcomes(harness, body) == [(True, "https://a.com/unsubscribe/1")]
        harness.save_settings(never_track=("https://a.com/unsubscribe/*",))
        assert outcomes(harness, body) == [(False, None)]

    def test_person_parameter_is_added_for_known_persons_only(self, harness: RewriteHarness):
        harness.save_settings(cio_id=True)
        answer = harness.rewrite(
            content={"html": '<a href="https://a.com">x</a>'}, recipients=[{"delivery": "d"}]
        )
        assert answer["links"][0]["destination"] == "https://a.com"
