"""What the keyring's secret says: which keys there are, and from when each signs.

The secret is JSON, in one of two forms:

    {"keys": [{"id": "9a1e77c2", "secret": "<base64url>", "signs_from": "2026-11-22T03:10:00Z"}, …]}
    {"seed": "<32 characters or more>"}                         as CloudFormation makes it

Keys stand oldest first, and all of them verify. Of those whose time has come the last one signs; a
key without ``signs_from`` (as all were written at first) may sign from the beginning. So a new key
is known everywhere before anything is signed with it.

The seed is what a stack starts with before its first rotation, since CloudFormation can generate
a string but not a list; it is one key, and rotation writes it on as the first of the list.

Where the keyring comes from: one secret, cached, served stale when the secret store is down.
"""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, Protocol, Self

from waypost.cache import Cache
from waypost.errors import StoreUnavailable
from waypost.observability import Metric, emit_metric
from waypost.tokens.signer import Keyring, TokenSealer


@dataclass(frozen=True, slots=True, repr=False)
class SigningKey:
    """One key. ``signs_from`` in seconds since 1970; 0: from the beginning."""

    secret: bytes
    signs_from: float = 0

    @property
    def fingerprint(self) -> str:
        return Keyring((self.secret,)).fingerprints[0]


@dataclass(frozen=True, slots=True, repr=False)
class KeySchedule:
    """The keys that a secret lists, oldest first. Times are seconds since 1970."""

    keys: tuple[SigningKey, ...]

    @classmethod
    def parse(cls, secret: str) -> Self:
        """Read a secret. Raises ValueError that says what is wrong, and nothing that is secret."""
        try:
            value = json.loads(secret)
        except ValueError:
            raise ValueError("the keyring is not JSON") from None
        if not isinstance(value, dict):
            raise ValueError("the keyring is not an object")
        listed = cls(
            _parse_keys(value) if "keys" in value else (_derive_initial_key(value.get("seed", "")),)
        )
        listed.build_keyring(0)  # what makes no keyring is refused here
        return listed

    def build_keyring(self, now: float) -> Keyring:
        """All keys, the one that signs at a moment last."""
        signing = self.get_signing_key(now)
        others = (key.secret for key in self.keys if key is not signing)
        return Keyring((*others, signing.secret) if signing else ())

    def get_signing_key(self, now: float) -> SigningKey | None:
        """The key that signs at a moment: the oldest, where the time of none has come."""
        ready = [key for key in self.keys if key.signs_from <= now]
        return (ready[-1:] or self.keys[:1] or (None,))[0]

    def add_key(self, secret: bytes, signs_from: float) -> Self:
        """The keys with one more, which signs from then on; all others go on verifying.

        Raises ValueError where the key is too short, or there already.
        """
        if any(key.secret == secret for key in self.keys):
            raise ValueError("the key is there already")
        rotated = type(self)((*self.keys, SigningKey(secret, signs_from)))
        rotated.build_keyring(0)
        return rotated

    def remove_key(self, fingerprint: str, now: float) -> Self:
        """The keys without one. Every link that it signed leads nowhere from now on.

        ``fingerprint`` names the key as ``Keyring.fingerprints`` does. Raises ValueError for a key
        that is not there, and for the one that signs now.
        """
        named = {key.fingerprint: key for key in self.keys}
        if fingerprint not in named:
            raise ValueError(f"there is no key {fingerprint}; there are {', '.join(named)}")
        if named[fingerprint] is self.get_signing_key(now):
            raise ValueError(f"the key {fingerprint} signs; have another one sign first")
        return type(self)(tuple(key for key in self.keys if key is not named[fingerprint]))

    def to_json(self) -> str:
        """The secret's JSON."""
        return json.dumps({"keys": [_key_to_dict(key) for key in self.keys]})


def _parse_keys(value: Mapping[str, Any]) -> tuple[SigningKey, ...]:
    try:
        return tuple(
            SigningKey(_decode_base64url(key["secret"]), _parse_time(key.get("signs_from")))
            for key in value["keys"]
        )
    except (LookupError, TypeError, AttributeError):
        raise ValueError("the keyring has a key without a secret") from None


def _derive_initial_key(seed: object) -> SigningKey:
    if not isinstance(seed, str) or len(seed) < 32:
        raise ValueError("the keyring has neither keys nor a seed of 32 characters")
    return SigningKey(sha256(seed.encode()).digest())


def _parse_time(signs_from: object) -> float:
    if signs_from is None:
        return 0
    try:
        moment = datetime.fromisoformat(str(signs_from))
    except ValueError:
        raise ValueError("the keyring has a key whose time cannot be read") from None
    if moment.tzinfo is None:
        raise ValueError("the keyring has a key whose time names no zone")
    return moment.timestamp()


def _key_to_dict(key: SigningKey) -> dict[str, str]:
    written = {"id": key.fingerprint, "secret": urlsafe_b64encode(key.secret).decode()}
    if key.signs_from:
        written["signs_from"] = format_utc(key.signs_from)
    return written


def format_utc(seconds: float) -> str:
    """A moment as people and the secret read it: RFC 3339, UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _decode_base64url(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


KEYRING_TTL_SECONDS: Final = 300
"""How long the keys are used before they are read again."""

KEYRING_RETRY_SECONDS: Final = 60
"""How long they are used on where reading them failed."""

MIN_RELOAD_INTERVAL_SECONDS: Final = 30
"""How often at most an unknown signature may make a function read the keys early."""

KEY_PROPAGATION_SECONDS: Final = 600
"""After how long a new key is known wherever the secret store answers: once the keys that a process
has are no longer fresh, reading them may fail four times in a row.
"""


class SecretsClient(Protocol):
    """The one call of Secrets Manager that is needed; boto3's client has it."""

    def get_secret_value(self, *, SecretId: str) -> dict[str, object]: ...  # noqa: N803


class KeyringSource:
    """Gives the current keyring, and what seals with it; reads the secret only when it is time to.

    ``clock`` gives seconds since 1970, since processes have to agree on when a key begins to sign;
    a process that was frozen between two clicks has aged by that time as well.
    """

    def __init__(
        self, client: SecretsClient, secret_id: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._secret_id = secret_id
        self._clock = clock
        self._schedules = Cache[str, KeySchedule](
            1,
            ttl_seconds=KEYRING_TTL_SECONDS,
            retry_seconds=KEYRING_RETRY_SECONDS,
            stale_on=StoreUnavailable,
            clock=clock,
        )
        self._next_reload_at = float("-inf")
        self._sealer_cache: tuple[Keyring, TokenSealer] | None = None

    def get_keyring(self) -> Keyring:
        """The keyring, at most ``FRESH_SECONDS`` old, or older where the secret store is down.

        Raises StoreUnavailable only where no keyring was ever read.
        """
        schedule = self._schedules.get_or_load(self._secret_id, self._load_schedule)
        return schedule.build_keyring(self._clock())

    def get_sealer(self) -> TokenSealer:
        """What seals and opens under the current keyring; the same one while the keyring is."""
        keyring, sealed = self.get_keyring(), self._sealer_cache
        if sealed is None or sealed[0] != keyring:
            self._sealer_cache = sealed = keyring, TokenSealer(keyring)
        return sealed[1]

    def reload_keyring(self) -> Keyring | None:
        """A keyring read anew because a signature was unknown; None where nothing new is to be had.

        A flood of forged links reads the secret at most once in ``RELOAD_SECONDS``. However fresh
        the keyring is, the key may be fresher: one that had to sign at once.
        """
        now = self._clock()
        if now < self._next_reload_at:
            return None
        self._next_reload_at = now + MIN_RELOAD_INTERVAL_SECONDS
        before = self._schedules.get_stale(self._secret_id)
        after = self._schedules.reload(self._secret_id, self._load_schedule)
        return None if after == before else after.build_keyring(now)

    def _load_schedule(self) -> KeySchedule:
        try:
            response = self._client.get_secret_value(SecretId=self._secret_id)
            return KeySchedule.parse(str(response["SecretString"]))
        except Exception as e:
            emit_metric(Metric.KEYRING_STALE)
            raise StoreUnavailable("the keyring cannot be read") from e
