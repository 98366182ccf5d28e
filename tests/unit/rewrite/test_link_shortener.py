"""Test that codes are neither lost nor duplicated, whatever the table does."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tests.fakes import InMemoryPersonalRecordRepository, InMemoryShortLinkRepository
from tests.throttling_table import ThrottlingTable, create_repository
from waypost.errors import StoreUnavailable
from waypost.ids import derive_campaign_id, derive_link_id, derive_workspace_id
from waypost.models.campaign import (
    PersonalRecord,
    RecipientMark,
)
from waypost.models.short_link import LongDestination, ShortLink, generate_code, parse_code
from waypost.repositories.dynamodb.short_links import MAX_TRANSACTION_ATTEMPTS
from waypost.repositories.short_links import ShortLinkRepository
from waypost.rewrite.link_writer import (
    LinkShortener,
    compute_expiry,
    replace_codes,
)
from waypost.tokens import Keyring, TokenSealer, prepare_link

ACME = derive_workspace_id("acme")
CAMPAIGN = derive_campaign_id("acme", "sms")
ADA, BEN = RecipientMark("a" * 32), RecipientMark("b" * 32)
NO_PERSON = RecipientMark("d" * 32, expires=2**31)
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
RECIPIENTS = 10_000


def create_shortener(
    store: ShortLinkRepository | None = None,
    records: InMemoryPersonalRecordRepository | None = None,
    *,
    expires_at: int | None = None,
    generate_code: Callable[[], str] = generate_code,
) -> LinkShortener:
    return LinkShortener(
        store or InMemoryShortLinkRepository(),
        records or InMemoryPersonalRecordRepository(),
        CAMPAIGN,
        now=int(NOW.timestamp()),
        expires_at=expires_at,
        generate_code=generate_code,
    )


@pytest.mark.heavy
def test_ten_thousand_recipients_get_a_code_each_while_the_table_throttles() -> None:
    table = ThrottlingTable(random.Random(7))
    store = create_repository(table)
    shortener = create_shortener(store, expires_at=compute_expiry(NOW, 90))
    sealer = TokenSealer(Keyring((b"a test key of thirty-two bytes !",)))
    link = prepare_link(derive_link_id(CAMPAIGN, "sale"), 1, "https://example.com/sale")
    tokens, messages = [], []
    for number in range(RECIPIENTS):
        recipient = sealer.create_recipient_sealer(f"d{number}", f"p{number}", int(NOW.timestamp()))
        tokens.append(recipient.seal(link))
        code = shortener.assign_code(recipient.seal(link), RecipientMark(f"{number:032x}"))
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
    shortener = create_shortener(store, generate_code=lambda: next(drawn))
    message = f"https://l.example.com/s/{shortener.assign_code('our/token', ADA)} now"
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
    shortener = create_shortener(store, generate_code=lambda: next(drawn))
    message = shortener.assign_code("our/token", ADA)
    assert replace_codes(message, shortener.store_pending()) == free


def list_records(
    records: InMemoryPersonalRecordRepository, recipient: RecipientMark
) -> list[PersonalRecord]:
    return list(records.list_by_recipient(ACME, recipient.hash, cursor=None, limit=10).items)


@pytest.mark.parametrize("failing", ["add", "add_destinations"])
def test_personal_data_without_expiry_is_recorded_before_it_is_stored(
    failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, records = InMemoryShortLinkRepository(), InMemoryPersonalRecordRepository()
    shortener = create_shortener(store, records)
    code = shortener.assign_code("a/b", ADA)
    shortener.assign_code("d/d", NO_PERSON)
    own = LongDestination(ACME, "https://example.com/?email=ada")
    shortener.add_destinations([own], ADA)
    shortener.add_destinations([LongDestination(ACME, "https://example.com/?d=1")], NO_PERSON)

    def fail(_: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(store, failing, fail)
    with pytest.raises(StoreUnavailable):
        shortener.store_pending()
    (record,) = list_records(records, ADA)
    assert (list(record.codes), list(record.destinations)) == ([code], [own.digest])
    assert (record.campaign, record.written) == (CAMPAIGN, int(NOW.timestamp()))
    assert list_records(records, NO_PERSON) == []


def test_short_links_that_expire_are_not_recorded() -> None:
    records = InMemoryPersonalRecordRepository()
    shortener = create_shortener(None, records, expires_at=2**31)
    shortener.assign_code("a/b", ADA)
    shortener.store_pending()
    assert list_records(records, ADA) == []


def test_replacement_of_a_taken_code_is_recorded() -> None:
    store, records = InMemoryShortLinkRepository(), InMemoryPersonalRecordRepository()
    theirs, free = ShortLink(generate_code(), "their/token", None), generate_code()
    store.add([theirs])
    drawn = iter([theirs.code, free])
    shortener = create_shortener(store, records, generate_code=lambda: next(drawn))
    shortener.assign_code("our/token", ADA)
    shortener.store_pending()
    codes = {code for record in list_records(records, ADA) for code in record.codes}
    assert free in codes


def test_destination_of_two_recipients_is_not_personal() -> None:
    store, records = InMemoryShortLinkRepository(), InMemoryPersonalRecordRepository()
    shortener = create_shortener(store, records)
    same, later = (LongDestination(ACME, f"https://example.com/{n}") for n in range(2))
    for recipient in (ADA, BEN, ADA):
        shortener.add_destinations([same], recipient)
    shortener.add_destinations([later], ADA)
    shortener.store_pending()
    assert [list(record.destinations) for record in list_records(records, ADA)] == [[later.digest]]
    shortener.add_destinations([later], BEN)
    shortener.store_pending()
    for digest in (same.digest, later.digest):
        assert not store.delete_destination(ACME, digest, ADA.hash)


def test_destination_of_a_recipient_without_a_person_expires() -> None:
    store = InMemoryShortLinkRepository()
    shortener = create_shortener(store)
    destination = LongDestination(ACME, "https://example.com/?d=1")
    shortener.add_destinations([destination], NO_PERSON)
    shortener.store_pending()
    stored = store._destinations[ACME, destination.digest]
    assert stored.expires == int(NOW.timestamp()) + 400 * 86_400


def test_two_links_of_one_message_never_share_a_code() -> None:
    same, other = generate_code(), generate_code()
    drawn = iter([same, same, other])
    shortener = create_shortener(generate_code=lambda: next(drawn))
    assert [shortener.assign_code("a/b", ADA), shortener.assign_code("c/d", ADA)] == [same, other]


def test_generated_code_is_parsed_as_a_code() -> None:
    code = create_shortener().assign_code("a/b", ADA)
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
