"""DynamoDB items of tracking domains, and the items of version 1."""

import json

from tests.unit.domains.builders import HTTPS, NOW, make_domain
from waypost.domains.state_machine import apply_check_result
from waypost.models import attributes
from waypost.models.attributes import Item
from waypost.models.tracking_domain import (
    claim_from_item,
    claim_to_item,
    domain_from_item,
    domain_to_item,
)

# Version 1 wrote this item; every later version must read it.
VERSION_1_ITEM: Item = {
    "pk": {"S": "W#4df3b1e7"},
    "sk": {"S": "D#links.acme.com"},
    "version": {"N": "3"},
    "domain": {
        "S": json.dumps(
            {
                "workspace": "4df3b1e7",
                "workspace_name": "acme",
                "host": "links.acme.com",
                "sending": {
                    "domain": "acme.com",
                    "verified": True,
                    "by_operator": False,
                    "since": "2026-11-21T10:00:00+00:00",
                },
                "proof": "f00d",
                "added": "2026-11-21T10:00:00+00:00",
                "use": "on",
                "stage": "https",
                "since": "2026-11-21T10:05:00+00:00",
                "failures": 0,
                "proven": False,
                "findings": {
                    "dns": {
                        "verdict": "cname",
                        "chain": ["links.acme.com", "e.waypost.example"],
                        "addresses": ["93.184.215.14"],
                        "proof": False,
                        "settled": True,
                        "wildcard": False,
                    },
                    "http": {"outcome": "ours", "detail": "", "hsts": None, "at_edge": True},
                    "https": {"outcome": "ours", "detail": "", "hsts": None, "at_edge": True},
                    "hsts": {"source": "none", "name": ""},
                    "caa": {"allows": "unknown", "name": "", "issuers": []},
                },
                "lit": [["dns", "green", "2026-11-21T10:05:00+00:00"]],
                "certificate": {
                    "status": "issued",
                    "requested": "2026-11-21T10:00:00+00:00",
                    "problem": None,
                },
                "app_links": {"ios": [], "android": [], "urls": []},
                "checked": "2026-11-21T10:05:00+00:00",
                "due": "2026-11-21T10:20:00+00:00",
                "history": [
                    {
                        "at": "2026-11-21T10:05:00+00:00",
                        "before": "issuing",
                        "after": "https",
                        "reason": "dns cname, http ours, https ours",
                    }
                ],
                "a_key_of_a_newer_version": True,
            }
        )
    },
}


def test_domain_item_of_version_1_is_readable() -> None:
    domain = domain_from_item(VERSION_1_ITEM)
    assert (domain.host, domain.stage, domain.version, domain.is_usable) == (
        "links.acme.com",
        "https",
        3,
        True,
    )
    assert domain.history[0].after == "https"
    assert domain.findings is not None
    assert domain.findings.dns.chain == ("links.acme.com", "e.waypost.example")


def test_domain_item_survives_a_write_of_its_parsed_value() -> None:
    assert domain_from_item(domain_to_item(domain_from_item(VERSION_1_ITEM))) == domain_from_item(
        VERSION_1_ITEM
    )


def test_claim_item_has_workspace_host_and_due_time() -> None:
    domain = apply_check_result(make_domain(), HTTPS, NOW)
    assert claim_from_item(claim_to_item(domain)) == (domain.workspace, domain.host, domain.due)


def test_domain_and_claim_items_have_partitions_of_their_own() -> None:
    keys = [
        attributes.get_text(to_item(make_domain()), "pk")
        for to_item in (domain_to_item, claim_to_item)
    ]
    assert keys == [f"W#{make_domain().workspace}", "D"]
