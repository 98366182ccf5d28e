"""The export of a person has everything that is stored about them, in parts."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest

from tests.click_factory import CAMPAIGN, NOON, make_click
from tests.fakes import create_in_memory_repositories
from tests.tally_factory import create_tally
from waypost.composition import Repositories
from waypost.errors import InvalidRequest
from waypost.ids import derive_open_id, extract_workspace_id
from waypost.models.campaign import (
    LinkDefinition,
    PersonalRecord,
    RecipientMark,
    recipient_hash,
)
from waypost.models.short_link import LongDestination
from waypost.privacy.export import PAGE_SIZE, PersonExport
from waypost.repositories.pagination import encode_cursor

ACME = extract_workspace_id(CAMPAIGN)
ADA = RecipientMark(recipient_hash(ACME, "p:ada"))


class Audited:
    def __init__(self) -> None:
        self.actions: list[str] = []

    def __call__(self, action: str, *, workspace: str, person: str) -> None:
        assert (workspace, "ada" in person) == (ACME, False)
        self.actions.append(action)


@pytest.fixture
def stores() -> Repositories:
    stores = create_in_memory_repositories(NOON.timestamp)
    stores.campaigns.get_or_create(
        "acme", "spring-sale", kind="campaign", channel="email", now=NOON
    )
    clicks = [make_click(f"c{n}", person="ada", after=n * 60.0) for n in range(PAGE_SIZE + 20)]
    clicks += [
        make_click("open", person="ada", link=derive_open_id(CAMPAIGN)),
        make_click("other", person="ben"),
    ]
    for click in clicks:
        stores.clicks.record(click)
    create_tally(stores).count_clicks(clicks)
    definition = LinkDefinition("url:own", "https://e.com/?email=ada", None, 1, ADA)
    stores.campaigns.define_links(CAMPAIGN, [definition], NOON)
    destination = LongDestination(ACME, "https://e.com/?long", recipient=ADA.hash)
    stores.short_links.add_destinations([destination])
    record = PersonalRecord(
        campaign=CAMPAIGN,
        recipient=ADA.hash,
        written=0,
        destinations=[destination.digest],
        codes=["BCDF"],
    )
    stores.personal_records.add([record])
    return stores


def read_all(export: PersonExport, person: str = "ada") -> tuple[list[list[Any]], list[str]]:
    """Return the lines of each part, and the audited actions."""
    parts, cursor, audited = [], None, Audited()
    while True:
        part = export.read_part("acme", person, cursor, audited)
        parts.append([json.loads(line) for line in part.text.splitlines()])
        cursor = part.cursor
        if cursor is None:
            return parts, audited.actions


def test_export_has_every_record_of_the_person_only(stores: Repositories) -> None:
    stores.workspaces.opt_out(ACME, "ada", NOON)
    parts, actions = read_all(PersonExport(stores, lambda: 0.0))
    assert actions == ["exported"]
    (lines,) = parts
    kinds = [line["record"] for line in lines]
    assert kinds.count("click") == PAGE_SIZE + 20
    others = [line for line in lines if line["record"] != "click"]
    assert [line["record"] for line in others if line["record"] in ("person", "open")] == [
        "person",
        "open",
    ]
    assert lines[0] == {
        "record": "person",
        "opted_out": True,
        "since": "2026-11-21T12:00:00.000Z",
        "erased": None,
    }
    by_kind = {line["record"]: line for line in others}
    assert by_kind["recipient"]["campaign"] == "spring-sale"
    assert by_kind["link"]["url"] == "https://e.com/?email=ada"
    assert by_kind["destination"]["href"] == "https://e.com/?long"
    assert by_kind["short_link"]["code"] == "BCDF"
    assert "ben" not in json.dumps(lines)


def test_export_in_parts_has_the_same_lines(stores: Repositories) -> None:
    ((whole,), _) = read_all(PersonExport(stores, lambda: 0.0))
    ticks = count()
    parts, actions = read_all(PersonExport(stores, lambda: next(ticks) * 15.0))
    assert len(parts) > 3
    assert [line for part in parts for line in part] == whole
    assert actions == ["exported"]


def test_unknown_person_has_one_line(stores: Repositories) -> None:
    parts, _ = read_all(PersonExport(stores, lambda: 0.0), "nobody")
    assert parts == [[{"record": "person", "opted_out": False, "since": None, "erased": None}]]


@pytest.mark.parametrize(
    "cursor", ["!", encode_cursor("x"), encode_cursor("9:"), encode_cursor("1:x")]
)
def test_invalid_cursor_is_rejected(stores: Repositories, cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        PersonExport(stores, lambda: 0.0).read_part("acme", "ada", cursor, Audited())
