"""Test the message repositories, over DynamoDB and in memory."""

import random
from dataclasses import replace

import pytest

from tests.click_factory import CAMPAIGN, NOON
from tests.fakes import InMemoryMessageRepository
from waypost.composition import Repositories
from waypost.ids import derive_campaign_id, derive_workspace_id
from waypost.models.campaign import MAX_MESSAGE_BYTES, MessageAbsence, SentMessage, message_key
from waypost.repositories.messages import MessageRepository


@pytest.fixture(params=["memory", "dynamodb"])
def messages(request) -> MessageRepository:
    if request.param == "memory":
        return InMemoryMessageRepository(NOON.timestamp)
    tables = request.getfixturevalue("tables")
    return Repositories(tables.client, tables.names, NOON.timestamp).messages


ADA, BEN, CARL = "a" * 32, "b" * 32, "c" * 32
"""Hashes of recipients."""


def message(html="<p>Hello, 🙂</p>\r\n", *, recipient=None, campaign=CAMPAIGN):
    return SentMessage(
        campaign=campaign,
        html=html,
        rendered=recipient is not None,
        expires=2_000_000_000,
        recipient=recipient,
    )


@pytest.mark.parametrize("recipient", [None, ADA, BEN])
def test_stored_message_is_returned_unchanged(messages, recipient):
    assert messages.add(message(recipient=recipient))
    assert messages.get(CAMPAIGN) == message(recipient=recipient)


def test_first_message_is_not_overwritten(messages):
    assert messages.add(message("first"))
    assert not messages.add(message("second"))
    assert messages.get(CAMPAIGN).html == "first"


def test_messages_of_two_recipients_are_stored_side_by_side(messages):
    assert messages.add(message("Dear Ben", recipient=BEN))
    assert messages.add(message("Dear Ada", recipient=ADA))
    assert not messages.add(message("Dear Ada again", recipient=ADA))
    assert not messages.add(message("Dear Carl", recipient=CARL))
    assert messages.get(CAMPAIGN).html == "Dear Ben"
    assert messages.add(message("Dear {{ name }}"))
    assert messages.get(CAMPAIGN).html == "Dear {{ name }}"
    assert messages.delete_personal_by_campaigns([CAMPAIGN], ADA) == 1
    assert not messages.add(message("Dear Carl", recipient=CARL))


def test_expired_message_is_not_returned_before_its_item_is_deleted(messages):
    assert messages.add(replace(message(), expires=int(NOON.timestamp()) - 1))
    assert messages.get(CAMPAIGN) is MessageAbsence.EXPIRED


def test_each_campaign_has_its_own_message(messages):
    other = derive_campaign_id("acme", "autumn")
    messages.add(message("spring"))
    assert messages.get(other) is MessageAbsence.NOT_STORED
    messages.add(message("autumn", campaign=other))
    assert messages.get(CAMPAIGN).html == "spring"


def test_message_larger_than_an_item_is_not_stored(messages):
    noise = random.Random(1).randbytes(MAX_MESSAGE_BYTES).hex() * 2
    assert not messages.add(message(noise))
    assert messages.get(CAMPAIGN) is MessageAbsence.TOO_LARGE


def test_large_message_that_compresses_well_is_stored(messages):
    html = "<tr><td>row</td></tr>" * 40_000
    assert messages.add(message(html))
    assert messages.get(CAMPAIGN).html == html


def test_noted_reason_is_returned_until_a_message_is_stored(messages):
    messages.note_absence(CAMPAIGN, MessageAbsence.NO_HTML)
    messages.note_absence(CAMPAIGN, MessageAbsence.TOO_LARGE)
    assert messages.get(CAMPAIGN) is MessageAbsence.NO_HTML
    messages.add(message())
    messages.note_absence(CAMPAIGN, MessageAbsence.NO_HTML)
    assert messages.get(CAMPAIGN) == message()


def test_expired_message_is_named_as_the_reason_after_its_item_is_deleted(tables):
    messages = Repositories(tables.client, tables.names, NOON.timestamp).messages
    messages.add(message())
    tables.client.delete_item(TableName=tables.campaigns, Key=message_key(CAMPAIGN))
    assert messages.get(CAMPAIGN) is MessageAbsence.EXPIRED


@pytest.fixture(params=["by campaigns", "by workspace"])
def delete(request, messages):
    """Delete the messages of a recipient in acme; return their number."""
    if request.param == "by workspace":
        return lambda recipient, _: messages.delete_personal_by_workspace(
            derive_workspace_id("acme"), recipient
        )
    return lambda recipient, campaigns: messages.delete_personal_by_campaigns(campaigns, recipient)


def test_only_messages_of_the_recipient_are_deleted(messages, delete):
    template, autumn, winter = (derive_campaign_id("acme", name) for name in ("t", "a", "w"))
    foreign = derive_campaign_id("other", "spring")
    messages.add(message("Dear Ada", recipient=ADA))
    messages.add(message("Dear Ben", recipient=BEN))
    messages.add(message("Dear {{ name }}", campaign=template))
    messages.add(message("Dear Ada", recipient=ADA, campaign=autumn))
    messages.add(message("Dear Ben", recipient=BEN, campaign=winter))
    messages.add(message("Dear Ada", recipient=ADA, campaign=foreign))
    campaigns = [CAMPAIGN, template, autumn, winter, derive_campaign_id("acme", "unknown")]
    assert delete(ADA, campaigns) == 2
    assert messages.get(CAMPAIGN).html == "Dear Ben"
    assert messages.get(template).html == "Dear {{ name }}"
    assert messages.get(autumn) is MessageAbsence.ERASED
    assert messages.get(winter).html == "Dear Ben"
    assert messages.get(foreign).html == "Dear Ada"
    assert delete(ADA, campaigns) == 0
    assert messages.add(message("Dear Carl", recipient=CARL, campaign=autumn))
    assert messages.get(autumn).html == "Dear Carl"


def test_message_of_an_unknown_recipient_is_deleted_with_any_recipient(messages, delete):
    messages.add(replace(message("Dear Somebody"), rendered=True))  # as earlier releases did
    assert delete(ADA, [CAMPAIGN]) == 1
    assert messages.get(CAMPAIGN) is MessageAbsence.ERASED


def test_no_campaigns_are_no_deletion(messages):
    assert messages.delete_personal_by_campaigns([], ADA) == 0
