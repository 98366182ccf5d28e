import json
from base64 import urlsafe_b64encode

import pytest

from waypost.errors import StoreUnavailable
from waypost.keys import (
    FRESH_SECONDS,
    RELOAD_SECONDS,
    KeyringSource,
    parse_keyring,
    retired,
    rotated,
)
from waypost.tokens import Keyring


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


def test_without_any_keyring_there_is_nothing_to_serve(
    source: KeyringSource, secrets: Secrets
) -> None:
    secrets.down = True
    with pytest.raises(StoreUnavailable):
        source.current()


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


def test_a_seed_as_cloudformation_makes_it_is_one_key() -> None:
    keyring = parse_keyring(json.dumps({"seed": "s" * 48}))
    assert len(keyring.keys) == 1
    assert keyring == parse_keyring(json.dumps({"seed": "s" * 48}))
    assert keyring != parse_keyring(json.dumps({"seed": "t" * 48}))


@pytest.mark.parametrize(
    "text",
    ["no json", "[]", "{}", '{"seed": "short"}', '{"keys": []}', '{"keys": [7]}', '{"keys": [{}]}'],
)
def test_a_keyring_that_cannot_be_read_does_not_tell_itself(text: str) -> None:
    with pytest.raises(ValueError, match="key") as caught:
        parse_keyring(text)
    assert "short" not in str(caught.value)


def test_rotation_adds_the_key_that_signs_and_keeps_the_others() -> None:
    assert parse_keyring(rotated(secret(OLD), NEW)) == Keyring((OLD, NEW))


def test_the_first_rotation_keeps_the_seed_that_the_stack_began_with() -> None:
    seed = json.dumps({"seed": "s" * 48})
    assert parse_keyring(rotated(seed, NEW)).keys == (*parse_keyring(seed).keys, NEW)


def test_a_key_is_not_added_twice() -> None:
    with pytest.raises(ValueError, match="already"):
        rotated(secret(OLD, NEW), OLD)


def test_a_retired_key_is_gone_and_only_that() -> None:
    keyring = Keyring((OLD, NEW))
    assert parse_keyring(retired(secret(OLD, NEW), keyring.fingerprints[0])) == Keyring((NEW,))


def test_the_key_that_signs_is_not_retired() -> None:
    with pytest.raises(ValueError, match="add another one first"):
        retired(secret(OLD, NEW), Keyring((OLD, NEW)).fingerprints[1])


def test_a_key_that_is_not_there_is_not_retired() -> None:
    with pytest.raises(ValueError, match="no key 00000000"):
        retired(secret(OLD, NEW), "00000000")
