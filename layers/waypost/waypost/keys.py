"""Where the keyring comes from: one secret, cached, served stale when the secret store is down."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

from waypost.errors import StoreUnavailable
from waypost.observability import Metric, count
from waypost.tokens import Keyring, Sealer
from waypost.tokens.keyring import KeyList

FRESH_SECONDS: Final = 300
"""How long the keys are used before they are read again."""

RETRY_SECONDS: Final = 60
"""How long they are used on where reading them failed."""

RELOAD_SECONDS: Final = 30
"""How often at most an unknown signature may make a function read the keys early."""

KNOWN_SECONDS: Final = 600
"""After how long a new key is known wherever the secret store answers: once the keys that a process
has are no longer fresh, reading them may fail four times in a row.
"""


class SecretReader(Protocol):
    """The one call of Secrets Manager that is needed; boto3's client has it."""

    def get_secret_value(self, *, SecretId: str) -> dict[str, object]: ...  # noqa: N803


class KeyringSource:
    """Gives the current keyring, and what seals with it; reads the secret only when it is time to.

    ``clock`` gives seconds since 1970, since processes have to agree on when a key begins to sign;
    a process that was frozen between two clicks has aged by that time as well.
    """

    def __init__(
        self, client: SecretReader, secret_id: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._secret_id = secret_id
        self._clock = clock
        self._keys: KeyList | None = None
        self._fresh_until = float("-inf")
        self._early_again_at = float("-inf")
        self._sealed: tuple[Keyring, Sealer] | None = None

    def current(self) -> Keyring:
        """The keyring, at most ``FRESH_SECONDS`` old, or older where the secret store is down.

        Raises StoreUnavailable only where no keyring was ever read.
        """
        now, keys = self._clock(), self._keys
        if keys is None or now >= self._fresh_until:
            keys = self._read(now)
        return keys.at(now)

    def sealer(self) -> Sealer:
        """What seals and opens under the current keyring; the same one while the keyring is."""
        keyring, sealed = self.current(), self._sealed
        if sealed is None or sealed[0] != keyring:
            self._sealed = sealed = keyring, Sealer(keyring)
        return sealed[1]

    def reloaded(self) -> Keyring | None:
        """A keyring read anew because a signature was unknown; None where nothing new is to be had.

        A flood of forged links reads the secret at most once in ``RELOAD_SECONDS``. However fresh
        the keyring is, the key may be fresher: one that had to sign at once.
        """
        now, before = self._clock(), self._keys
        if now < self._early_again_at:
            return None
        self._early_again_at = now + RELOAD_SECONDS
        after = self._read(now)
        return None if after == before else after.at(now)

    def _read(self, now: float) -> KeyList:
        try:
            answer = self._client.get_secret_value(SecretId=self._secret_id)
            self._keys = KeyList.parse(str(answer["SecretString"]))
            self._fresh_until = now + FRESH_SECONDS
        except Exception as e:
            count(Metric.KEYRING_STALE)
            if self._keys is None:
                raise StoreUnavailable("the keyring cannot be read") from e
            self._fresh_until = now + RETRY_SECONDS
        return self._keys
