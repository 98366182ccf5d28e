from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.click_factory import CAMPAIGN, NOON, SENT, make_link_id
from tests.dynamodb_tables import TemporaryTables
from waypost.composition import Repositories
from waypost.errors import AlreadyExists, InvalidRequest, StoreUnavailable
from waypost.ids import LinkId, derive_campaign_id, derive_link_id, derive_workspace_id
from waypost.models.campaign import Link, LinkDefinition, RecipientMark
from waypost.models.counters import TOTAL_COUNTER, CounterCell, link_counter_name
from waypost.repositories.dynamodb.campaigns import DynamoCampaignRepository
from waypost.repositories.dynamodb.counters import COUNTER_SHARDS
from waypost.repositories.pagination import encode_cursor
from waypost.repositories.recipients import Commit

HOME = LinkDefinition("https://example.com/", "https://example.com/", None, 1)
BUTTON = LinkDefinition("CTA", "https://example.com/{{code}}", "CTA", 2)


def create_campaign(stores: Repositories) -> str:
    return stores.campaigns.get_or_create(
        "acme", "spring-sale", kind="campaign", channel="email", now=SENT
    )


def test_campaign_is_stored_once(stores: Repositories) -> None:
    assert create_campaign(stores) == CAMPAIGN
    again = stores.campaigns.get_or_create(
        "acme", "spring-sale", kind="newsletter", channel="sms", now=NOON
    )
    assert again == CAMPAIGN
    campaign = stores.campaigns.get(CAMPAIGN)
    assert campaign is not None
    assert (campaign.kind, campaign.channel, campaign.first_seen) == ("campaign", "email", SENT)


def test_unknown_campaign_is_none(stores: Repositories) -> None:
    assert stores.campaigns.get(derive_campaign_id("acme", "never")) is None
    assert stores.campaigns.list_links(CAMPAIGN) == []
    assert stores.campaigns.get_counts(CAMPAIGN).sent == 0


def test_campaign_name_with_the_id_of_another_name_is_rejected(
    stores: Repositories, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_campaign(stores)
    for module in ("waypost.repositories.dynamodb.campaigns", "tests.fakes"):
        monkeypatch.setattr(f"{module}.derive_campaign_id", lambda *_: CAMPAIGN)
    with pytest.raises(AlreadyExists, match="autumn"):
        stores.campaigns.get_or_create("acme", "autumn", kind="campaign", channel="email", now=SENT)


def test_links_are_defined_once_in_the_order_given(stores: Repositories) -> None:
    first = stores.campaigns.define_links(CAMPAIGN, [HOME, BUTTON], SENT)
    moved = LinkDefinition("CTA", "https://example.com/elsewhere", "CTA", 9)
    assert stores.campaigns.define_links(CAMPAIGN, [moved, HOME, moved], NOON) == [
        first[1],
        first[0],
        first[1],
    ]
    links = {found.id: found.definition for found in stores.campaigns.list_links(CAMPAIGN)}
    assert links == {first[0]: HOME, first[1]: BUTTON}
    assert first == [make_link_id(HOME.identity), make_link_id("CTA")]


def test_links_are_found_by_their_ids(stores: Repositories) -> None:
    [home, button] = stores.campaigns.define_links(CAMPAIGN, [HOME, BUTTON], SENT)
    found = stores.campaigns.find_links([button, make_link_id("nobody's"), button])
    assert {code: found[code].definition for code in found} == {button: BUTTON}
    assert home not in found


def test_link_gets_the_next_id_when_its_id_is_taken(
    stores: Repositories, monkeypatch: pytest.MonkeyPatch
) -> None:
    def colliding(campaign: str, identity: str, attempt: int = 0) -> str:
        return derive_link_id(campaign, "same" if attempt == 0 else identity, attempt)  # type: ignore[arg-type]

    for module in ("waypost.repositories.dynamodb.campaigns", "tests.fakes"):
        monkeypatch.setattr(f"{module}.derive_link_id", colliding)
    codes = stores.campaigns.define_links(CAMPAIGN, [HOME, BUTTON], SENT)
    assert codes[0] == derive_link_id(CAMPAIGN, "same")
    assert codes[1] == derive_link_id(CAMPAIGN, "CTA", 1)
    assert stores.campaigns.define_links(CAMPAIGN, [BUTTON], SENT) == [codes[1]]


def test_two_writers_agree_on_colliding_link_ids(
    dynamodb_stores: Repositories, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = dynamodb_stores.campaigns
    assert isinstance(mine, DynamoCampaignRepository)
    theirs = DynamoCampaignRepository(mine._client, mine._table)
    monkeypatch.setattr(
        "waypost.repositories.dynamodb.campaigns.derive_link_id",
        lambda campaign, identity, attempt=0: derive_link_id(
            campaign, "same" if attempt == 0 else identity, attempt
        ),
    )
    # Both looked before either wrote: the conditional put decides.
    monkeypatch.setattr("waypost.repositories.dynamodb.campaigns.batch_get", _miss_first_read())
    [home] = mine.define_links(CAMPAIGN, [HOME], SENT)
    monkeypatch.setattr("waypost.repositories.dynamodb.campaigns.batch_get", _miss_first_read())
    [button] = theirs.define_links(CAMPAIGN, [BUTTON], SENT)
    assert home != button
    assert {found.id for found in mine.list_links(CAMPAIGN)} == {home, button}


def _miss_first_read() -> object:
    from waypost.repositories.dynamodb.client import batch_get

    looks = Counter[str]()

    def look(*args: object, **kwargs: object) -> object:
        looks["all"] += 1
        return iter(()) if looks["all"] == 1 else batch_get(*args, **kwargs)  # type: ignore[arg-type]

    return look


def test_deliveries_add_up(stores: Repositories) -> None:
    assert stores.campaigns.add_deliveries(CAMPAIGN, 100, None)
    assert stores.campaigns.add_deliveries(CAMPAIGN, 50, "batch-2")
    assert stores.campaigns.get_counts(CAMPAIGN).sent == 150


def test_a_repeated_idempotency_key_counts_nothing(stores: Repositories) -> None:
    assert stores.campaigns.add_deliveries(CAMPAIGN, 100, "batch-1")
    assert not stores.campaigns.add_deliveries(CAMPAIGN, 100, "batch-1")
    assert stores.campaigns.add_deliveries(CAMPAIGN, 1, "batch-2")
    assert stores.campaigns.get_counts(CAMPAIGN).sent == 101


def test_links_add_up_by_the_key_that_signed_them(stores: Repositories) -> None:
    other = derive_campaign_id("acme", "autumn")
    for campaign, signed in (
        (CAMPAIGN, {"0a": 200}),
        (CAMPAIGN, {"0a": 100, "0b": 1}),
        (other, {"0a": 30}),
        (other, None),
    ):
        stores.campaigns.add_deliveries(campaign, 100, None, signed)
    assert stores.campaigns.count_links_by_key("0a") == {CAMPAIGN: 300, other: 30}
    assert stores.campaigns.count_links_by_key("0b") == {CAMPAIGN: 1}
    assert stores.campaigns.count_links_by_key("0c") == {}
    assert stores.campaigns.get_counts(CAMPAIGN).sent == 200


def test_repeated_idempotency_key_counts_no_signed_links(stores: Repositories) -> None:
    for _ in range(2):
        stores.campaigns.add_deliveries(CAMPAIGN, 100, "batch-1", {"0d": 200})
    assert stores.campaigns.count_links_by_key("0d") == {CAMPAIGN: 200}


def test_idempotency_key_is_scoped_to_its_campaign(stores: Repositories) -> None:
    other = derive_campaign_id("acme", "autumn")
    assert stores.campaigns.add_deliveries(CAMPAIGN, 1, "k")
    assert stores.campaigns.add_deliveries(other, 1, "k")


ACME = derive_workspace_id("acme")


def create_three_campaigns(stores: Repositories) -> None:
    """Create two campaigns at the same time, one a day later, and one of another workspace."""
    days = {"spring-sale": 0, "summer": 1, "winter": 0}
    for name, day in days.items():
        now = SENT + timedelta(days=day)
        stores.campaigns.get_or_create("acme", name, kind="campaign", channel="email", now=now)
    stores.campaigns.get_or_create("globex", "summer", kind="campaign", channel="email", now=NOON)


def test_campaigns_are_listed_newest_first_with_their_attributes(stores: Repositories) -> None:
    create_three_campaigns(stores)
    page = stores.campaigns.list_by_workspace(ACME, cursor=None, limit=10)
    assert page.cursor is None
    assert page.items[0].name == "summer"
    assert {campaign.name for campaign in page.items[1:]} == {"spring-sale", "winter"}
    known = {campaign.name: stores.campaigns.get(campaign.id) for campaign in page.items}
    for campaign in page.items:
        assert replace(campaign, is_listed=False) == replace(known[campaign.name], is_listed=False)  # type: ignore[type-var]


def test_list_pages_skip_and_repeat_no_campaign(stores: Repositories) -> None:
    create_three_campaigns(stores)
    names, cursor = [], None
    for _ in range(4):
        page = stores.campaigns.list_by_workspace(ACME, cursor=cursor, limit=1)
        names += [campaign.name for campaign in page.items]
        if (cursor := page.cursor) is None:
            break
    assert cursor is None
    assert sorted(names) == ["spring-sale", "summer", "winter"]


def test_workspace_without_campaigns_has_an_empty_list(stores: Repositories) -> None:
    page = stores.campaigns.list_by_workspace(ACME, cursor=None, limit=10)
    assert (list(page.items), page.cursor) == ([], None)


@pytest.mark.parametrize("position", ["x", "#", "2026-11-22T09:00:00.000Z#" + "z" * 18])
def test_cursor_that_no_page_returned_is_rejected(stores: Repositories, position: str) -> None:
    with pytest.raises(InvalidRequest, match="cursor"):
        stores.campaigns.list_by_workspace(ACME, cursor=encode_cursor(position), limit=10)


def test_campaign_sent_twice_is_listed_once_by_first_seen(
    stores: Repositories,
) -> None:
    create_campaign(stores)
    stores.campaigns.get_or_create(
        "acme", "spring-sale", kind="newsletter", channel="sms", now=NOON
    )
    page = stores.campaigns.list_by_workspace(ACME, cursor=None, limit=10)
    assert [(c.kind, c.channel, c.first_seen) for c in page.items] == [("campaign", "email", SENT)]


def delete_campaign_list(stores: Repositories) -> DynamoCampaignRepository:
    """As a table was before there was a list: no mark, and nothing listed."""
    mine = stores.campaigns
    assert isinstance(mine, DynamoCampaignRepository)
    for stored in mine._client.scan(TableName=mine._table)["Items"]:
        key = {"pk": stored["pk"], "sk": stored["sk"]}
        if stored["pk"]["S"].startswith("W#"):
            mine._client.delete_item(TableName=mine._table, Key=key)
        elif "listed" in stored:
            mine._client.update_item(
                TableName=mine._table, Key=key, UpdateExpression="REMOVE listed"
            )
    return mine


def test_unlisted_campaign_is_listed_by_its_next_message(
    dynamodb_stores: Repositories,
) -> None:
    create_three_campaigns(dynamodb_stores)
    mine = delete_campaign_list(dynamodb_stores)
    assert not mine.list_by_workspace(ACME, cursor=None, limit=10).items
    mine.get_or_create("acme", "winter", kind="campaign", channel="email", now=NOON)
    (listed,) = mine.list_by_workspace(ACME, cursor=None, limit=10).items
    assert (listed.name, listed.first_seen) == ("winter", SENT)


def test_unlisted_campaigns_are_listed_by_the_backfill(
    dynamodb_stores: Repositories,
) -> None:
    create_three_campaigns(dynamodb_stores)
    mine = delete_campaign_list(dynamodb_stores)
    assert mine.backfill_list() == 4
    names = [
        campaign.name for campaign in mine.list_by_workspace(ACME, cursor=None, limit=10).items
    ]
    assert sorted(names) == ["spring-sale", "summer", "winter"]
    assert mine.backfill_list() == 0


def test_scan_yields_the_campaigns_of_all_workspaces(stores: Repositories) -> None:
    names = {("acme", "spring"), ("acme", "autumn"), ("globex", "spring")}
    for workspace, name in names:
        stores.campaigns.get_or_create(workspace, name, kind="", channel="email", now=NOON)
    stores.campaigns.add_deliveries(derive_campaign_id("acme", "spring"), 1, None)
    assert {(each.workspace, each.name) for each in stores.campaigns.scan_all()} == names


def test_headline_counts_are_the_figures_of_whole_campaigns(stores: Repositories) -> None:
    create_three_campaigns(stores)
    other = derive_campaign_id("acme", "winter")
    stores.campaigns.add_deliveries(CAMPAIGN, 100, None, {"0a": 200})
    cells = {
        CounterCell(TOTAL_COUNTER, "human"): 3,
        CounterCell(link_counter_name(make_link_id("x")), "human"): 3,
    }
    stores.recipients.commit(Commit(CAMPAIGN, [], [], Counter(cells)))
    found = stores.campaigns.get_headline_counts([CAMPAIGN, other])
    assert (found[CAMPAIGN].sent, found[CAMPAIGN].total.human) == (100, 3)
    assert not found[CAMPAIGN].links
    assert (found[other].sent, found[other].total.total) == (0, 0)
    assert stores.campaigns.get_headline_counts([]) == {}


def test_headline_counts_of_a_sharded_campaign_are_summed(
    dynamodb_stores: Repositories,
) -> None:
    mine = dynamodb_stores.campaigns
    assert isinstance(mine, DynamoCampaignRepository)
    create_campaign(dynamodb_stores)
    mine.add_deliveries(CAMPAIGN, 1, None)
    for _ in range(COUNTER_SHARDS):
        mine._delivery_counter._counter_shards.switch_shard(CAMPAIGN)
        mine.add_deliveries(CAMPAIGN, 1, None)
    assert (
        mine.get_headline_counts([CAMPAIGN])[CAMPAIGN].sent
        == mine.get_counts(CAMPAIGN).sent
        == COUNTER_SHARDS + 1
    )


ADA, BEN = RecipientMark("a" * 32), RecipientMark("b" * 32)
NO_PERSON = RecipientMark("d" * 32, expires=2**31)


def build_personal(
    url: str, only_for: RecipientMark | None, tag: str | None = None
) -> LinkDefinition:
    return LinkDefinition(f"tag:{tag}" if tag else f"url:{url}", url, tag, 1, only_for)


def define(stores: Repositories, *definitions: LinkDefinition) -> list[LinkId]:
    return stores.campaigns.define_links(CAMPAIGN, definitions, NOON)


def get_definition(stores: Repositories, link: LinkId) -> LinkDefinition:
    return stores.campaigns.find_links([link])[link].definition


def list_recorded(stores: Repositories, mark: RecipientMark) -> set[LinkId]:
    page = stores.personal_records.list_by_recipient(ACME, mark.hash, cursor=None, limit=10)
    return {link for record in page.items for link in record.links}


def test_links_of_one_person_are_recorded_and_erased(stores: Repositories) -> None:
    urls = [f"https://e.com/?email=ada&n={n}" for n in range(3)]
    links = define(stores, *(build_personal(url, ADA) for url in urls))
    assert list_recorded(stores, ADA) == set(links)
    assert not stores.campaigns.erase_link(links[0], BEN.hash)
    assert stores.campaigns.erase_link(links[0], ADA.hash)
    assert not stores.campaigns.erase_link(links[0], ADA.hash)
    assert get_definition(stores, links[0]) == LinkDefinition("erased", "", None, 1)
    assert get_definition(stores, links[1]).url == urls[1]


def test_link_of_a_recipient_without_a_person_expires_and_is_not_recorded(
    stores: Repositories,
) -> None:
    (link,) = define(stores, build_personal("https://e.com/?d=1", NO_PERSON))
    assert list_recorded(stores, NO_PERSON) == set()
    assert get_definition(stores, link).only_for == NO_PERSON


def test_repeated_definition_of_the_same_recipient_stays_personal(stores: Repositories) -> None:
    definition = build_personal("https://e.com/?email=ada", ADA)
    assert define(stores, definition) == define(stores, definition)
    (link,) = define(stores, definition)
    assert stores.campaigns.erase_link(link, ADA.hash)


@pytest.mark.parametrize("other", [BEN, NO_PERSON, None])
@pytest.mark.parametrize("first", [ADA, NO_PERSON])
def test_link_of_a_second_recipient_is_shared_for_ever(
    stores: Repositories, first: RecipientMark, other: RecipientMark | None
) -> None:
    if other == first:
        return
    url = "https://e.com/sale?utm=1"
    (link,) = define(stores, build_personal(url, first))
    for mark in (other, first):
        assert define(stores, build_personal(url, mark)) == [link]
    assert get_definition(stores, link) == build_personal(url, None)
    assert not stores.campaigns.erase_link(link, first.hash)


def test_shared_link_stays_shared_if_a_single_recipient_has_it_later(stores: Repositories) -> None:
    url = "https://e.com/sale"
    (link,) = define(stores, build_personal(url, None))
    assert define(stores, build_personal(url, ADA)) == [link]
    assert not stores.campaigns.erase_link(link, ADA.hash)
    assert list_recorded(stores, ADA) == set()


def test_tagged_link_of_several_recipients_keeps_the_common_part_of_their_urls(
    stores: Repositories,
) -> None:
    urls = {ADA: "https://e.com/u?n=1&email=ada", BEN: "https://e.com/u?n=1&email=ben"}
    links = {define(stores, build_personal(url, mark, "cta"))[0] for mark, url in urls.items()}
    (link,) = links
    assert get_definition(stores, link) == build_personal("https://e.com/u?n=1", None, "cta")


def test_erased_link_gets_another_id_when_it_is_defined_again(stores: Repositories) -> None:
    definition = build_personal("https://e.com/?email=ada", ADA)
    (link,) = define(stores, definition)
    stores.campaigns.erase_link(link, ADA.hash)
    (again,) = define(stores, definition)
    assert again != link
    assert get_definition(stores, again) == definition


def test_link_erased_while_another_recipient_defines_it_gets_another_id(
    dynamodb_stores: Repositories, tables: TemporaryTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other recipient has read the definition when the first one is erased."""
    url = "https://e.com/?shared"
    (link,) = define(dynamodb_stores, build_personal(url, ADA))
    other: Any = DynamoCampaignRepository(tables.client, tables.campaigns)
    share = other._share_link

    def erase_first(new: Link, stored: Any) -> Any:
        dynamodb_stores.campaigns.erase_link(link, ADA.hash)
        return share(new, stored)

    monkeypatch.setattr(other, "_share_link", erase_first)
    (again,) = other.define_links(CAMPAIGN, [build_personal(url, BEN)], NOON)
    assert again != link
    assert get_definition(dynamodb_stores, again).url == url


def test_interruption_before_a_personal_link_is_stored_leaves_its_record(
    dynamodb_stores: Repositories, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Link) -> Any:
        raise StoreUnavailable("away")

    definition = build_personal("https://e.com/?email=ada", ADA)
    with monkeypatch.context() as patch:
        patch.setattr(dynamodb_stores.campaigns, "_put_link", fail)
        with pytest.raises(StoreUnavailable):
            define(dynamodb_stores, definition)
    recorded = list_recorded(dynamodb_stores, ADA)
    assert set(define(dynamodb_stores, definition)) == recorded
