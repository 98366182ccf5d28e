"""Verification of share links while the keyring changes."""

import json
from base64 import urlsafe_b64encode
from hashlib import sha256

import pytest

from tests.click_factory import NOON
from waypost.errors import ShareAccessDenied
from waypost.reports.share_links import ShareScope, ShareSigner, ShareSignerSource
from waypost.tokens.keyring import MIN_RELOAD_INTERVAL_SECONDS, KeyringSource, KeySchedule

SCOPE = ShareScope("acme", "spring")


class RotatableSecret:
    """The keyring's secret with ``keys`` keys."""

    def __init__(self) -> None:
        self.keys = 1

    @property
    def text(self) -> str:
        secrets = [
            urlsafe_b64encode(sha256(bytes([n])).digest()).decode() for n in range(self.keys)
        ]
        return json.dumps({"keys": [{"id": str(n), "secret": s} for n, s in enumerate(secrets)]})

    def get_secret_value(self, *, SecretId: str) -> dict[str, object]:  # noqa: N803
        return {"SecretString": self.text}

    def create_token(self) -> str:
        return ShareSigner(
            KeySchedule.parse(self.text).build_keyring(0), lambda: NOON
        ).create_token(SCOPE, 1)


@pytest.fixture
def secret() -> RotatableSecret:
    return RotatableSecret()


@pytest.fixture
def signers(secret) -> ShareSignerSource:
    """Signers at noon, with a cached keyring that may be reloaded."""
    clock = [0.0]
    keyring_source = KeyringSource(secret, "keyring", lambda: clock[0])
    keyring_source.get_keyring()
    clock[0] = MIN_RELOAD_INTERVAL_SECONDS
    return ShareSignerSource(keyring_source, NOON.timestamp)


def test_a_share_link_is_valid(secret, signers):
    assert signers.verify_token(secret.create_token()).scope == SCOPE


def test_a_share_link_signed_with_a_newer_key_is_valid_at_once(secret, signers):
    secret.keys = 2
    assert signers.verify_token(secret.create_token()).scope == SCOPE


def test_key_rotation_revokes_share_links_after_a_reload(secret, signers):
    before = secret.create_token()
    secret.keys = 2
    signers.verify_token(secret.create_token())
    with pytest.raises(ShareAccessDenied):
        signers.verify_token(before)
    assert signers.verify_token(secret.create_token())
