import json
from base64 import urlsafe_b64encode

import pytest

from waypost.errors import StoreUnavailable
from waypost.tokens import Keyring
from waypost.tokens.keyring import (
    FRESH_SECONDS,
    KNOWN_SECONDS,
    RELOAD_SECONDS,
    RETRY_SECONDS,
    KeyList,
    KeyringSource,
)


def secret(*keys: bytes) -> str:
    listed = [{"id": str(n), "secret": urlsafe_b64encode(k).decode()} for n, k in enumerate(keys)]
    return json.dumps({"keys": listed})


OLD, NEW = b"o" * 32, b"n" * 33  # 33 bytes need no padding, 32 do


class Secrets:
    """A secret store that counts its reads and can be down."""

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


def test_the_secret_is_read_once_while_fresh(source: KeyringSource, secrets: Secrets) -> None:
    assert source.current() == source.current() == Keyring((OLD,))
    assert secrets.reads == 1


def test_a_rotated_key_is_picked_up_without_a_deploy(
    source: KeyringSource, secrets: Secrets, clock: Clock
) -> None:
    source.current()
    secrets.value = secret(OLD, NEW)
    clock.seconds += FRESH_SECONDS
    assert source.current() == Keyring((OLD, NEW))


def test_a_store_that_is_down_leaves_the_old_keyring(
    source: KeyringSource, secrets: Secrets, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    source.current()
    secrets.down = True
    clock.seconds += FRESH_SECONDS
    assert source.current() == Keyring((OLD,))
    assert "KeyringStale" in capsys.readouterr().out


def test_a_store_that_is_down_is_not_asked_at_every_click(
    source: KeyringSource, secrets: Secrets, clock: Clock
) -> None:
    source.current()
    secrets.down = True
    clock.seconds += FRESH_SECONDS
    for _ in range(10):
        source.current()
    assert secrets.reads == 2


def test_without_any_keyring_there_is_nothing_to_serve_and_somebody_is_told(
    source: KeyringSource, secrets: Secrets, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets.down = True
    with pytest.raises(StoreUnavailable):
        source.current()
    assert "KeyringStale" in capsys.readouterr().out


def test_an_unknown_signature_reads_the_secret_early(
    source: KeyringSource, secrets: Secrets, clock: Clock
) -> None:
    source.current()
    secrets.value = secret(OLD, NEW)
    clock.seconds += RELOAD_SECONDS
    assert source.reloaded() == Keyring((OLD, NEW))


def test_a_key_that_was_added_right_after_the_secret_was_read_is_found(
    source: KeyringSource, secrets: Secrets
) -> None:
    source.current()
    secrets.value = secret(OLD, NEW)
    assert source.reloaded() == Keyring((OLD, NEW))


def test_a_flood_of_forged_links_does_not_read_the_secret_each_time(
    source: KeyringSource, secrets: Secrets, clock: Clock
) -> None:
    source.current()
    clock.seconds += RELOAD_SECONDS
    assert [source.reloaded() for _ in range(100)] == [None] * 100
    assert secrets.reads == 2


def test_a_store_that_is_down_is_asked_again_soon(
    source: KeyringSource, secrets: Secrets, clock: Clock
) -> None:
    source.current()
    secrets.down = True
    clock.seconds += FRESH_SECONDS
    source.current()
    secrets.down, secrets.value = False, secret(OLD, NEW)
    clock.seconds += RETRY_SECONDS
    assert source.current() == Keyring((OLD, NEW))


def test_the_same_sealer_serves_until_the_keyring_changes(
    source: KeyringSource, secrets: Secrets, clock: Clock
) -> None:
    before = source.sealer()
    clock.seconds += FRESH_SECONDS
    assert source.sealer() is before
    secrets.value = secret(OLD, NEW)
    clock.seconds += FRESH_SECONDS
    assert source.sealer().key == Keyring((NEW,)).fingerprints[0]


# A rotation across processes, each of which has read the keys at a moment of its own.


def rotate(secrets: Secrets, signs_from: float) -> None:
    secrets.value = KeyList.parse(secrets.value).rotated(NEW, signs_from).text()


@pytest.mark.parametrize("tried", [False, True], ids=["", "after a forged link was tried"])
@pytest.mark.parametrize("read_before", [0, 1, RELOAD_SECONDS, FRESH_SECONDS - 1])
def test_whatever_any_process_signs_every_other_opens_without_reading_early(
    secrets: Secrets, clock: Clock, read_before: int, tried: bool
) -> None:
    redirect = KeyringSource(secrets, "keyring", clock)
    redirect.current()
    clock.seconds += read_before
    if tried:
        redirect.reloaded()
    rotate(secrets, clock.seconds + KNOWN_SECONDS)
    rewrite = KeyringSource(secrets, "keyring", clock)
    signed_with = set()
    for _ in range(2 * KNOWN_SECONDS):
        key = rewrite.sealer().key
        assert key in redirect.current().fingerprints
        signed_with.add(key)
        clock.seconds += 1
    assert signed_with == set(Keyring((OLD, NEW)).fingerprints)


def test_a_process_that_fails_to_read_the_keys_four_times_still_knows_the_new_one_in_time(
    secrets: Secrets, clock: Clock
) -> None:
    redirect = KeyringSource(secrets, "keyring", clock)
    redirect.current()
    rotated_at = clock.seconds
    rotate(secrets, rotated_at + KNOWN_SECONDS)
    reads = secrets.reads
    while clock.seconds < rotated_at + KNOWN_SECONDS:
        secrets.down = secrets.reads < reads + 4
        redirect.current()
        clock.seconds += 1
    assert Keyring((NEW,)).fingerprints[0] in redirect.current().fingerprints


def test_a_key_that_signs_at_once_may_be_refused_for_as_long_as_no_early_read_is_allowed(
    secrets: Secrets, clock: Clock
) -> None:
    redirect = KeyringSource(secrets, "keyring", clock)
    redirect.current()
    assert redirect.reloaded() is None  # a forged link
    rotate(secrets, clock.seconds)
    assert redirect.reloaded() is None  # a link under the new key, refused
    clock.seconds += RELOAD_SECONDS
    assert redirect.reloaded() == Keyring((OLD, NEW))


def test_a_process_that_was_frozen_has_aged(
    source: KeyringSource, secrets: Secrets, clock: Clock
) -> None:
    source.current()
    rotate(secrets, clock.seconds + KNOWN_SECONDS)
    clock.seconds += 7 * 86_400
    assert source.current() == Keyring((OLD, NEW))
