import json
from base64 import urlsafe_b64encode

import pytest

from waypost.errors import StoreUnavailable
from waypost.tokens import Keyring
from waypost.tokens.keyring import (
    KEY_PROPAGATION_SECONDS,
    KEYRING_RETRY_SECONDS,
    KEYRING_TTL_SECONDS,
    MIN_RELOAD_INTERVAL_SECONDS,
    KeyringSource,
    KeySchedule,
)


def secret(*keys: bytes) -> str:
    listed = [{"id": str(n), "secret": urlsafe_b64encode(k).decode()} for n, k in enumerate(keys)]
    return json.dumps({"keys": listed})


OLD, NEW = b"o" * 32, b"n" * 33  # 33 bytes need no padding, 32 do


class Secrets:
    """A secret store that counts its reads and can be unavailable."""

    def __init__(self, value: str) -> None:
        self.value, self.reads, self.down = value, 0, False

    def get_secret_value(self, *, SecretId: str) -> dict[str, object]:  # noqa: N803
        self.reads += 1
        if self.down:
            raise TimeoutError(SecretId)
        return {"SecretString": self.value}


class Clock:
    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def secrets() -> Secrets:
    return Secrets(secret(OLD))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def source(secrets: Secrets, clock: Clock) -> KeyringSource:
    return KeyringSource(secrets, "keyring", clock)


def test_secret_is_read_once_within_its_ttl(source: KeyringSource, secrets: Secrets) -> None:
    assert source.get_keyring() == source.get_keyring() == Keyring((OLD,))
    assert secrets.reads == 1


def test_rotated_key_is_used_after_the_ttl(
    source: KeyringSource, secrets: Secrets, clock: Clock
) -> None:
    source.get_keyring()
    secrets.value = secret(OLD, NEW)
    clock.seconds += KEYRING_TTL_SECONDS
    assert source.get_keyring() == Keyring((OLD, NEW))


def test_stale_keyring_is_used_if_the_secret_cannot_be_read(
    source: KeyringSource, secrets: Secrets, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    source.get_keyring()
    secrets.down = True
    clock.seconds += KEYRING_TTL_SECONDS
    assert source.get_keyring() == Keyring((OLD,))
    assert "KeyringStale" in capsys.readouterr().out


def test_unavailable_secret_is_not_read_at_every_click(
    source: KeyringSource, secrets: Secrets, clock: Clock
) -> None:
    source.get_keyring()
    secrets.down = True
    clock.seconds += KEYRING_TTL_SECONDS
    for _ in range(10):
        source.get_keyring()
    assert secrets.reads == 2


def test_missing_keyring_raises_store_unavailable_and_emits_a_metric(
    source: KeyringSource, secrets: Secrets, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets.down = True
    with pytest.raises(StoreUnavailable):
        source.get_keyring()
    assert "KeyringStale" in capsys.readouterr().out


def test_unknown_signature_reloads_the_secret_early(
    source: KeyringSource, secrets: Secrets, clock: Clock
) -> None:
    source.get_keyring()
    secrets.value = secret(OLD, NEW)
    clock.seconds += MIN_RELOAD_INTERVAL_SECONDS
    assert source.reload_keyring() == Keyring((OLD, NEW))


def test_key_added_right_after_a_read_is_found(source: KeyringSource, secrets: Secrets) -> None:
    source.get_keyring()
    secrets.value = secret(OLD, NEW)
    assert source.reload_keyring() == Keyring((OLD, NEW))


def test_forged_links_reload_the_secret_at_a_limited_rate(
    source: KeyringSource, secrets: Secrets, clock: Clock
) -> None:
    source.get_keyring()
    clock.seconds += MIN_RELOAD_INTERVAL_SECONDS
    assert [source.reload_keyring() for _ in range(100)] == [None] * 100
    assert secrets.reads == 2


def test_unavailable_secret_is_read_again_after_the_retry_pause(
    source: KeyringSource, secrets: Secrets, clock: Clock
) -> None:
    source.get_keyring()
    secrets.down = True
    clock.seconds += KEYRING_TTL_SECONDS
    source.get_keyring()
    secrets.down, secrets.value = False, secret(OLD, NEW)
    clock.seconds += KEYRING_RETRY_SECONDS
    assert source.get_keyring() == Keyring((OLD, NEW))


def test_sealer_is_cached_until_the_keyring_changes(
    source: KeyringSource, secrets: Secrets, clock: Clock
) -> None:
    before = source.get_sealer()
    clock.seconds += KEYRING_TTL_SECONDS
    assert source.get_sealer() is before
    secrets.value = secret(OLD, NEW)
    clock.seconds += KEYRING_TTL_SECONDS
    assert source.get_sealer().key_fingerprint == Keyring((NEW,)).fingerprints[0]


# A rotation across processes, each of which read the keys at a different time.


def rotate(secrets: Secrets, signs_from: float) -> None:
    secrets.value = KeySchedule.parse(secrets.value).add_key(NEW, signs_from).to_json()


@pytest.mark.parametrize("tried", [False, True], ids=["", "after a forged link was tried"])
@pytest.mark.parametrize(
    "read_before", [0, 1, MIN_RELOAD_INTERVAL_SECONDS, KEYRING_TTL_SECONDS - 1]
)
def test_every_process_opens_tokens_of_every_other_without_early_reads(
    secrets: Secrets, clock: Clock, read_before: int, tried: bool
) -> None:
    redirect = KeyringSource(secrets, "keyring", clock)
    redirect.get_keyring()
    clock.seconds += read_before
    if tried:
        redirect.reload_keyring()
    rotate(secrets, clock.seconds + KEY_PROPAGATION_SECONDS)
    rewrite = KeyringSource(secrets, "keyring", clock)
    signed_with = set()
    for _ in range(2 * KEY_PROPAGATION_SECONDS):
        key = rewrite.get_sealer().key_fingerprint
        assert key in redirect.get_keyring().fingerprints
        signed_with.add(key)
        clock.seconds += 1
    assert signed_with == set(Keyring((OLD, NEW)).fingerprints)


def test_process_knows_a_new_key_in_time_after_four_failed_reads(
    secrets: Secrets, clock: Clock
) -> None:
    redirect = KeyringSource(secrets, "keyring", clock)
    redirect.get_keyring()
    rotated_at = clock.seconds
    rotate(secrets, rotated_at + KEY_PROPAGATION_SECONDS)
    reads = secrets.reads
    while clock.seconds < rotated_at + KEY_PROPAGATION_SECONDS:
        secrets.down = secrets.reads < reads + 4
        redirect.get_keyring()
        clock.seconds += 1
    assert Keyring((NEW,)).fingerprints[0] in redirect.get_keyring().fingerprints


def test_key_that_signs_at_once_is_unknown_until_the_next_early_read(
    secrets: Secrets, clock: Clock
) -> None:
    redirect = KeyringSource(secrets, "keyring", clock)
    redirect.get_keyring()
    assert redirect.reload_keyring() is None  # a forged link
    rotate(secrets, clock.seconds)
    assert redirect.reload_keyring() is None  # a link of the new key, rejected
    clock.seconds += MIN_RELOAD_INTERVAL_SECONDS
    assert redirect.reload_keyring() == Keyring((OLD, NEW))


def test_keyring_expires_while_the_process_is_frozen(
    source: KeyringSource, secrets: Secrets, clock: Clock
) -> None:
    source.get_keyring()
    rotate(secrets, clock.seconds + KEY_PROPAGATION_SECONDS)
    clock.seconds += 7 * 86_400
    assert source.get_keyring() == Keyring((OLD, NEW))
