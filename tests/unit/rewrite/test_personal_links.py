"""Links and destinations that only one recipient's message has are marked with the recipient."""

from __future__ import annotations

from typing import Any

import pytest

from tests.message_harness import MessageHarness
from waypost.ids import derive_campaign_id, derive_workspace_id
from waypost.models.campaign import (
    LinkDefinition,
    PersonalRecord,
    RecipientMark,
    recipient_hash,
)
from waypost.models.workspace import ShortLinkChannels

ACME = derive_workspace_id("acme")
CAMPAIGN = derive_campaign_id("acme", "sale")
EMAIL_LINK = '<a href="https://e.com/?email=ada@example.com">x</a>'


def mark(recipient: str) -> str:
    return recipient_hash(ACME, recipient)


def send(messages: MessageHarness, html: str, *people: str | None, **body: Any) -> None:
    recipients = [
        {"delivery": f"d-{person}", "data": {"url": f"https://e.com/?email={person}"}}
        | ({"person": person} if person else {})
        for person in people
    ]
    answer = messages.rewrite(content={"html": html}, recipients=recipients, **body)
    assert not answer["failed"]


def get_marks(messages: MessageHarness) -> dict[str, RecipientMark | None]:
    definitions = [link.definition for link in messages.campaigns.list_links(CAMPAIGN)]
    return {definition.url: definition.only_for for definition in definitions}


def get_definition(messages: MessageHarness) -> LinkDefinition:
    (link,) = messages.campaigns.list_links(CAMPAIGN)
    return link.definition


def list_records(messages: MessageHarness, recipient: str) -> list[PersonalRecord]:
    page = messages.personal_records.list_by_recipient(
        ACME, mark(recipient), cursor=None, limit=100
    )
    return list(page.items)


def test_link_of_a_message_for_one_person_is_recorded_under_the_person(
    messages: MessageHarness,
) -> None:
    send(messages, EMAIL_LINK, "ada")
    assert get_definition(messages).only_for == RecipientMark(mark("p:ada"))
    (link,) = messages.campaigns.list_links(CAMPAIGN)
    assert [list(record.links) for record in list_records(messages, "p:ada")] == [[link.id]]


def test_link_of_a_message_without_a_person_expires_with_the_clicks(
    messages: MessageHarness,
) -> None:
    messages.save_settings(retention_days=7)
    send(messages, EMAIL_LINK, None)
    only_for = get_definition(messages).only_for
    assert only_for is not None
    assert only_for.hash == mark("d:d-None")
    assert only_for.expires == messages.now + 7 * 86_400
    assert list_records(messages, "d:d-None") == []


@pytest.mark.parametrize("calls", [[("ada", "ben")], [("ada",), ("ben",)], [("ada",), (None,)]])
def test_link_of_several_recipients_is_not_personal(
    messages: MessageHarness, calls: list[tuple[str | None, ...]]
) -> None:
    for people in calls:
        send(messages, EMAIL_LINK, *people)
    assert get_definition(messages).only_for is None


def test_links_of_a_template_are_never_personal(messages: MessageHarness) -> None:
    html = '<a href="{{ url }}">x</a><a href="https://e.com/sale">y</a>'
    send(messages, html, "ada", liquid=True)
    assert get_marks(messages) == {"{{ url }}": None, "https://e.com/sale": None}


def test_links_in_the_data_of_a_template_are_personal(messages: MessageHarness) -> None:
    html = '<a href="https://e.com/sale">y</a>{{ link }}'
    recipients = [
        {"delivery": f"d-{n}", "person": n, "data": {"link": f'<a href="https://e.com/{n}">'}}
        for n in ("ada", "ben", "carl")
    ]
    recipients[2]["data"] = recipients[1]["data"]
    messages.rewrite(content={"html": html}, recipients=recipients, liquid=True)
    assert get_marks(messages) == {
        "https://e.com/sale": None,
        "https://e.com/ada": RecipientMark(mark("p:ada")),
        "https://e.com/ben": None,
    }


def test_link_of_a_later_batch_is_shared_with_the_first_recipient(messages: MessageHarness) -> None:
    recipients = [
        {"delivery": f"d-{n}", "person": f"p{n}", "data": {"link": f"https://e.com/{n}"}}
        for n in range(150)
    ]
    for n in (140, 141):
        recipients[n]["data"] = recipients[0]["data"]
    html = '{{ link | prepend: "<a href=" | append: ">x</a>" }}'
    messages.rewrite(content={"html": html}, recipients=recipients, liquid=True)
    marks = get_marks(messages)
    assert marks["https://e.com/0"] is None
    assert marks["https://e.com/1"] == RecipientMark(mark("p:p1"))
    assert marks["https://e.com/149"] == RecipientMark(mark("p:p149"))


@pytest.mark.parametrize("batch", [True, False])
def test_tagged_link_with_different_urls_shows_their_common_part(
    messages: MessageHarness, batch: bool
) -> None:
    html = '{{ url | prepend: "<a data-cio-tag=cta href=" | append: ">x</a>" }}'
    for people in [("ada", "ben")] if batch else [("ada",), ("ben",)]:
        send(messages, html, *people, liquid=True)
    assert get_definition(messages) == LinkDefinition("tag:cta", "https://e.com/", "cta", 1)


def test_links_with_one_tag_in_one_message_keep_the_first_url(messages: MessageHarness) -> None:
    html = "<a data-cio-tag=cta href=https://e.com/1>x</a><a data-cio-tag=cta href=https://e.com/2>"
    send(messages, html, "ada")
    assert get_definition(messages).url == "https://e.com/1"


def test_dry_run_records_nothing(messages: MessageHarness) -> None:
    send(messages, EMAIL_LINK, "ada", dry_run=True)
    assert list_records(messages, "p:ada") == []


def test_long_destination_of_one_person_is_recorded(messages: MessageHarness) -> None:
    query = "".join(f"{n:x}" for n in range(900))
    send(messages, f'<a href="https://e.com/?email=ada&q={query}">x</a>', "ada")
    digests = {digest for r in list_records(messages, "p:ada") for digest in r.destinations}
    assert len(digests) == 1
    assert messages.short_links.delete_destination(ACME, digests.pop(), mark("p:ada"))


def test_short_link_that_never_expires_is_recorded(messages: MessageHarness) -> None:
    messages.save_settings(shorten=ShortLinkChannels(sms=True), short_link_days=None)
    recipients = [{"delivery": "d1", "person": "ada"}]
    content = {"text": "https://e.com/sale"}
    messages.rewrite(content=content, channel="sms", recipients=recipients)
    codes = [code for record in list_records(messages, "p:ada") for code in record.codes]
    assert [messages.short_links.delete(code) for code in codes] == [True]
