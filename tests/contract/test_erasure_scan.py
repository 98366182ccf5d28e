"""After an erasure, no table, object or queue has the person without an expiry.

Each place is filled by the function that fills it: rewrite, redirect, tally and drain.
"""

from __future__ import annotations

import json
import zlib
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import astuple, replace
from datetime import timedelta
from random import Random
from typing import Any
from urllib.parse import quote, quote_plus

from tests.click_factory import NOON, make_click
from tests.dynamodb_tables import TemporaryTables
from tests.rewrite_harness import FakeBaseUrls
from tests.tally_factory import create_tally
from waypost.clicks.fallback_queue import serialize_click
from waypost.composition import (
    Repositories,
    build_late_click_recorder,
    build_rewrite_service,
)
from waypost.ids import derive_campaign_id, derive_workspace_id
from waypost.maintenance.replay import replay_clicks
from waypost.models.campaign import LinkDefinition
from waypost.models.click import Click
from waypost.models.workspace import ShortLinkChannels, WorkspaceSettings
from waypost.privacy.erasure import IN_FLIGHT_WINDOW, Erasure
from waypost.rewrite.schemas import validate_rewrite_request
from waypost.tokens import Keyring, TokenSealer

ACME = derive_workspace_id("acme")
CAMPAIGN = derive_campaign_id("acme", "letters")
PERSON, EMAIL = "person-4711", "ada.lovelace@example.com"
LONG = Random(1).randbytes(1_500).hex()
SEALER = TokenSealer(Keyring((b"a test key of thirty-two bytes !",)))


def list_needles() -> set[str]:
    """Return the person's identifiers in each form in which they may be stored."""
    needles = set()
    for text in (PERSON, EMAIL, f"d-{PERSON}"):
        needles |= {text, quote(text, safe=""), quote_plus(text), text.encode().hex()}
        for encode in (b64encode, urlsafe_b64encode):  # at each offset of a group of three bytes
            for offset in range(3):
                encoded = encode(b"x" * offset + text.encode()).decode().rstrip("=")
                needles.add(encoded[4:-2] if offset else encoded[:-2])
    return needles


def find_remainders(tables: TemporaryTables) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each item that has the person in any form."""
    needles = list_needles()
    for table in astuple(tables.names):
        for page in tables.client.get_paginator("scan").paginate(TableName=table):  # type: ignore[attr-defined]
            for item in page["Items"]:
                text = json.dumps(item, default=lambda data: data.decode("latin-1"))
                if "html" in item:
                    text += _inflate(item["html"]["B"])
                if any(needle in text for needle in needles):
                    yield table, item


def _inflate(data: bytes) -> str:
    return zlib.decompress(data).decode()


def send(stores: Repositories, person: str, email: str, **body: Any) -> None:
    service = build_rewrite_service(
        stores, FakeBaseUrls(), lambda: SEALER, retention_days=400, now=lambda: NOON
    )
    html = (
        f"Dear {email} <a href='https://e.com/?email={quote(email)}'>own</a>"
        f"<a data-cio-tag=cta href='https://e.com/u?email={quote(email)}'>tagged</a>"
        f"<a href='https://e.com/?email={quote(email)}&q={LONG}'>long</a>"
        "<a href='https://e.com/sale'>sale</a>"
    )
    request = {
        "workspace": "acme",
        "campaign": "letters",
        "content": {"html": html},
        "recipients": [{"delivery": f"d-{person}", "person": person}],
    }
    service.rewrite(validate_rewrite_request(request | body))


def make_own_click(id_: str, **changes: Any) -> Click:
    href = f"https://e.com/?email={quote(EMAIL)}"
    click = make_click(id_, person=PERSON, campaign=CAMPAIGN, **changes)
    return replace(click, href=href, delivery=f"d-{PERSON}")


def fill_every_place(stores: Repositories) -> list[str]:
    """Store data of the person everywhere; return the bodies of queued messages."""
    settings = WorkspaceSettings(shorten=ShortLinkChannels(sms=True), short_link_days=None)
    stores.workspaces.save_settings("acme", settings)
    send(stores, PERSON, EMAIL)
    send(stores, "ben", "ben@example.com")
    text = {"text": f"https://e.com/?email={EMAIL}"}
    send(stores, PERSON, EMAIL, channel="sms", campaign="texts", content=text)
    stores.workspaces.save_settings("acme", replace(settings, short_link_days=90))
    send(stores, PERSON, EMAIL, channel="sms", campaign="texts", content=text)
    no_person = [{"delivery": "d-unknown"}]
    send(stores, "", EMAIL, recipients=no_person, campaign="unknown")
    clicks = [make_own_click(f"c{n}", after=n * 60.0) for n in range(30)]
    for click in clicks:
        stores.clicks.record(click)
    create_tally(stores).count_clicks(clicks)
    return [serialize_click(make_own_click(f"late-{n}", after=2_000.0 + n)) for n in range(3)]


def test_erasure_leaves_nothing_of_the_person_without_an_expiry(
    dynamodb_stores: Repositories, tables: TemporaryTables
) -> None:
    stores = Repositories(tables.client, tables.names, NOON.timestamp)
    queued = fill_every_place(stores)
    before = {item["pk"]["S"][:2] for _, item in find_remainders(tables)}
    assert {"C#", "R#", "D#", "S#"} <= before
    for moment in (NOON, NOON + IN_FLIGHT_WINDOW, NOON + 2 * IN_FLIGHT_WINDOW):
        progress = Erasure(stores).erase(ACME, PERSON, moment)
        assert progress.is_complete
    assert progress.final_at <= moment
    late = replay_clicks("\n".join(queued), build_late_click_recorder(stores), create_tally(stores))
    assert (late.recorded, late.failed) == (3, 0)
    remainders = list(find_remainders(tables))
    assert [(table, item) for table, item in remainders if "expires" not in item] == []
    assert {item["pk"]["S"][:2] for _, item in remainders} <= {"C#", "D#", "S#"}
    recipients = {item.get("recipient", {}).get("S") for _, item in remainders}
    assert len(recipients - {None}) == 1  # of the recipient without a person


def test_erasure_leaves_the_links_and_the_message_of_others(
    dynamodb_stores: Repositories, tables: TemporaryTables
) -> None:
    stores = Repositories(tables.client, tables.names, NOON.timestamp)
    fill_every_place(stores)
    Erasure(stores).erase(ACME, PERSON, NOON + timedelta(hours=1))
    links: list[LinkDefinition] = [e.definition for e in stores.campaigns.list_links(CAMPAIGN)]
    urls = sorted(definition.url for definition in links)
    assert [url[:40] for url in urls if url] == [
        "https://e.com/?email=ben%40example.com",
        "https://e.com/?email=ben%40example.com&q"[:40],
        "https://e.com/sale",
        "https://e.com/u",
    ]
    assert urls.count("") == 2
    archived = stores.messages.get(CAMPAIGN)
    assert "Dear ben@example.com" in getattr(archived, "html", "")
