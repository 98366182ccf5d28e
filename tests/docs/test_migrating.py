"""Test the claims of docs/migrating-from-customerio.md and docs/migrating-from-ses.md."""

from __future__ import annotations

import re
from typing import Any

import botocore.session
import pytest
import urllib3

from local.stack import EmbeddedStack
from tools.docs.pages import ROOT
from waypost.client import Client
from waypost.errors import InvalidRequest

TEMPLATE = """
<a href="{{trigger.custom_url}}">personal</a>
<a href="https://acme.com/untracked" class="button untracked">left</a>
<a href="https://acme.com/plain" class="disable-url-params">no parameters</a>
<a href="https://acme.com/both" class="disable-url-params untracked">neither</a>
<a href="https://acme.com/?token=123abc" data-cio-tag="RESET">grouped</a>
<a href="https://acme.com/?token=456def" data-cio-tag="RESET">grouped</a>
<a href="mailto:help@acme.com">left</a>
<a href="tel:+4930123456">left</a>
<a href="{% cio_link url:mailto:sales@acme.com %}">tracked</a>
<a href="{% cio_link url:https://acme.com/off track:false %}">left</a>
<a href="{% cio_link url:https://acme.com/spaced track: true url_params: false %}">no parameters</a>
<a href="acme.com">left</a>
"""
CUSTOMER = {"customer": {"cio_id": "a1b2"}, "trigger": {"custom_url": "https://acme.com/1"}}


class Sender:
    """A customer that migrated, with a separate workspace."""

    def __init__(self, stack: EmbeddedStack, workspace: str) -> None:
        self.stack, self.workspace = stack, workspace
        self.client = Client(stack.ref("RewriteFunction"))

    def set(self, **settings: object) -> None:
        url = f"{self.stack.url}/v1/workspaces/{self.workspace}/settings"
        answer = urllib3.request("PUT", url, json=settings, timeout=60)
        assert answer.status == 200, answer.data

    def send(self, *, data: Any = CUSTOMER, **message: object) -> tuple[list[Any], Any]:
        """Return the deliveries, and the results with links and failures."""
        whole: Any = {"workspace": self.workspace, "campaign": "sale", "liquid": True} | message
        run = self.client.rewrite(whole, [{"delivery": "1", "person": "1", "data": data}])
        return list(run), run

    def links(self, **message: object) -> dict[str, Any]:
        """Return the entry of each link by its text in the template."""
        _, run = self.send(**message, dry_run=True)
        assert run.failed == []
        return {link["url"]: link for link in run.links}


@pytest.fixture
def sender(account: EmbeddedStack, request: pytest.FixtureRequest) -> Sender:
    return Sender(account, re.sub(r"\W+", "-", request.node.name)[:60])


@pytest.mark.parametrize(
    ("url", "tracked", "destination"),
    [
        ("{{trigger.custom_url}}", True, "https://acme.com/1?_cio_id=1"),
        ("https://acme.com/untracked", False, None),
        ("https://acme.com/plain", True, "https://acme.com/plain"),
        ("https://acme.com/both", False, None),
        ("https://acme.com/?token=123abc", True, "https://acme.com/?token=123abc&_cio_id=1"),
        ("mailto:help@acme.com", False, None),
        ("tel:+4930123456", False, None),
        ("mailto:sales@acme.com", True, "mailto:sales@acme.com"),
        ("https://acme.com/off", False, None),
        ("https://acme.com/spaced", True, "https://acme.com/spaced"),
        ("acme.com", False, None),
    ],
)
def test_what_templates_say_of_links_means_the_same(sender, url, tracked, destination):
    link = sender.links(content={"html": TEMPLATE})[url]
    assert link["tracked"] is tracked
    if tracked:
        assert link["destination"] == destination


def test_links_of_one_tag_are_one_in_reports(sender):
    links = sender.links(content={"html": TEMPLATE})
    of_tag = [link for link in links.values() if link["tag"] == "RESET"]
    assert len(of_tag) == 2
    assert of_tag[0]["link"] == of_tag[1]["link"]


def test_classes_stay_in_the_message(sender):
    ((delivery,), _) = sender.send(content={"html": TEMPLATE})
    assert 'class="button untracked"' in delivery["content"]["html"]


def test_an_untracked_link_keeps_getting_parameters_unless_it_has_both_classes(sender):
    sender.set(url_params={"utm_source": "mail"})
    ((delivery,), _) = sender.send(content={"html": TEMPLATE})
    assert '"https://acme.com/untracked?utm_source=mail"' in delivery["content"]["html"]
    assert '"https://acme.com/both"' in delivery["content"]["html"]


@pytest.mark.parametrize(
    "html",
    [
        '<a href="https://acme.com/"><img class="untracked" src="a.png"></a>',
        '<div class="untracked"><a href="https://acme.com/">a</a></div>',
    ],
)
def test_classes_are_read_on_the_link_itself(sender, html):
    (link,) = sender.links(content={"html": html}).values()
    assert link["tracked"] is True


def test_a_persons_activity_has_the_links_that_they_clicked(sender):
    ((delivery,), _) = sender.send(content={"html": '<a href="https://acme.com/seen">a</a>'})
    (link,) = re.findall(r'href="([^"]+/e/c/[^"]+)"', delivery["content"]["html"])
    urllib3.request("GET", link, redirect=False, timeout=60)
    sender.stack.wait_until_counted()
    path = f"/v1/workspaces/{sender.workspace}/people/1/activity"
    answer = urllib3.request("GET", sender.stack.url + path, timeout=60)
    assert "https://acme.com/seen" in answer.data.decode()


def test_url_parameters_take_liquid_stand_before_the_fragment_and_give_way(sender):
    sender.set(
        url_params={"utm_source": "mail", "ajs_uid": "cio_{{customer.cio_id}}"}, cio_id=False
    )
    html = '<a href="https://acme.com/?utm_source=own#top">a</a>'
    (link,) = sender.links(content={"html": html}).values()
    assert link["destination"] == "https://acme.com/?utm_source=own&ajs_uid=cio_a1b2#top"


def test_a_changed_setting_touches_later_messages_only(sender):
    html = {"html": '<a href="https://acme.com/">a</a>'}
    ((before,), _) = sender.send(content=html)
    sender.set(cio_id=False)
    (link,) = re.findall(r'href="([^"]+/e/c/[^"]+)"', before["content"]["html"])
    answer = urllib3.request("GET", link, redirect=False, timeout=60)
    assert answer.headers["location"] == "https://acme.com/?_cio_id=1"


def test_tracking_off_for_a_message_turns_off_clicks_and_opens(sender):
    html = '<body><a href="https://acme.com/">a</a></body>'
    ((delivery,), _) = sender.send(content={"html": html}, track=False)
    assert delivery["content"]["html"] == html


def test_opens_off_for_the_workspace_win_over_the_message(sender):
    sender.set(track_opens=False)
    ((delivery,), _) = sender.send(content={"html": "<body>a</body>"}, track_opens=True)
    assert delivery["content"]["html"] == "<body>a</body>"


@pytest.mark.parametrize(
    ("channel", "content", "tracked"),
    [
        ("sms", {"text": "See https://acme.com/a"}, True),
        ("whatsapp", {"variables": {"1": "https://acme.com/a"}}, False),
        ("whatsapp", {"variables": {"1": "{% cio_link url:https://acme.com/a %}"}}, True),
        *((each, {"body": "See https://acme.com/a"}, False) for each in ("push", "in_app")),
        *((each, {"body": "See https://acme.com/a"}, False) for each in ("webhook", "slack")),
        *(
            (each, {"body": "See {% cio_link url:https://acme.com/a %}"}, True)
            for each in ("push", "in_app", "webhook", "slack")
        ),
    ],
)
def test_what_each_channel_tracks(sender, channel, content, tracked):
    links = sender.links(channel=channel, content=content)
    assert any(link["tracked"] for link in links.values()) is tracked


def test_a_missing_variable_fails_its_recipient_with_the_field_and_the_reason(sender):
    deliveries, run = sender.send(content={"html": '<a href="{{trigger.no}}">a</a>'})
    assert deliveries == []
    (failure,) = run.failed
    assert failure["field"] == "content.html"
    assert "trigger.no is missing" in failure["reason"]


def test_a_tag_for_universal_links_is_refused(sender):
    with pytest.raises(InvalidRequest, match="not valid Liquid"):
        sender.send(content={"html": '<a href="https://acme.com/?l={% cio_link_id %}">a</a>'})


def test_the_text_part_is_left_alone_unless_asked_for(sender):
    content = {"html": "<p>a</p>", "text": "See https://acme.com/a"}
    assert not any(link["tracked"] for link in sender.links(content=content).values())
    assert any(link["tracked"] for link in sender.links(content=content, track_text=True).values())


def test_links_that_look_secret_are_left_untracked_where_the_workspace_says_so(sender):
    html = {"html": '<a href="https://acme.com/password/reset?token=3f9a8b7c6d5e4f3a2b1c">a</a>'}
    assert all(link["tracked"] for link in sender.links(content=html).values())
    sender.set(secret_links="untrack")
    assert not any(link["tracked"] for link in sender.links(content=html).values())


def test_attributes_of_ses_stay_and_mean_nothing_here(sender):
    html = '<a ses:no-track ses:tags="k:v" class="untracked" href="https://acme.com/">a</a>'
    ((delivery,), _) = sender.send(content={"html": html}, track_opens=False)
    assert delivery["content"]["html"] == html
    tagged = html.replace(' class="untracked"', "")
    ((delivery,), _) = sender.send(content={"html": tagged}, track_opens=False)
    assert delivery["content"]["html"].startswith('<a ses:no-track ses:tags="k:v" href="http')


def test_a_link_that_ses_fills_in_later_is_left_alone(sender):
    links = sender.links(content={"html": '<a href="{{name}}">a</a>'}, liquid=False)
    assert not any(link["tracked"] for link in links.values())


def test_ses_knows_the_names_that_the_page_uses():
    page = (ROOT / "docs" / "migrating-from-ses.md").read_text("utf-8")
    model = botocore.session.get_session().get_service_model("sesv2")
    known = set(model.operation_names)
    for shape in map(model.shape_for, model.shape_names):
        known |= set(getattr(shape, "members", ())) | set(getattr(shape, "enum", ()))
    code = " ".join(re.findall("`[^`]+`", page))
    named = set(re.findall(r"\b(?:[A-Z][a-z]+){2,}\b|\b[A-Z]{4,}\b", code))
    assert named - {"GROUP", "HEAD"} <= known
    assert {"ClickTrackingEnabled", "EngagementMetrics", "CustomRedirectDomain"} <= named
