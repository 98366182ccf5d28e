"""Test the count of links that each key signed, which retiring the key would break."""

from __future__ import annotations

import pytest

from tests.fakes import (
    InMemoryCampaignRepository,
    InMemoryWorkspaceRepository,
)
from tests.rewrite_harness import create_rewrite_service
from waypost.ids import derive_campaign_id
from waypost.rewrite.schemas import validate_rewrite_request
from waypost.tokens import Keyring, TokenSealer

OLD, NEW = b"o" * 32, b"n" * 32
SALE = derive_campaign_id("acme", "sale")
TWO_LINKS = """<body><a href="https://e.com/a">a</a><a href="https://e.com/b">b</a>
<a class="untracked" href="https://e.com/c">c</a></body>"""


class Pipeline:
    """Sends one message repeatedly."""

    def __init__(self) -> None:
        self.keyring = Keyring((OLD,))
        self.campaigns = InMemoryCampaignRepository()
        self.workspaces = InMemoryWorkspaceRepository()
        self.sending = create_rewrite_service(
            campaigns=self.campaigns,
            workspaces=self.workspaces,
            get_sealer=lambda: TokenSealer(self.keyring),
        )

    def send(self, people: int, *, html: str = TWO_LINKS, **more: object) -> None:
        recipients = [{"delivery": f"d{n}", "person": f"p{n}"} for n in range(people)]
        body = {"workspace": "acme", "campaign": "sale", "content": {"html": html}}
        self.sending.rewrite(validate_rewrite_request(body | {"recipients": recipients} | more))

    def signed(self, key: bytes) -> int:
        (fingerprint,) = Keyring((key,)).fingerprints
        return self.campaigns.count_links_by_key(fingerprint).get(SALE, 0)


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline()


def test_every_tracked_link_of_every_message_counts_for_its_key(pipeline: Pipeline) -> None:
    pipeline.send(150)
    pipeline.send(10)
    assert pipeline.signed(OLD) == 320


def test_after_a_rotation_links_count_for_the_new_key(pipeline: Pipeline) -> None:
    pipeline.send(3)
    pipeline.keyring = Keyring((OLD, NEW))
    pipeline.send(5)
    assert (pipeline.signed(OLD), pipeline.signed(NEW)) == (6, 10)


def test_a_message_repeated_under_its_idempotency_key_counts_once(pipeline: Pipeline) -> None:
    for _ in range(2):
        pipeline.send(3, idempotency_key="batch-1")
    assert pipeline.signed(OLD) == 6


def test_failed_recipient_counts_no_signatures(pipeline: Pipeline) -> None:
    liquid = '<a href="https://e.com/{{ x }}">a</a>'
    people = [{"delivery": "d1", "data": {"x": 1}}, {"delivery": "d2", "data": {}}]
    pipeline.send(0, html=liquid, liquid=True, recipients=people)
    assert pipeline.signed(OLD) == 1


def test_a_dry_run_signs_nothing(pipeline: Pipeline) -> None:
    pipeline.send(3, dry_run=True)
    assert pipeline.signed(OLD) == 0
