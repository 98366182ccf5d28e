"""Whether a share is opened depends on the keys as they are, not as they were first read."""

import json
from base64 import urlsafe_b64encode
from hashlib import sha256

import pytest

from tests.clicks import NOON
from waypost.api.dependencies import Services
from waypost.errors import NotShared
from waypost.reports.share_links import Scope, Sharer
from waypost.tokens.keyring import RELOAD_SECONDS, KeyList, KeyringSource

SCOPE = Scope("acme", "spring")


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
        return Sharer(KeyList.parse(self.text).at(0), lambda: NOON).token(SCOPE, 1)


@pytest.fixture
def secret() -> Secret:
    return Secret()


@pytest.fixture
def services(secret) -> Services:
    """Services at noon, whose keys are as old as ``clock[0]`` seconds say."""
    made = Services(NOON.timestamp)
    clock = [0.0]
    made.keys = KeyringSource(secret, "keyring", lambda: clock[0])
    made.keys.current()
    clock[0] = RELOAD_SECONDS
    return made


def test_a_share_is_opened(secret, services):
    assert services.opened(secret.share()).scope == SCOPE


def test_a_share_signed_with_a_newer_key_is_opened_at_once(secret, services):
    secret.keys = 2
    assert services.opened(secret.share()).scope == SCOPE


def test_rotating_the_keys_revokes_shares_once_they_are_read_again(secret, services):
    before = secret.share()
    secret.keys = 2
    services.opened(secret.share())
    with pytest.raises(NotShared):
        services.opened(before)
    assert services.opened(secret.share())
