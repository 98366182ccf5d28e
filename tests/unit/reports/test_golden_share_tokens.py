"""Share tokens of version 1, which are valid for up to 90 days, keep their meaning."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from waypost.reports.share_links import ShareGrant, ShareScope, ShareSigner
from waypost.tokens.signer import Keyring

VECTORS = json.loads((Path(__file__).parent / "golden_shares_v1.json").read_text("utf-8"))
SIGNED_AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_share_token_of_version_1_keeps_its_scope_and_expiry(vector):
    signer = ShareSigner(Keyring((b"a test key of thirty-two bytes !",)), lambda: SIGNED_AT)
    expected = ShareGrant(ShareScope(**vector["scope"]), datetime.fromisoformat(vector["expires"]))
    assert signer.verify_token(vector["token"]) == expected
