"""Test requests with many recipients: failures, size limits, counts and the report."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.message_harness import LINK, SEALER, MessageHarness, decode_links
from waypost.errors import InvalidRequest, TooLarge
from waypost.ids import derive_campaign_id, derive_workspace_id
from waypost.models.campaign import SentMessage, recipient_hash
from waypost.rewrite.schemas import (
    MAX_MIME_BYTES,
    MAX_TEXT_BYTES,
    parse_rewrite_request,
    validate_rewrite_request,
)

CAMPAIGN = derive_campaign_id("acme", "sale")
WHOLE = {"campaign": "c", "content": {"html": "x"}, "recipients": [{"delivery": "d"}]}
PEOPLE = [{"delivery": f"d{n}", "person": f"p{n}"} for n in range(250)]


def sent(messages: MessageHarness) -> int:
    return messages.campaigns.get_counts(CAMPAIGN).sent


def test_deliveries_come_in_the_order_of_recipients_and_are_counted_once(messages: MessageHarness):
    answer = messages.rewrite(content={"html": '<a href="https://e.com/">'}, recipients=PEOPLE)
    names = [delivery["delivery"] for delivery in answer["deliveries"]]
    assert names == [person["delivery"] for person in PEOPLE]
    assert sent(messages) == 250
    assert len({str(delivery["content"]) for delivery in answer["deliveries"]}) == 250


def test_a_repeated_invocation_with_its_key_counts_once(messages: MessageHarness):
    for _ in range(3):
        messages.rewrite(content={"html": "<p>"}, idempotency_key="k")
    messages.rewrite(content={"html": "<p>"}, idempotency_key="other")
    assert sent(messages) == 2


def test_recipients_that_failed_are_not_counted(messages: MessageHarness):
    recipients = [{"delivery": "d1", "data": {"x": 1}}, {"delivery": "d2"}]
    answer = messages.rewrite(content={"html": "{{ x }}"}, liquid=True, recipients=recipients)
    assert [failure["delivery"] for failure in answer["failed"]] == ["d2"]
    assert sent(messages) == 1


def test_a_definition_is_stored_once_for_all_messages_of_a_campaign(messages: MessageHarness):
    for _ in range(2):
        messages.rewrite(content={"html": '<a href="https://e.com/">'}, recipients=PEOPLE[:3])
    assert [link.definition.url for link in messages.campaigns.list_links(CAMPAIGN)] == [
        "https://e.com/"
    ]


def test_dry_run_signs_and_stores_nothing(messages: MessageHarness):
    answer = messages.rewrite(content={"html": '<a href="https://e.com/">'}, dry_run=True)
    assert answer["deliveries"] == []
    assert messages.campaigns.get(CAMPAIGN) is None
    assert messages.campaigns.list_links(CAMPAIGN) == []
    real = messages.rewrite(content={"html": '<a href="https://e.com/">'})
    assert answer["links"] == real["links"]
    assert answer["warnings"] == real["warnings"]


@pytest.mark.parametrize(
    ("body", "is_personal"),
    [
        ({}, True),
        ({"liquid": True}, False),
        ({"recipients": PEOPLE[:2]}, False),
        ({"recipients": PEOPLE[:101]}, False),
    ],
)
def test_archived_message_is_personal_if_it_was_rendered_for_one_recipient(
    messages: MessageHarness, body: dict[str, Any], is_personal: bool
):
    messages.rewrite(content={"html": "<p>Dear"}, **body)
    archived = messages.messages.get(CAMPAIGN)
    assert isinstance(archived, SentMessage)
    assert archived.rendered == is_personal
    expected = recipient_hash(derive_workspace_id("acme"), "p:p1") if is_personal else None
    assert archived.recipient == expected


def test_a_second_recipients_message_replaces_a_deleted_one(messages: MessageHarness):
    for person in ("p1", "p1", "p2", "p3"):
        recipients = [{"delivery": f"d-{person}", "person": person}]
        messages.rewrite(content={"html": f"<p>Dear {person}"}, recipients=recipients)
    recipient = recipient_hash(derive_workspace_id("acme"), "p:p1")
    assert messages.messages.delete_personal_by_campaigns([CAMPAIGN], recipient) == 1
    archived = messages.messages.get(CAMPAIGN)
    assert isinstance(archived, SentMessage)
    assert archived.html == "<p>Dear p2"


def test_response_over_the_limit_is_refused_and_not_counted(messages: MessageHarness):
    html = "x" * 100_000
    with pytest.raises(TooLarge, match="deliveries is"):
        messages.rewrite(content={"html": html}, recipients=PEOPLE)
    assert sent(messages) == 0


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({"html": "x" * (MAX_TEXT_BYTES + 1)}, "content.html"),
        ({"text": "é" * (MAX_TEXT_BYTES // 2 + 1)}, "content.text"),
        ({"body": {"a": "x" * MAX_TEXT_BYTES}}, "content.body"),
        ({"mime": "x" * (MAX_MIME_BYTES + 1)}, "content.mime"),
    ],
)
def test_a_message_over_its_limit_is_refused_by_name(messages: MessageHarness, content, field):
    with pytest.raises(TooLarge) as caught:
        messages.rewrite(content=content)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"campaign", "content", "recipients"}),
        ({"campaign": "c", "content": {"html": "x"}, "recipients": []}, {"recipients"}),
        (
            {"campaign": "", "content": {}, "recipients": [{}, {"delivery": "d", "data": 7}]},
            {"campaign", "recipients[0].delivery", "recipients[1].data"},
        ),
        (
            {"campaign": "c", "content": {}, "recipients": [{"delivery": "d"}, {"delivery": "d"}]},
            {"content", "recipients[1].delivery"},
        ),
        (
            {**WHOLE, "content": {"html": "\ud800"}, "recipients": [{"delivery": "\udc00"}]},
            {"content.html", "recipients[0].delivery"},
        ),
        (
            {**WHOLE, "content": {"mime": "x", "html": "y"}},
            {"content.mime"},
        ),
        (
            {**WHOLE, "channel": "fax", "knid": 1},
            {"channel", "knid"},
        ),
    ],
)
def test_invalid_body_is_refused_with_every_invalid_field(body, fields):
    with pytest.raises(InvalidRequest) as caught:
        validate_rewrite_request({"workspace": "acme", **body})
    assert {problem.field for problem in caught.value.problems} == fields
    assert all(problem.reason for problem in caught.value.problems)


def test_a_body_that_is_no_json_is_refused():
    with pytest.raises(InvalidRequest):
        parse_rewrite_request("{")


def test_report_has_the_destination_the_round_trip_and_the_bytes_added(messages: MessageHarness):
    messages.save_settings(url_params={"u": "1"}, cio_id=True)
    source = (
        '<a href="https://e.com/#f">a</a><a class="untracked" href="https://e.com/">b</a>'
        '<a href="#">'
    )
    answer = messages.rewrite(content={"html": source})
    tracked, untracked, left = answer["links"]
    assert tracked["destination"] == "https://e.com/?_cio_id=p1&u=1#f"
    assert tracked["round_trip"] is True
    assert untracked["destination"] == "https://e.com/?u=1"
    assert (untracked["round_trip"], untracked["bytes_added"]) == (None, 4)
    assert (left["destination"], left["bytes_added"]) == (None, None)
    text = str(answer["deliveries"][0]["content"]["html"])
    assert len(text) - len(source) == (tracked["bytes_added"] or 0) + 4
    assert "[https://e.com/?_cio_id=p1&u=1#f]" in decode_links(text)


@pytest.mark.parametrize(
    ("body", "warning"),
    [
        ({"content": {"html": "x" * 105_000}}, "Gmail clips"),
        ({"content": {"html": '<a href="https://e.com/{n}">' * 1_500}}, "Gmail clips"),
        ({"channel": "sms", "content": {"text": "word " * 20 + "https://e.com/"}}, "SMS"),
        (
            {"content": {"html": '<a href="https://e.com/o/4f9d1c2b7a8e4f0ab1c2d3e4f5a6b7c8">'}},
            "looks made for one recipient",
        ),
    ],
)
def test_message_that_may_fail_after_sending_gets_a_warning(
    messages: MessageHarness, body, warning
):
    assert any(warning in said for said in messages.rewrite(**body)["warnings"])


def test_links_of_a_single_recipient_get_a_warning_to_use_a_tag(messages: MessageHarness):
    recipients = [
        {"delivery": f"d{n}", "data": {"x": f'<a href="https://e.com/{n}">'}} for n in range(20)
    ]
    answer = messages.rewrite(content={"html": "{{ x }}"}, liquid=True, recipients=recipients)
    assert len(answer["links"]) == 20
    assert any("data-cio-tag" in said for said in answer["warnings"])


def test_an_ordinary_message_has_no_warnings(messages: MessageHarness):
    assert (
        messages.rewrite(content={"html": '<a href="https://e.com/products/7">'})["warnings"] == []
    )


def test_tokens_carry_the_time_of_sending(messages: MessageHarness):
    found = LINK.search(messages.rewrite_content("html", '<a href="https://e.com/">'))
    assert found
    assert SEALER.open(found[1]).sent == datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()
