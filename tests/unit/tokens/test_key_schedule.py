"""The keyring's secret is readable, whichever version wrote it."""

import json
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest

from waypost.tokens import Keyring
from waypost.tokens.keyring import KeySchedule

OLD, NEW, NEWEST = b"o" * 32, b"n" * 33, b"w" * 34  # with and without base64 padding
NOW = 1_795_317_000.0  # 2026-11-22T03:10:00Z
GOLDEN: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "golden_keyrings.json").read_text()
)["keyrings"]


def make_schedule(*keys: bytes) -> KeySchedule:
    """Build keys in the form of the first version."""
    keys_json = [
        {"id": str(n), "secret": urlsafe_b64encode(k).decode()} for n, k in enumerate(keys)
    ]
    return KeySchedule.parse(json.dumps({"keys": keys_json}))


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden["written"])
def test_golden_keyrings_of_all_versions_are_readable(golden: dict[str, Any]) -> None:
    assert (
        list(KeySchedule.parse(golden["secret"]).build_keyring(NOW).fingerprints)
        == golden["verifies"]
    )


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden["written"])
def test_key_schedule_survives_the_json_round_trip(golden: dict[str, Any]) -> None:
    keys = KeySchedule.parse(golden["secret"])
    assert KeySchedule.parse(keys.to_json()) == keys


def test_seed_is_a_keyring_of_one_key() -> None:
    keyring = KeySchedule.parse(json.dumps({"seed": "s" * 48})).build_keyring(NOW)
    assert len(keyring.keys) == 1
    assert keyring != KeySchedule.parse(json.dumps({"seed": "t" * 48})).build_keyring(NOW)


@pytest.mark.parametrize(
    "text",
    [
        *("no json", "[]", "{}", '{"seed": "short"}', '{"seed": 7}', '{"keys": []}'),
        *('{"keys": [7]}', '{"keys": [{}]}', '{"keys": {}}', '{"keys": [{"secret": "c2hvcnQ="}]}'),
        '{"keys": [{"secret": "%s", "signs_from": "soon"}]}' % ("c2hvcnQ" * 6),
        '{"keys": [{"secret": "%s", "signs_from": "2026-11-22T03:10:00"}]}' % ("c2hvcnQ" * 6),
    ],
)
def test_error_of_an_invalid_keyring_contains_no_secret(text: str) -> None:
    with pytest.raises(ValueError, match="key") as caught:
        KeySchedule.parse(text)
    assert "short" not in str(caught.value)
    assert "c2hvcnQ" not in str(caught.value)


def test_repr_of_keys_contains_no_secret() -> None:
    keys = make_schedule(OLD, NEW)
    assert "ooo" not in f"{keys} {keys.keys[0]}"


def test_new_key_verifies_at_once_and_signs_from_its_time() -> None:
    keys = make_schedule(OLD).add_key(NEW, NOW)
    assert keys.build_keyring(NOW - 1) == Keyring((NEW, OLD))
    assert keys.build_keyring(NOW) == Keyring((OLD, NEW))


def test_signing_time_is_stored_to_the_second() -> None:
    keys = KeySchedule.parse(make_schedule(OLD).add_key(NEW, NOW).to_json())
    assert keys.build_keyring(NOW - 1).keys[-1] == OLD
    assert keys.build_keyring(NOW).keys[-1] == NEW


def test_key_that_signs_at_once_takes_precedence_over_a_waiting_one() -> None:
    keys = make_schedule(OLD).add_key(NEW, NOW + 600).add_key(NEWEST, NOW)
    assert keys.build_keyring(NOW).keys[-1] == NEWEST
    assert keys.build_keyring(NOW + 600).keys[-1] == NEWEST


def test_oldest_key_signs_before_all_signing_times() -> None:
    keys = KeySchedule(make_schedule(OLD).add_key(NEW, NOW).keys[1:]).add_key(NEWEST, NOW + 1)
    assert keys.build_keyring(NOW - 1).keys[-1] == NEW


def test_first_rotation_keeps_the_key_of_the_seed() -> None:
    seed = KeySchedule.parse(json.dumps({"seed": "s" * 48}))
    assert seed.add_key(NEW, NOW).build_keyring(NOW).keys == (*seed.build_keyring(NOW).keys, NEW)


def test_duplicate_key_is_rejected() -> None:
    with pytest.raises(ValueError, match="already"):
        make_schedule(OLD, NEW).add_key(OLD, NOW)


def test_short_key_is_rejected() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        make_schedule(OLD).add_key(b"short", NOW)


def test_only_the_retired_key_is_removed() -> None:
    keys = make_schedule(OLD, NEW)
    assert keys.remove_key(keys.keys[0].fingerprint, NOW).build_keyring(NOW) == Keyring((NEW,))


def test_waiting_key_can_be_removed() -> None:
    keys = make_schedule(OLD).add_key(NEW, NOW + 600)
    assert keys.remove_key(keys.keys[1].fingerprint, NOW) == make_schedule(OLD)


def test_signing_key_cannot_be_removed_while_another_waits() -> None:
    keys = make_schedule(OLD).add_key(NEW, NOW + 600)
    old = keys.keys[0].fingerprint
    with pytest.raises(ValueError, match="signs; let another key sign first"):
        keys.remove_key(old, NOW)
    assert keys.remove_key(old, NOW + 600).build_keyring(NOW + 600) == Keyring((NEW,))


def test_unknown_key_cannot_be_removed() -> None:
    there = f"{make_schedule(OLD).keys[0].fingerprint}, {make_schedule(NEW).keys[0].fingerprint}"
    with pytest.raises(ValueError, match=f"^keyring: no key 00000000; choose one of {there}$"):
        make_schedule(OLD, NEW).remove_key("00000000", NOW)
