"""Share links live for up to ninety days: those of version 1 are read as they were meant."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from waypost.reports.share_links import ShareGrant, ShareScope, ShareSigner
from waypost.tokens.signer import Keyring

VECTORS = json.loads((Path(__file__).parent / "golden_shares_v1.json").read_text("utf-8"))
MADE = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_share_of_version_1_shows_what_it_was_made_for(vector):
    sharer = ShareSigner(Keyring((b"a test key of thirty-two bytes !",)), lambda: MADE)
    meant = ShareGrant(ShareScope(**vector["scope"]), datetime.fromisoformat(vector["expires"]))
    assert sharer.verify_token(vector["token"]) == meant
