"""Codes for the links of one rewriting: none lost, none double, whatever the table does."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from tests.fakes import MemoryShortLinks
from tests.throttled import Table, over
from waypost.errors import StoreUnavailable
from waypost.ids import campaign_code, link_code
from waypost.models.short_link import ShortLink, new_code, read_code
from waypost.repositories.dynamodb.short_links import ROUNDS
from waypost.rewrite.short_links import Shortener, ShortSealer, expiry, with_codes
from waypost.tokens import Keyring, Sealer, prepare_link

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
RECIPIENTS = 10_000


@pytest.mark.heavy
def test_ten_thousand_recipients_get_a_code_each_while_the_table_throttles() -> None:
    table = Table(random.Random(7))
    store = over(table)
    shortener = Shortener(store, expiry(NOW, 90))
    sealer = Sealer(Keyring((b"a test key of thirty-two bytes !",)))
    campaign = campaign_code("acme", "sms")
    link = prepare_link(link_code(campaign, "sale"), 1, "https://example.com/sale")
    tokens, messages = [], []
    for number in range(RECIPIENTS):
        recipient = sealer.for_recipient(f"d{number}", f"p{number}", int(NOW.timestamp()))
        tokens.append(recipient.seal(link))
        code = ShortSealer(recipient, shortener.code_for).seal(link)
        messages.append(f"Sale: https://l.example.com/s/{code}")
    replaced = shortener.store()
    codes = [with_codes(message, replaced).rpartition("/")[2] for message in messages]
    assert table.seen["throttled"] > 5
    assert table.seen["answer lost"] > 5
    assert len(set(codes)) == RECIPIENTS
    found = [store.find(code) for code in codes]
    assert [link and link.token for link in found] == tokens
    assert {link and link.expires for link in found} == {int(NOW.timestamp()) + 90 * 86_400}
    assert len(table.items) == RECIPIENTS  # a repeated request left nothing behind


def test_a_code_that_is_taken_is_replaced_in_the_message() -> None:
    store = MemoryShortLinks()
    theirs = ShortLink(new_code(), "their/token", None)
    store.add([theirs])
    free = new_code()
    drawn = iter([theirs.code, free])
    shortener = Shortener(store, None, new=lambda: next(drawn))
    message = f"https://l.example.com/s/{shortener.code_for('our/token')} now"
    replaced = shortener.store()
    assert with_codes(message, replaced) == f"https://l.example.com/s/{free} now"
    assert store.find(free) == ShortLink(free, "our/token", None)
    assert store.find(theirs.code) == theirs


def test_a_code_whose_replacement_is_taken_too_is_replaced_again() -> None:
    store = MemoryShortLinks()
    taken = [ShortLink(new_code(), f"their/token-{n}", None) for n in range(2)]
    store.add(taken)
    free = new_code()
    drawn = iter([taken[0].code, taken[1].code, free])
    shortener = Shortener(store, None, new=lambda: next(drawn))
    message = shortener.code_for("our/token")
    assert with_codes(message, shortener.store()) == free


def test_two_links_of_one_rewriting_never_share_a_code() -> None:
    same, other = new_code(), new_code()
    drawn = iter([same, same, other])
    shortener = Shortener(MemoryShortLinks(), None, new=lambda: next(drawn))
    assert [shortener.code_for("a/b"), shortener.code_for("c/d")] == [same, other]


def test_a_code_is_what_a_reader_takes_for_one() -> None:
    code = Shortener(MemoryShortLinks(), None).code_for("a/b")
    assert read_code(code) == code


def test_codes_taken_among_many_are_told_and_the_rest_stored() -> None:
    table = Table()
    links = [ShortLink(new_code(), f"t/{n}", None) for n in range(250)]
    over(table).add([links[3], links[120]])
    taken = over(table).add(links)
    assert taken == {links[3].code, links[120].code}
    assert all(over(table).find(link.code) == link for link in links)


def test_a_table_that_stays_away_is_given_up_after_growing_pauses() -> None:
    pauses: list[float] = []
    table = Table()
    table.transact_write_items = lambda **_: (_ for _ in ()).throw(OSError("away"))  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        over(table, pauses.append).add([ShortLink(new_code(), "t/s", None)])
    assert len(pauses) == ROUNDS - 1
    assert sum(pauses) < 10
    assert pauses[-1] > pauses[0]


def test_links_without_an_end_have_no_expiry() -> None:
    assert expiry(NOW, None) is None
    assert expiry(NOW, 1) == int(NOW.timestamp()) + 86_400
