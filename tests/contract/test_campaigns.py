from __future__ import annotations

from collections import Counter

import pytest

from tests.clicks import CAMPAIGN, NOON, SENT, link
from tests.contract.conftest import Stores
from waypost.codes import campaign_code, link_code
from waypost.errors import Clash
from waypost.model.link import LinkDefinition
from waypost.store.dynamodb.campaigns import DynamoCampaigns

HOME = LinkDefinition("https://example.com/", "https://example.com/", None, 1)
BUTTON = LinkDefinition("CTA", "https://example.com/{{code}}", "CTA", 2)


def open_campaign(stores: Stores) -> str:
    return stores.campaigns.open("acme", "spring-sale", kind="campaign", channel="email", now=SENT)


def test_opening_notes_a_campaign_once(stores: Stores) -> None:
    assert open_campaign(stores) == CAMPAIGN
    again = stores.campaigns.open("acme", "spring-sale", kind="newsletter", channel="sms", now=NOON)
    assert again == CAMPAIGN
    campaign = stores.campaigns.campaign(CAMPAIGN)
    assert campaign is not None
    assert (campaign.kind, campaign.channel, campaign.first_seen) == ("campaign", "email", SENT)


def test_a_campaign_nobody_opened_is_none(stores: Stores) -> None:
    assert stores.campaigns.campaign(campaign_code("acme", "never")) is None
    assert stores.campaigns.links(CAMPAIGN) == []
    assert stores.campaigns.counts(CAMPAIGN).sent == 0


def test_a_name_whose_code_is_anothers_is_refused(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_campaign(stores)
    for module in ("dynamodb", "memory"):
        name = f"waypost.store.{module}.campaigns.campaign_code"
        monkeypatch.setattr(name, lambda *_: CAMPAIGN)
    with pytest.raises(Clash, match="autumn"):
        stores.campaigns.open("acme", "autumn", kind="campaign", channel="email", now=SENT)


def test_links_are_defined_once_in_the_order_given(stores: Stores) -> None:
    first = stores.campaigns.define_links(CAMPAIGN, [HOME, BUTTON], SENT)
    moved = LinkDefinition("CTA", "https://example.com/elsewhere", "CTA", 9)
    assert stores.campaigns.define_links(CAMPAIGN, [moved, HOME, moved], NOON) == [
        first[1],
        first[0],
        first[1],
    ]
    links = {found.code: found.definition for found in stores.campaigns.links(CAMPAIGN)}
    assert links == {first[0]: HOME, first[1]: BUTTON}
    assert first == [link(HOME.identity), link("CTA")]


def test_links_are_found_by_their_codes(stores: Stores) -> None:
    [home, button] = stores.campaigns.define_links(CAMPAIGN, [HOME, BUTTON], SENT)
    found = stores.campaigns.find_links([button, link("nobody's"), button])
    assert {code: found[code].definition for code in found} == {button: BUTTON}
    assert home not in found


def test_a_link_whose_code_is_taken_gets_the_next_one(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    def colliding(campaign: str, identity: str, attempt: int = 0) -> str:
        return link_code(campaign, "same" if attempt == 0 else identity, attempt)  # type: ignore[arg-type]

    for module in ("dynamodb", "memory"):
        monkeypatch.setattr(f"waypost.store.{module}.campaigns.link_code", colliding)
    codes = stores.campaigns.define_links(CAMPAIGN, [HOME, BUTTON], SENT)
    assert codes[0] == link_code(CAMPAIGN, "same")
    assert codes[1] == link_code(CAMPAIGN, "CTA", 1)
    assert stores.campaigns.define_links(CAMPAIGN, [BUTTON], SENT) == [codes[1]]


def test_two_writers_agree_on_codes_that_collide(
    dynamodb_stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = dynamodb_stores.campaigns
    assert isinstance(mine, DynamoCampaigns)
    theirs = DynamoCampaigns(mine._client, mine._table)
    monkeypatch.setattr(
        "waypost.store.dynamodb.campaigns.link_code",
        lambda campaign, identity, attempt=0: link_code(
            campaign, "same" if attempt == 0 else identity, attempt
        ),
    )
    # Both looked before either wrote: the conditional put decides.
    monkeypatch.setattr("waypost.store.dynamodb.campaigns.batch_get", _blind_once())
    [home] = mine.define_links(CAMPAIGN, [HOME], SENT)
    monkeypatch.setattr("waypost.store.dynamodb.campaigns.batch_get", _blind_once())
    [button] = theirs.define_links(CAMPAIGN, [BUTTON], SENT)
    assert home != button
    assert {found.code for found in mine.links(CAMPAIGN)} == {home, button}


def _blind_once() -> object:
    from waypost.store.dynamodb.client import batch_get

    looks = Counter[str]()

    def look(*args: object, **kwargs: object) -> object:
        looks["all"] += 1
        return iter(()) if looks["all"] == 1 else batch_get(*args, **kwargs)  # type: ignore[arg-type]

    return look


def test_deliveries_add_up(stores: Stores) -> None:
    assert stores.campaigns.add_sent(CAMPAIGN, 100, None)
    assert stores.campaigns.add_sent(CAMPAIGN, 50, "batch-2")
    assert stores.campaigns.counts(CAMPAIGN).sent == 150


def test_a_repeated_idempotency_key_counts_nothing(stores: Stores) -> None:
    assert stores.campaigns.add_sent(CAMPAIGN, 100, "batch-1")
    assert not stores.campaigns.add_sent(CAMPAIGN, 100, "batch-1")
    assert stores.campaigns.add_sent(CAMPAIGN, 1, "batch-2")
    assert stores.campaigns.counts(CAMPAIGN).sent == 101


def test_links_add_up_by_the_key_that_signed_them(stores: Stores) -> None:
    other = campaign_code("acme", "autumn")
    for campaign, signed in (
        (CAMPAIGN, {"0a": 200}),
        (CAMPAIGN, {"0a": 100, "0b": 1}),
        (other, {"0a": 30}),
        (other, None),
    ):
        stores.campaigns.add_sent(campaign, 100, None, signed)
    assert stores.campaigns.signed("0a") == {CAMPAIGN: 300, other: 30}
    assert stores.campaigns.signed("0b") == {CAMPAIGN: 1}
    assert stores.campaigns.signed("0c") == {}
    assert stores.campaigns.counts(CAMPAIGN).sent == 200


def test_links_of_a_repeated_message_were_signed_once(stores: Stores) -> None:
    for _ in range(2):
        stores.campaigns.add_sent(CAMPAIGN, 100, "batch-1", {"0d": 200})
    assert stores.campaigns.signed("0d") == {CAMPAIGN: 200}


def test_a_key_is_one_campaigns(stores: Stores) -> None:
    other = campaign_code("acme", "autumn")
    assert stores.campaigns.add_sent(CAMPAIGN, 1, "k")
    assert stores.campaigns.add_sent(other, 1, "k")
