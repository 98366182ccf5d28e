"""Test each link rule on the rewritten message."""

from __future__ import annotations

from typing import Any

import pytest

from tests.message_harness import BASE, LINK, SEALER, MessageHarness, decode_links
from waypost.ids import derive_campaign_id


def html(messages: MessageHarness, source: str, **body: Any) -> str:
    return decode_links(messages.rewrite_content("html", source, **body))


def test_a_link_leads_to_its_exact_destination(messages: MessageHarness):
    hrefs = ["https://e.com/?a=1&amp;b=2", "http://e.com/a%2Fb?q=x+y#z", "https://e.com"]
    source = "".join(f'<a href="{href}">x</a>' for href in hrefs)
    assert html(messages, source) == source.replace("&amp;", "&").replace(
        'href="', 'href="['
    ).replace('">x', ']">x')


def test_every_byte_outside_the_values_stays(messages: MessageHarness):
    source = (
        "<!DOCTYPE html>\r\n<html><!-- c --><body bgcolor=#fff>\r<p>Ä&nbsp;&copy \x00{{ x }}"
        "<A  HREF = 'https://e.com/'\tCLASS=x >y</A><br/><img src=https://e.com/i.png>"
        "<link href=https://e.com/l><form action=https://e.com/f></html>\n\n"
    )
    assert html(messages, source) == source.replace("'https://e.com/'", "'[https://e.com/]'")


@pytest.mark.parametrize(
    ("href", "reason"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("#top", "leads to a place in the message itself"),
        ("www.e.com", "has no protocol"),
        ("/path", "has no protocol"),
        ("//e.com/x", "has no protocol"),
        ("{{ url }}", "holds Liquid that was not rendered"),
        ("https://e.com/{{ x }}", "holds Liquid that was not rendered"),
        ("mailto:a@e.com", "is a mailto link, which only cio_link tracks"),
        ("tel:+491", "is a tel link, which only cio_link tracks"),
        ("sms:+491", "is a sms link, which only cio_link tracks"),
        ("javascript:alert(1)", "is a javascript link, which only cio_link tracks"),
        ("https:", "has no host"),
        ("https://u:p@e.com/", "carries a user name before its host"),
        ("https://e.com\\@x.com/", "has a backslash in its host"),
        (f"{BASE}/anything", "is a tracking link already"),
        ("https://e.com/" + "a" * 6000, "is longer than 5,000 characters"),
        ("https://e.com/" + "ü" * 900, "is longer than 5,000 characters"),
        ("https://e.com/" + "\n" * 6000, "is longer than 5,000 characters"),
    ],
)
def test_links_that_stay_as_they_are_are_reported_with_the_reason(
    messages: MessageHarness, href, reason
):
    source = f'<a href="{href}">x</a>'
    answer = messages.rewrite(content={"html": source})
    assert answer["deliveries"][0]["content"]["html"] == source
    [link] = answer["links"]
    assert (link["link"], link["url"], link["tracked"]) == (None, href, False)
    assert link["reason"] == reason


def test_hrefs_are_read_as_browsers_read_them(messages: MessageHarness):
    assert html(messages, '<a href=" https://e\n.com/x\t">') == '<a href="[https://e.com/x]">'


def test_an_international_destination_is_signed_in_characters_that_a_header_can_hold(
    messages: MessageHarness,
):
    assert html(messages, '<a href="https://bücher.example/ü">') == (
        '<a href="[https://xn--bcher-kva.example/%C3%BC]">'
    )


def test_rewriting_a_rewritten_message_changes_nothing(messages: MessageHarness):
    messages.save_settings(url_params={"utm_source": "n"}, cio_id=True)
    source = '<a href="https://e.com/">a</a><a class=untracked href="https://e.com/u">b</a>'
    once = messages.rewrite_content("html", source)
    assert messages.rewrite_content("html", once) == once


def test_tracking_link_is_recognised_on_any_host(messages: MessageHarness):
    once = messages.rewrite_content("html", '<a href="https://e.com/">a</a>')
    moved = once.replace(BASE, "https://links.other.com")
    assert messages.rewrite_content("html", moved) == moved
    forged = LINK.sub(r"https://links.other.com/e/c/\1A", once)
    assert messages.rewrite_content("html", forged) != forged


@pytest.mark.parametrize(
    ("classes", "tracked", "parameters"),
    [
        ("", True, True),
        ("untracked", False, True),
        ("disable-url-params", True, False),
        ("a untracked\tdisable-url-params b", False, False),
        ("disable-url-params\nuntracked", False, False),
        ("Untracked untracked-not", True, True),
        ("&#117;ntracked", False, True),
    ],
)
def test_classes_opt_out_alone_or_together(messages: MessageHarness, classes, tracked, parameters):
    messages.save_settings(url_params={"u": "1"})
    destination = "https://e.com/?a=1&amp;b=2" + ("&amp;u=1" if parameters else "")
    written = f"[{destination}]".replace("&amp;", "&") if tracked else destination
    assert html(messages, f'<a class="{classes}" href="https://e.com/?a=1&amp;b=2">') == (
        f'<a class="{classes}" href="{written}">'
    )


def test_person_parameter_is_first_and_on_tracked_links_only(messages: MessageHarness):
    messages.save_settings(url_params={"u": "1"}, cio_id=True)
    source = '<a href="https://e.com/">a</a><a class="untracked" href="https://e.com/">b</a>'
    assert html(messages, source) == (
        '<a href="[https://e.com/?_cio_id=p1&u=1]">a</a>'
        '<a class="untracked" href="https://e.com/?u=1">b</a>'
    )


def test_person_parameter_defined_by_the_workspace_is_added_once(messages: MessageHarness):
    messages.save_settings(cio_id=True, url_params={"_cio_id": "{{ customer.cio_id }}", "u": "1"})
    assert (
        html(messages, '<a href="https://e.com/">') == '<a href="[https://e.com/?_cio_id=p1&u=1]">'
    )


def test_unknown_person_has_no_person_parameter(messages: MessageHarness):
    messages.save_settings(cio_id=True)
    assert html(messages, '<a href="https://e.com/">', recipients=[{"delivery": "d1"}]) == (
        '<a href="[https://e.com/]">'
    )


def test_parameters_are_liquid_filled_with_the_recipients_data_also_in_rendered_content(
    messages: MessageHarness,
):
    messages.save_settings(
        url_params={
            "ajs_uid": "cio_{{customer.cio_id}}",
            "n": "{{ customer.name }}",
            "c": "{{ campaign.name }}",
        }
    )
    recipients = [{"delivery": "d", "person": "p 7", "data": {"customer": {"name": "Zoë & co"}}}]
    assert html(messages, '<a href="https://e.com/">', recipients=recipients) == (
        '<a href="[https://e.com/?ajs_uid=cio_p+7&n=Zo%C3%AB+%26+co&c=sale]">'
    )


def test_parameter_that_is_not_text_fails_only_its_recipient(messages: MessageHarness):
    messages.save_settings(url_params={"n": "{{ customer.name }}"})
    people: list[dict[str, object]] = [
        {"delivery": "d1", "data": {"customer": {"name": "\ud800"}}},
        {"delivery": "d2", "data": {"customer": {"name": "Ada"}}},
    ]
    answer = messages.rewrite(content={"html": '<a href="https://e.com/">'}, recipients=people)
    assert [each["delivery"] for each in answer["deliveries"]] == ["d2"]
    assert [(each["delivery"], each["field"]) for each in answer["failed"]] == [
        ("d1", "url_params.n")
    ]


def test_an_empty_parameter_is_not_added_and_reported(messages: MessageHarness):
    messages.save_settings(url_params={"n": "{{ customer.name }}", "m": "1"})
    answer = messages.rewrite(content={"html": '<a href="https://e.com/">'})
    assert (
        decode_links(str(answer["deliveries"][0]["content"]["html"]))
        == '<a href="[https://e.com/?m=1]">'
    )
    assert any("parameter n is empty" in warning for warning in answer["warnings"])


@pytest.mark.parametrize(
    "value",
    [
        "cio_{{ customer.cio_id }}",
        "{{ customer['cio_id'] | upcase }}!",
        "{{customer.cio_id}}-{{- customer.cio_id -}}",
    ],
)
@pytest.mark.parametrize(
    "recipient",
    [
        {"delivery": "d1"},
        {"delivery": "d1", "data": {"customer": {"cio_id": None}}},
        {"delivery": "d1", "person": "p1", "data": {"customer": {"cio_id": " "}}},
        {"delivery": "d1", "person": "p1", "data": {"customer": "Ada"}},
    ],
)
def test_parameter_of_an_unknown_person_is_dropped_and_reported(
    messages: MessageHarness, value: str, recipient: dict[str, object]
):
    messages.save_settings(url_params={"ajs_uid": value, "m": "1"})
    source = '<a href="https://e.com/">'
    answer = messages.rewrite(content={"html": source}, recipients=[recipient])
    sent = decode_links(str(answer["deliveries"][0]["content"]["html"]))
    assert sent == '<a href="[https://e.com/?m=1]">'
    assert any("parameter ajs_uid is empty" in warning for warning in answer["warnings"])


@pytest.mark.parametrize(
    ("value", "added"),
    [
        ("cio_{{ customer.cio_id | default: 'none' }}", "cio_none"),
        ("cio_{% if customer.cio_id %}{{ customer.cio_id }}{% else %}x{% endif %}", "cio_x"),
        ("cio_{{ customer.cio_id }}{{ campaign.name }}", "cio_sale"),
        ("cio_{{ customer.id }}", "cio_"),
    ],
)
def test_parameter_with_more_than_the_person_is_rendered_without_one(
    messages: MessageHarness, value: str, added: str
):
    messages.save_settings(url_params={"u": value})
    assert html(messages, '<a href="https://e.com/">', recipients=[{"delivery": "d1"}]) == (
        f'<a href="[https://e.com/?u={added}]">'
    )


@pytest.mark.parametrize("body", [{"track": False}, {"url_params": False}])
def test_empty_parameter_without_a_link_to_add_it_to_is_not_reported(
    messages: MessageHarness, body
):
    messages.save_settings(url_params={"n": "{{ customer.name }}"})
    assert messages.rewrite(content={"html": '<a href="https://e.com/">'}, **body)["warnings"] == []


def test_a_message_can_go_without_parameters(messages: MessageHarness):
    messages.save_settings(url_params={"u": "1"}, cio_id=True)
    source = '<a href="https://e.com/">a</a><a class="untracked" href="https://e.com/">b</a>'
    assert html(messages, source, url_params=False) == source.replace(
        '"https://e.com/">a', '"[https://e.com/]">a'
    )


def test_with_tracking_off_nothing_is_tracked_and_nothing_added(messages: MessageHarness):
    messages.save_settings(url_params={"u": "1"}, cio_id=True, track_opens=True)
    source = '<a href="https://e.com/?a&amp;b">a</a>{% cio_link url:mailto:a@e.com %}</body>'
    answer = messages.rewrite(content={"html": source}, track=False)
    assert answer["deliveries"][0]["content"]["html"] == source.replace(
        "{% cio_link url:mailto:a@e.com %}", "mailto:a@e.com"
    )
    assert {link["reason"] for link in answer["links"]} == {"tracking is off for this message"}


@pytest.mark.parametrize(
    ("tag", "written"),
    [
        ("{% cio_link url:https://e.com/ %}", "[https://e.com/?u=1]"),
        ("{% cio_link url:https://e.com/ url_params:false %}", "[https://e.com/]"),
        ("{% cio_link url:https://e.com/ track:false %}", "https://e.com/?u=1"),
        ("{% cio_link url:https://e.com/ track:false url_params:false %}", "https://e.com/"),
        ("{% cio_link url:https://e.com/?a&amp;b track:false %}", "https://e.com/?a&amp;b&amp;u=1"),
        ("{% cio_link url:mailto:a@e.com %}", "[mailto:a@e.com]"),
        ("{% cio_link url:tel:+491 %}", "[tel:+491]"),
        ("{% cio_link url:sms:+491 %}", "[sms:+491]"),
        ("{% cio_link url:e.com %}", "e.com"),
        ("{% cio_link url:javascript:alert(1) %}", "javascript:alert(1)"),
    ],
)
def test_cio_link_asks_for_tracking_and_parameters(messages: MessageHarness, tag, written):
    messages.save_settings(url_params={"u": "1"})
    assert html(messages, f"<p>{tag}</p>") == f"<p>{written}</p>"
    assert html(messages, f'<a href="{tag}">') == f'<a href="{written}">'


def test_cio_link_in_an_href_inherits_the_options_of_its_anchor(messages: MessageHarness):
    source = '<a class="untracked" data-cio-tag="T" href=" {% cio_link url:https://e.com/ %}">'
    answer = messages.rewrite(content={"html": source})
    assert [(link["tag"], link["tracked"]) for link in answer["links"]] == [("T", False)]


def test_links_of_one_tag_are_one_link_and_so_are_those_of_one_url(messages: MessageHarness):
    source = (
        '<a href="https://e.com/1" data-cio-tag="T">'
        '<a href="https://e.com/2" data-cio-tag=T>'
        '<!--[if mso]><v:rect href="https://e.com/3"></v:rect><![endif]-->'
        '<a href="https://e.com/3">'
    )
    links = messages.rewrite(content={"html": source})["links"]
    assert [link["position"] for link in links] == [1, 2, 3, 4]
    assert links[0]["link"] == links[1]["link"] != links[2]["link"] == links[3]["link"]
    stored = messages.campaigns.list_links(derive_campaign_id("acme", "sale"))
    assert sorted(
        (link.definition.url, link.definition.tag, link.definition.position) for link in stored
    ) == [
        ("https://e.com/1", "T", 1),
        ("https://e.com/3", None, 3),
    ]


def test_token_contains_recipient_link_and_destination(messages: MessageHarness):
    sent = messages.rewrite_content("html", '<a href="#"></a><a href="https://e.com/"></a>')
    found = LINK.search(sent)
    assert found
    token = SEALER.open(found[1])
    assert (token.delivery, token.person, token.position) == ("d1", "p1", 2)


@pytest.mark.parametrize(
    "href",
    [
        "https://e.com/password/reset?t=1",
        "https://e.com/reset-password/abc",
        "https://e.com/magic-link/abc",
        "https://e.com/?reset_token=abc",
        "https://e.com/?access_token=abc",
        "https://e.com/?token=abc",
        "https://b.s3.amazonaws.com/k?X-Amz-Algorithm=A&amp;X-Amz-Signature=abc",
        "https://d.cloudfront.net/k?Expires=1&amp;Signature=abc&amp;Key-Pair-Id=K",
        "https://e.com/?x=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc",
    ],
)
def test_link_that_looks_secret_is_tracked_with_a_warning_or_not_at_all(
    messages: MessageHarness, href
):
    source = f'<a href="{href}">'
    [link] = messages.rewrite(content={"html": source})["links"]
    assert link["tracked"]
    assert "looks secret" in str(link["reason"])
    messages.save_settings(secret_links="untrack", url_params={"u": "1"})
    assert messages.rewrite_content("html", source) == source


@pytest.mark.parametrize(
    "href",
    [
        "https://e.com/design?sig=",
        "https://e.com/passwords-of-history",
        "https://e.com/tokens?a=1",
        "https://e.com/?keyboard=1&amp;author=x",
    ],
)
def test_ordinary_links_do_not_look_secret(messages: MessageHarness, href):
    [link] = messages.rewrite(content={"html": f'<a href="{href}">'})["links"]
    assert (link["tracked"], link["reason"]) == (True, None)


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("https://e.com/unsubscribe*", True),
        ("*unsubscribe*", True),
        ("*.com/*?x=1", True),
        ("https://e.com/unsubscribe/7?x=1", True),
        ("https://e.com/unsubscribe", False),
        ("*x=1*x=1", False),
        ("https://e.com/unsub?cribe*", False),
    ],
)
def test_links_matching_a_never_track_pattern_do_not_change(
    messages: MessageHarness, pattern, matched
):
    messages.save_settings(never_track=(pattern,), url_params={"u": "1"})
    source = '<a href="https://e.com/unsubscribe/7?x=1">'
    assert (html(messages, source) == source) is matched


def test_app_links_are_tracked_where_the_workspace_lists_their_scheme(messages: MessageHarness):
    source = '<a href="myapp://open/7">'
    assert html(messages, source) == source
    messages.save_settings(schemes=("myapp",), url_params={"u": "1"})
    assert html(messages, source) == '<a href="[myapp://open/7]">'
