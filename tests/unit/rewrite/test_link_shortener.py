"""Test that codes are neither lost nor duplicated, whatever the table does."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from tests.fakes import InMemoryShortLinkRepository
from tests.throttling_table import ThrottlingTable, create_repository
from waypost.errors import StoreUnavailable
from waypost.ids import derive_campaign_id, derive_link_id
from waypost.models.short_link import ShortLink, generate_code, parse_code
from waypost.repositories.dynamodb.short_links import MAX_TRANSACTION_ATTEMPTS
from waypost.rewrite.link_writer import (
    LinkShortener,
    compute_expiry,
    replace_codes,
)
from waypost.tokens import Keyring, TokenSealer, prepare_link

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
RECIPIENTS = 10_000


@pytest.mark.heavy
def test_ten_thousand_recipients_get_a_code_each_while_the_table_throttles() -> None:
    table = ThrottlingTable(random.Random(7))
    store = create_repository(table)
    shortener = LinkShortener(store, compute_expiry(NOW, 90))
    sealer = TokenSealer(Keyring((b"a test key of thirty-two bytes !",)))
    campaign = derive_campaign_id("acme", "sms")
    link = prepare_link(derive_link_id(campaign, "sale"), 1, "https://example.com/sale")
    tokens, messages = [], []
    for number in range(RECIPIENTS):
        recipient = sealer.create_recipient_sealer(f"d{number}", f"p{number}", int(NOW.timestamp()))
        tokens.append(recipient.seal(link))
        code = shortener.assign_code(recipient.seal(link))
        messages.append(f"Sale: https://l.example.com/s/{code}")
    replaced = shortener.store_pending()
    codes = [replace_codes(message, replaced).rpartition("/")[2] for message in messages]
    assert table.fault_counts["throttled"] > 5
    assert table.fault_counts["answer lost"] > 5
    assert len(set(codes)) == RECIPIENTS
    found = [store.get(code) for code in codes]
    assert [link and link.token for link in found] == tokens
    assert {link and link.expires for link in found} == {int(NOW.timestamp()) + 90 * 86_400}
    assert len(table.items) == RECIPIENTS  # a repeated request left nothing behind


def test_taken_code_is_replaced_in_the_message() -> None:
    store = InMemoryShortLinkRepository()
    theirs = ShortLink(generate_code(), "their/token", None)
    store.add([theirs])
    free = generate_code()
    drawn = iter([theirs.code, free])
    shortener = LinkShortener(store, None, generate_code=lambda: next(drawn))
    message = f"https://l.example.com/s/{shortener.assign_code('our/token')} now"
    replaced = shortener.store_pending()
    assert replace_codes(message, replaced) == f"https://l.example.com/s/{free} now"
    assert store.get(free) == ShortLink(free, "our/token", None)
    assert store.get(theirs.code) == theirs


def test_code_is_replaced_again_if_its_replacement_is_taken() -> None:
    store = InMemoryShortLinkRepository()
    taken = [ShortLink(generate_code(), f"their/token-{n}", None) for n in range(2)]
    store.add(taken)
    free = generate_code()
    drawn = iter([taken[0].code, taken[1].code, free])
    shortener = LinkShortener(store, None, generate_code=lambda: next(drawn))
    message = shortener.assign_code("our/token")
    assert replace_codes(message, shortener.store_pending()) == free


def test_two_links_of_one_message_never_share_a_code() -> None:
    same, other = generate_code(), generate_code()
    drawn = iter([same, same, other])
    shortener = LinkShortener(
        InMemoryShortLinkRepository(), None, generate_code=lambda: next(drawn)
    )
    assert [shortener.assign_code("a/b"), shortener.assign_code("c/d")] == [same, other]


def test_generated_code_is_parsed_as_a_code() -> None:
    code = LinkShortener(InMemoryShortLinkRepository(), None).assign_code("a/b")
    assert parse_code(code) == code


def test_repository_returns_taken_codes_and_stores_the_rest() -> None:
    table = ThrottlingTable()
    links = [ShortLink(generate_code(), f"t/{n}", None) for n in range(250)]
    create_repository(table).add([links[3], links[120]])
    taken = create_repository(table).add(links)
    assert taken == {links[3].code, links[120].code}
    assert all(create_repository(table).get(link.code) == link for link in links)


def test_unavailable_table_fails_after_retries_with_backoff() -> None:
    pauses: list[float] = []
    table = ThrottlingTable()
    table.transact_write_items = lambda **_: (_ for _ in ()).throw(OSError("away"))  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        create_repository(table, pauses.append).add([ShortLink(generate_code(), "t/s", None)])
    assert len(pauses) == MAX_TRANSACTION_ATTEMPTS - 1
    assert sum(pauses) < 10
    assert pauses[-1] > pauses[0]


def test_links_without_a_limit_have_no_expiry() -> None:
    assert compute_expiry(NOW, None) is None
    assert compute_expiry(NOW, 1) == int(NOW.timestamp()) + 86_400
