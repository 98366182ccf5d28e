"""Every version reads the stored items, queue messages and log lines of version 1.

golden_rows_v1.json has one of each kind, as a table of the first release has it. It grows, but
never changes (docs/decisions/2026-11-22-format-compatibility.md).
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from tests.click_factory import CAMPAIGN, NOON, SAFARI, make_click
from tests.dynamodb_tables import temporary_table
from tests.unit.domains.builders import HOST, HTTPS, make_domain
from waypost.clicks.fallback_queue import deserialize_click
from waypost.composition import Repositories, TableNames, build_tally_service
from waypost.ids import LinkId, derive_workspace_id
from waypost.maintenance.recount import RecountService
from waypost.maintenance.replay import extract_clicks
from waypost.models.campaign import SentMessage
from waypost.models.click import Click
from waypost.models.counters import ClickCounts
from waypost.models.recipient import RecipientKey, RecipientRow
from waypost.models.workspace import ShortLinkChannels, WorkspaceSettings
from waypost.tokens import Keyring, TokenSealer

GOLDEN: Final = json.loads((Path(__file__).parent / "golden_rows_v1.json").read_text("utf-8"))
ACME: Final = derive_workspace_id("acme")
HOME: Final = LinkId("24aba7554cf258e5cc7f3ba7f6")
SHOP: Final = LinkId("24aba7554cf258e5cc9384f846")
ADA: Final = RecipientKey(CAMPAIGN, "p:ada")
BEN: Final = "ben@people.example"
LATE: Final = 2_000_000_000


@pytest.fixture
def old(dynamodb: Any) -> Iterator[Repositories]:
    with ExitStack() as made:
        names = {
            kind: made.enter_context(temporary_table(dynamodb, f"{kind}Table"))
            for kind in ("Clicks", "Campaigns", "Workspaces", "ShortLinks")
        }
        for kind, name in names.items():
            for item in GOLDEN[kind]:
                dynamodb.put_item(TableName=name, Item=_with_bytes(item))
        tables = TableNames(
            names["Clicks"], names["Campaigns"], names["Workspaces"], names["ShortLinks"]
        )
        yield Repositories(dynamodb, tables, NOON.timestamp)


def _with_bytes(item: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {"B": b64decode(value["B"])} if "B" in value else value
        for name, value in item.items()
    }


def test_golden_file_has_every_item_of_the_key_table() -> None:
    """Those of ``waypost.repositories``, by the beginnings of their keys."""
    keys = {
        (item["pk"]["S"][:2], item.get("sk", {"S": ""})["S"][:1])
        for kind in ("Campaigns", "Workspaces", "ShortLinks")
        for item in GOLDEN[kind]
    }
    campaigns = {("C#", sort) for sort in "CLMN"} | {("R#", sort) for sort in "pda~!"}
    workspaces = {("W#", sort) for sort in "WPD"} | {("D", "D")}
    others = {("I#", "I"), ("S#", ""), ("D#", "")}
    assert campaigns | workspaces | others == keys
    assert {item["pk"]["S"][9:11] for item in GOLDEN["Clicks"]} == {"p:", "d:", "a:"}


def test_clicks(old: Repositories) -> None:
    kept = {one.id: one for one in old.clicks.scan_by_campaign(CAMPAIGN)}
    assert len(kept) == 27
    first = kept["click-00"]
    assert (first.time, first.link, first.person, first.agent) == (NOON, SHOP, "ada", SAFARI)
    assert (first.metric, kept["open-1"].metric) == ("clicked", "opened")
    assert (kept["click-anon"].recipient, kept["click-ben"].person) == ("d:d-None", None)
    assert kept["click-ben"].alias == "4eaf65482c545e33"
    theirs = old.clicks.list_by_person(ACME, "ada", cursor=None, limit=100).items
    assert len(theirs) == 25
    assert old.clicks.record(first) is False  # it is there already


def test_counted_clicks_are_not_counted_again_and_match_the_ledger(
    old: Repositories,
) -> None:
    kept = list(old.clicks.scan_by_campaign(CAMPAIGN))
    tally = build_tally_service(old, None)
    assert tally.count_clicks(kept).new_count == 0
    recounting = RecountService(old.clicks, old.campaigns, old.recipients, old.workspaces)
    found = recounting.compare(CAMPAIGN)
    assert (found.uncounted, found.differences) == ((), {})
    fresh = make_click("click-of-today", person="ada", after=3_600)
    assert old.clicks.record(fresh)
    assert tally.count_clicks([fresh]).new_count == 1


def test_recipients_their_overflow_items_and_outbox_entries(old: Repositories) -> None:
    row: RecipientRow = old.recipients.get_rows([ADA])[ADA]
    assert (row.person, row.is_full, len(row.counted_clicks)) == ("ada", True, 20)
    assert (row.total.total, row.links[SHOP].total, row.links[HOME].total) == (24, 12, 12)
    assert sum(len(sheet.counted_clicks) for sheet in old.recipients.list_overflow_items(ADA)) == 5
    visitors = old.recipients.list_link_visitors(HOME, cursor=None, limit=10).items
    assert sorted((v.person or "", v.clicks) for v in visitors) == [("", 1), ("", 1), ("ada", 12)]
    told = old.recipients.get_outbox_entries(CAMPAIGN, [7])
    assert told == {7: frozenset({b"12345678", b"abcdefgh"})}


def test_campaigns_links_counters_and_idempotency_keys(old: Repositories) -> None:
    known = old.campaigns.get(CAMPAIGN)
    assert known is not None
    assert (known.workspace, known.name, known.first_seen) == ("acme", "spring-sale", NOON)
    assert (known.kind, known.channel, known.is_sharded) == ("newsletter", "email", False)
    links = {link.id: link.definition for link in old.campaigns.list_links(CAMPAIGN)}
    assert (links[HOME].url, links[HOME].position) == ("https://example.com/?a=ü", 1)
    assert (links[SHOP].tag, links[SHOP].identity) == ("shop", "tag:shop")
    assert old.campaigns.define_links(CAMPAIGN, [links[SHOP]], NOON) == [SHOP]
    counts = old.campaigns.get_counts(CAMPAIGN)
    assert (counts.sent, counts.total.total, counts.total.people) == (3, 26, 3)
    assert counts.links[HOME] == ClickCounts(human=14, people=3, people_human=3)
    assert (counts.hours["2026-11-21T12"].human, counts.total.opens) == (26, 1)
    assert old.campaigns.count_links_by_key("9a1e77c2") == {CAMPAIGN: 6}
    assert old.campaigns.add_deliveries(CAMPAIGN, 3, "batch-1") is False


def test_the_message_of_a_campaign(old: Repositories) -> None:
    kept = SentMessage(campaign=CAMPAIGN, html="<p>Grüße</p>", rendered=True, expires=LATE)
    assert old.messages.get(CAMPAIGN) == kept


def test_settings_and_opt_outs(old: Repositories) -> None:
    assert old.workspaces.get_settings(ACME) == WorkspaceSettings(
        url_params={"utm_source": "{{ campaign.name }}"},
        cio_id=False,
        shorten=ShortLinkChannels(sms=True),
        short_link_days=None,
        track_opens=False,
        retention_days=30,
        ip="none",
        secret_links="untrack",
        schemes=("myapp",),
        never_track=("https://*/reset*",),
        events="first",
        machine_threshold=90,
    )
    wishes = old.workspaces.get_opt_outs([(ACME, BEN), (ACME, "ada")])
    assert set(wishes) == {(ACME, BEN)}
    assert wishes[ACME, BEN].derive_alias(CAMPAIGN) == "4eaf65482c545e33"
    assert wishes[ACME, BEN].since == NOON


def test_tracking_domains(old: Repositories) -> None:
    expected = make_domain(findings=HTTPS, checked=NOON)
    assert old.domains.get(ACME, HOST) == expected
    assert old.domains.get_by_host(HOST) == expected
    assert old.domains.list_by_workspace(ACME) == [expected]


def test_short_links_and_long_destinations(old: Repositories) -> None:
    for code, expires in (("256789cdhjnrtw25678", LATE), ("w" * 19, None)):
        found = old.short_links.get(code)
        assert found is not None
        assert (found.code, found.expires) == (code, expires)
        token = TokenSealer(Keyring((b"a test key of thirty-two bytes !",))).open(found.token)
        assert (token.link, token.href) == (SHOP, "https://example.com/shop")
    href = "https://example.com/" + "x" * 50
    [kept] = [item for item in GOLDEN["ShortLinks"] if item["pk"]["S"].startswith("D#")]
    assert old.short_links.get_destination(ACME, kept["pk"]["S"].rpartition("#")[2]) == href


def test_fallback_queue_messages_and_log_lines() -> None:
    full = make_click("click-full", person="ada", country="DE", asn=3320, ip="203.0.113.0")
    anonymous = full.anonymize("00112233aabbccdd", 5)
    assert [deserialize_click(body) for body in GOLDEN["parked"]] == [full, anonymous]
    [line] = GOLDEN["logged"]
    assert [Click.from_dict(found) for found in extract_clicks(line)] == [full]
