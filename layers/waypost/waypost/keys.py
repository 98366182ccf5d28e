"""Where the keyring comes from: one secret, cached, served stale when the secret store is down.

The secret is JSON, in one of two forms:

    {"keys": [{"id": "9a1e77c2", "secret": "<base64url>"}, …]}  oldest first, the last one signs
    {"seed": "<32 characters or more>"}                         as CloudFormation makes it

The seed is what a stack starts with before its first rotation, since CloudFormation can generate
a string but not a list; it is one key, and rotation writes it on as the first of the list.
"""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Final, Protocol

from waypost.errors import StoreUnavailable
from waypost.observability import Metric, count
from waypost.tokens.signing import Keyring

FRESH_SECONDS: Final = 300
"""How long a keyring is used before it is read again: a new key signs everywhere within this
time.
"""

RELOAD_SECONDS: Final = 30
"""How often at most an unknown signature may make a function read the keyring early."""


class SecretReader(Protocol):
    """The one call of Secrets Manager that is needed; boto3's client has it."""

    def get_secret_value(self, *, SecretId: str) -> dict[str, object]: ...  # noqa: N803


class KeyringSource:
    """Gives the current keyring, reading the secret only when it is time to.

    ``now`` is a monotonic clock in seconds.
    """

    def __init__(
        self, client: SecretReader, secret_id: str, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._secret_id = secret_id
        self._now = now
        self._keyring: Keyring | None = None
        self._read_at = 0.0
        self._early_until = float("-inf")

    def current(self) -> Keyring:
        """The keyring, at most ``FRESH_SECONDS`` old, or older where the secret store is down.

        Raises StoreUnavailable only where no keyring was ever read.
        """
        if self._keyring is None or self._now() - self._read_at >= FRESH_SECONDS:
            return self._read()
        return self._keyring

    def reloaded(self) -> Keyring | None:
        """A keyring read anew because a signature was unknown; None where nothing new is to be had.

        A flood of forged links reads the secret at most once in ``RELOAD_SECONDS``. However fresh
        the keyring is, the key may be fresher: who sends right after a rotation has the new one.
        """
        if self._now() < self._early_until:
            return None
        self._early_until = self._now() + RELOAD_SECONDS
        before = self._keyring
        after = self._read()
        return None if after == before else after

    def _read(self) -> Keyring:
        try:
            answer = self._client.get_secret_value(SecretId=self._secret_id)
            self._keyring = parse_keyring(str(answer["SecretString"]))
        except Exception as e:
            if self._keyring is None:
                raise StoreUnavailable("the keyring cannot be read") from e
            count(Metric.KEYRING_STALE)
        self._read_at = self._now()
        return self._keyring


def parse_keyring(secret: str) -> Keyring:
    """Read the JSON of the secret. Raises ValueError that says what is wrong, not the secret."""
    return Keyring(tuple(_keys(secret)))


def rotated(secret: str, key: bytes) -> str:
    """The secret with one more key, which signs from now on; all others go on verifying.

    Raises ValueError where the key is too short, or there already.
    """
    keys = _keys(secret)
    if key in keys:
        raise ValueError("the key is there already")
    return _written([*keys, key])


def retired(secret: str, fingerprint: str) -> str:
    """The secret without one key. Every link that it signed leads nowhere from now on.

    ``fingerprint`` names the key as ``Keyring.fingerprints`` does. Raises ValueError for a key that
    is not there, and for the one that signs: rotate first.
    """
    keyring = parse_keyring(secret)
    if fingerprint not in keyring.fingerprints:
        raise ValueError(f"there is no key {fingerprint}")
    if fingerprint == keyring.fingerprints[-1]:
        raise ValueError(f"the key {fingerprint} signs; add another one first")
    named = zip(keyring.fingerprints, keyring.keys, strict=True)
    return _written([key for name, key in named if name != fingerprint])


def _keys(secret: str) -> list[bytes]:
    try:
        value = json.loads(secret)
    except ValueError:
        raise ValueError("the keyring is not JSON") from None
    if not isinstance(value, dict):
        raise ValueError("the keyring is not an object")
    if "keys" in value:
        try:
            return [_decoded(key["secret"]) for key in value["keys"]]
        except (LookupError, TypeError):
            raise ValueError("the keyring has a key without a secret") from None
    if len(str(value.get("seed", ""))) < 32:
        raise ValueError("the keyring has neither keys nor a seed of 32 characters")
    return [sha256(value["seed"].encode()).digest()]


def _written(keys: list[bytes]) -> str:
    names = Keyring(tuple(keys)).fingerprints
    listed = [
        {"id": name, "secret": urlsafe_b64encode(key).decode()}
        for name, key in zip(names, keys, strict=True)
    ]
    return json.dumps({"keys": listed})


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
