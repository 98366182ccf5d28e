"""Test the message repositories, over DynamoDB and in memory."""

import random
from dataclasses import replace

import pytest

from tests.click_factory import CAMPAIGN, NOON
from tests.fakes import InMemoryMessageRepository
from waypost.composition import Repositories
from waypost.ids import derive_campaign_id, derive_workspace_id
from waypost.models.campaign import MAX_MESSAGE_BYTES, SentMessage
from waypost.repositories.messages import MessageRepository


@pytest.fixture(params=["memory", "dynamodb"])
def messages(request) -> MessageRepository:
    if request.param == "memory":
        return InMemoryMessageRepository(NOON.timestamp)
    tables = request.getfixturevalue("tables")
    return Repositories(tables.client, tables.names, NOON.timestamp).messages


def message(html="<p>Hello, 🙂</p>\r\n", *, rendered=False, campaign=CAMPAIGN):
    return SentMessage(campaign=campaign, html=html, rendered=rendered, expires=2_000_000_000)


@pytest.mark.parametrize("rendered", [True, False])
def test_stored_message_is_returned_unchanged(messages, rendered):
    assert messages.add(message(rendered=rendered))
    assert messages.get(CAMPAIGN) == message(rendered=rendered)


def test_first_message_is_not_overwritten(messages):
    assert messages.add(message("first"))
    assert not messages.add(message("second"))
    assert messages.get(CAMPAIGN).html == "first"


def test_expired_message_is_not_returned_before_its_item_is_deleted(messages):
    assert messages.add(replace(message(), expires=int(NOON.timestamp()) - 1))
    assert messages.get(CAMPAIGN) is None


def test_each_campaign_has_its_own_message(messages):
    other = derive_campaign_id("acme", "autumn")
    messages.add(message("spring"))
    assert messages.get(other) is None
    messages.add(message("autumn", campaign=other))
    assert messages.get(CAMPAIGN).html == "spring"


def test_message_larger_than_an_item_is_not_stored(messages):
    noise = random.Random(1).randbytes(MAX_MESSAGE_BYTES).hex() * 2
    assert not messages.add(message(noise))
    assert messages.get(CAMPAIGN) is None


def test_large_message_that_compresses_well_is_stored(messages):
    html = "<tr><td>row</td></tr>" * 40_000
    assert messages.add(message(html))
    assert messages.get(CAMPAIGN).html == html


def test_message_can_be_stored_after_the_first_was_deleted(messages):
    messages.add(message("first"))
    messages.delete(CAMPAIGN)
    messages.delete(CAMPAIGN)
    assert messages.add(message("second"))


def test_rendered_messages_of_a_workspace_can_be_deleted(messages):
    template, strangers = (
        derive_campaign_id("acme", "template"),
        derive_campaign_id("other", "spring"),
    )
    messages.add(message("Dear Ada", rendered=True))
    messages.add(message("Dear {{ name }}", campaign=template))
    messages.add(message("Dear Ben", rendered=True, campaign=strangers))
    assert messages.delete_personal_by_workspace(derive_workspace_id("acme")) == 1
    assert messages.get(CAMPAIGN) is None
    assert messages.get(template) is not None
    assert messages.get(strangers) is not None
    assert messages.delete_personal_by_workspace(derive_workspace_id("acme")) == 0


def test_only_rendered_messages_of_the_given_campaigns_are_deleted(messages):
    template, other = derive_campaign_id("acme", "autumn"), derive_campaign_id("acme", "winter")
    messages.add(message(rendered=True))
    messages.add(message(campaign=template))
    messages.add(message(rendered=True, campaign=other))
    assert (
        messages.delete_personal_by_campaigns([CAMPAIGN, template, derive_campaign_id("acme", "x")])
        == 1
    )
    assert messages.get(CAMPAIGN) is None
    assert messages.get(template)
    assert messages.get(other)
    assert messages.delete_personal_by_campaigns([]) == 0
