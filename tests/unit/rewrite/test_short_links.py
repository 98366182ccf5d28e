"""Test that short links are stored before a message is returned, and their segments."""

from __future__ import annotations

import re
from random import Random
from typing import Any

import pytest

from tests.rewrite_harness import BASE, SHORT, SHORT_LINK, RewriteHarness, list_texts
from tests.throttling_table import ThrottlingTable, create_repository
from waypost.errors import StoreUnavailable
from waypost.models.short_link import CODE_LENGTH, ShortLink, generate_code
from waypost.rewrite.link_writer import SHORT_LINK_PATH
from waypost.rewrite.service import RewriteResponse
from waypost.rewrite.sms_segments import segment_text

TEXT = "Spring sale: https://shop.example.com/sale?a=1&b=2#top Reply STOP to end"


def sms(harness: RewriteHarness, text: str = TEXT, **more: Any) -> RewriteResponse:
    return harness.rewrite(channel="sms", content={"text": text}, **more)


@pytest.fixture
def shortening(harness: RewriteHarness) -> RewriteHarness:
    from waypost.models.workspace import ShortLinkChannels

    harness.save_settings(shorten=ShortLinkChannels(sms=True, whatsapp=True))
    return harness


def test_links_are_shortened_only_if_the_workspace_enables_it(harness: RewriteHarness) -> None:
    [text] = list_texts(sms(harness))
    assert f"{BASE}/e/c/" in text
    assert "/s/" not in text


def test_each_recipients_code_resolves_to_the_destination(
    shortening: RewriteHarness,
) -> None:
    answer = sms(shortening, recipient_count=250)
    codes = [SHORT_LINK.findall(text) for text in list_texts(answer)]
    assert all(len(found) == 1 for found in codes)
    assert len({code for [code] in codes}) == 250
    for [code] in codes[::50]:
        assert shortening.resolve_short_link(code) == "https://shop.example.com/sale?a=1&b=2#top"
    assert answer["links"][0]["round_trip"] is True


def test_text_outside_the_link_does_not_change(shortening: RewriteHarness) -> None:
    [text] = list_texts(sms(shortening))
    assert SHORT_LINK.sub("https://shop.example.com/sale?a=1&b=2#top", text) == TEXT


def test_a_code_carries_the_recipients_own_token(shortening: RewriteHarness) -> None:
    for number, text in enumerate(list_texts(sms(shortening, recipient_count=3))):
        link = shortening.short_links.get(SHORT_LINK.findall(text)[0])
        assert link is not None
        assert shortening.sealer.open(link.token).delivery == f"d{number}"


def test_short_links_expire_after_the_days_of_the_workspace(shortening: RewriteHarness) -> None:
    def expires() -> int | None:
        [text] = list_texts(sms(shortening))
        link = shortening.short_links.get(SHORT_LINK.findall(text)[0])
        assert link is not None
        expiry: int | None = link.expires
        return expiry

    from tests.rewrite_harness import NOW

    assert expires() == int(NOW.timestamp()) + 90 * 86_400
    shortening.save_settings(short_link_days=1)
    assert expires() == int(NOW.timestamp()) + 86_400
    shortening.save_settings(short_link_days=None)
    assert expires() is None


def test_e_mail_is_never_shortened(shortening: RewriteHarness) -> None:
    html = '<a href="https://shop.example.com/">x</a>'
    [changed] = list_texts(shortening.rewrite(channel="email", content={"html": html}), "html")
    assert f"{BASE}/e/c/" in changed
    assert SHORT not in changed


def test_whatsapp_variables_are_shortened(shortening: RewriteHarness) -> None:
    variables = {"1": "Ada", "2": "{% cio_link url:https://shop.example.com/sale %}"}
    answer = shortening.rewrite(channel="whatsapp", content={"variables": variables})
    content = answer["deliveries"][0]["content"]["variables"]
    assert isinstance(content, dict)
    assert content["1"] == "Ada"
    assert SHORT_LINK.fullmatch(str(content["2"]))


def test_taken_code_never_reaches_a_message(
    shortening: RewriteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = ShortLink(generate_code(), "their/token", None)
    shortening.short_links.add([theirs])
    drawn = iter([theirs.code])
    monkeypatch.setattr(
        "waypost.rewrite.link_writer.LinkShortener.__init__.__defaults__",
        (lambda: next(drawn, None) or generate_code(),),
    )
    [text] = list_texts(sms(shortening))
    [code] = SHORT_LINK.findall(text)
    assert code != theirs.code
    assert shortening.resolve_short_link(code).startswith("https://shop.example.com/")
    assert shortening.short_links.get(theirs.code) == theirs


def test_no_message_is_returned_if_codes_cannot_be_stored(
    shortening: RewriteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(shortening.short_links, "add", away)
    with pytest.raises(StoreUnavailable):
        sms(shortening)


def test_rewriting_a_short_link_changes_nothing(shortening: RewriteHarness) -> None:
    [text] = list_texts(sms(shortening))
    again = sms(shortening, text)
    assert list_texts(again) == [text]
    assert again["links"][0]["reason"] == "is a tracking link already"


def test_short_link_is_recognised_on_any_host(harness: RewriteHarness) -> None:
    code = generate_code()
    answer = sms(harness, f"a https://old.example.com/s/{code} b https://x.example/s/{code[:-1]}")
    assert [link["tracked"] for link in answer["links"]] == [False, True]
    deeper = sms(harness, f"https://x.example/shop/s/{code}")
    assert deeper["links"][0]["tracked"] is True


def test_dry_run_stores_nothing_and_estimates_the_segments(shortening: RewriteHarness) -> None:
    before = dict(shortening.short_links._links)
    dry, real = sms(shortening, dry_run=True), sms(shortening)
    assert dry["deliveries"] == []
    assert before == {}
    assert len(shortening.short_links._links) == 1
    assert dry["segments"] == real["segments"] == {"encoding": "gsm-7", "before": 1, "after": 1}


def test_signed_link_that_adds_a_segment_gets_a_warning(harness: RewriteHarness) -> None:
    answer = sms(harness, "x" * 90 + " https://a.example/s")
    assert answer["segments"] == {"encoding": "gsm-7", "before": 1, "after": 2}
    assert any("adds 1" in warning for warning in answer["warnings"])


def test_short_link_adds_no_segment(shortening: RewriteHarness) -> None:
    answer = sms(shortening, "x" * 90 + " https://a.example/s")
    assert answer["segments"] == {"encoding": "gsm-7", "before": 1, "after": 1}
    assert not any("segment" in warning for warning in answer["warnings"])


def test_encoding_ucs_2_is_reported(shortening: RewriteHarness) -> None:
    answer = sms(shortening, "Распродажа https://a.example/s " + "ж" * 60)
    assert answer["segments"]["encoding"] == "ucs-2"
    assert answer["segments"]["after"] == 2


def test_an_e_mail_has_no_segments(harness: RewriteHarness) -> None:
    answer = harness.rewrite(content={"html": "<p>x</p>"})
    assert "segments" not in answer
    assert "parts" not in answer["deliveries"][0]


@pytest.mark.parametrize("lead", range(96, 160, 7))
def test_parts_never_cut_a_link_and_match_the_reported_count(
    shortening: RewriteHarness, lead: int
) -> None:
    answer = sms(shortening, "x" * lead + " https://a.example/sale " + "y" * 120, recipient_count=3)
    for delivery in answer["deliveries"]:
        text = str(delivery["content"]["text"])
        parts = delivery.get("parts", [text])
        assert "".join(parts) == text
        assert sum(len(SHORT_LINK.findall(part)) for part in parts) == 1
        [whole] = [p for p in parts if SHORT in p]
        assert re.search(re.escape(SHORT + SHORT_LINK_PATH) + rf"\w{{{CODE_LENGTH}}}", whole)
        assert segment_text(text).count <= answer["segments"]["after"]
        assert len(parts) <= answer["segments"]["after"]


@pytest.mark.heavy
def test_ten_thousand_messages_in_one_run_while_the_table_throttles(
    shortening: RewriteHarness,
) -> None:
    table = ThrottlingTable(Random(11))
    shortening.short_links = create_repository(table)
    answer = sms(shortening, recipient_count=10_000)
    assert table.fault_counts["throttled"] > 5
    assert table.fault_counts["answer lost"] > 5
    assert answer["failed"] == []
    found = [SHORT_LINK.findall(text)[0] for text in list_texts(answer)]
    assert len(set(found)) == len(table.items) == 10_000
    assert (
        max(segment_text(text).count for text in list_texts(answer)) <= answer["segments"]["after"]
    )
    assert {shortening.resolve_short_link(code) for code in found} == {
        "https://shop.example.com/sale?a=1&b=2#top"
    }
