"""Whether a share is opened depends on the keys as they are, not as they were first read."""

import json
from base64 import urlsafe_b64encode
from hashlib import sha256

import pytest

from tests.clicks import NOON
from waypost.errors import ShareAccessDenied
from waypost.reports.share_links import ShareScope, ShareSigner, ShareSignerSource
from waypost.tokens.keyring import MIN_RELOAD_INTERVAL_SECONDS, KeyringSource, KeySchedule

SCOPE = ShareScope("acme", "spring")


class Secret:
    """The keyring's secret; rotating adds a key."""

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

    def share(self) -> str:
        return ShareSigner(
            KeySchedule.parse(self.text).build_keyring(0), lambda: NOON
        ).create_token(SCOPE, 1)


@pytest.fixture
def secret() -> Secret:
    return Secret()


@pytest.fixture
def signers(secret) -> ShareSignerSource:
    """Signers at noon, over a keyring read long enough ago to be reloaded."""
    clock = [0.0]
    keyring_source = KeyringSource(secret, "keyring", lambda: clock[0])
    keyring_source.get_keyring()
    clock[0] = MIN_RELOAD_INTERVAL_SECONDS
    return ShareSignerSource(keyring_source, NOON.timestamp)


def test_a_share_is_opened(secret, signers):
    assert signers.verify_token(secret.share()).scope == SCOPE


def test_a_share_signed_with_a_newer_key_is_opened_at_once(secret, signers):
    secret.keys = 2
    assert signers.verify_token(secret.share()).scope == SCOPE


def test_rotating_the_keys_revokes_shares_once_they_are_read_again(secret, signers):
    before = secret.share()
    secret.keys = 2
    signers.verify_token(secret.share())
    with pytest.raises(ShareAccessDenied):
        signers.verify_token(before)
    assert signers.verify_token(secret.share())
