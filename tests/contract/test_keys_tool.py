import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.dynamodb_tables import create_table
from tools import keys
from waypost.composition import Repositories, TableNames
from waypost.ids import derive_campaign_id
from waypost.repositories.campaigns import CampaignRepository
from waypost.tokens import Keyring
from waypost.tokens.keyring import KEY_PROPAGATION_SECONDS, KEYRING_TTL_SECONDS, KeySchedule

SEED = json.dumps({"seed": "s" * 64})
NOON = 1_795_348_800.0  # 2026-11-22T12:00:00Z


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        client = boto3.client("secretsmanager", region_name="us-east-1")
        yield client.create_secret(Name="keyring", SecretString=SEED)["ARN"]


def value(secret: str) -> str:
    client = boto3.client("secretsmanager", region_name="us-east-1")
    return str(client.get_secret_value(SecretId=secret)["SecretString"])


@pytest.fixture
def campaigns(secret: str, monkeypatch: pytest.MonkeyPatch) -> CampaignRepository:
    """The stack's campaigns, in the secret's account."""
    client: Any = boto3.client("dynamodb", region_name="us-east-1")
    table = create_table(client, "CampaignsTable")
    monkeypatch.setenv("CAMPAIGNS_TABLE", table)
    return Repositories(client, TableNames(campaigns=table)).campaigns


def run(secret: str, *arguments: str, now: float = NOON) -> int:
    return keys.main(["--env", "us", "--secret", secret, *arguments], clock=lambda: now)


def keyring(secret: str, now: float = NOON) -> Keyring:
    return KeySchedule.parse(value(secret)).build_keyring(now)


def test_a_rotation_adds_a_key_that_signs_once_every_process_knows_it(
    secret: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (old,) = keyring(secret).fingerprints
    assert run(secret, "add") == 0
    later = NOON + KEY_PROPAGATION_SECONDS
    new = keyring(secret, later).fingerprints[-1]
    assert keyring(secret, later - 1).fingerprints == (new, old)
    told = capsys.readouterr().out
    assert told == f"{old}  signs\n{new}  verifies; signs from 2026-11-22T12:10:00Z\n"
    run(secret, "show", now=later)
    assert capsys.readouterr().out == f"{old}  verifies\n{new}  signs\n"


def test_a_key_that_must_sign_at_once_does_and_its_price_is_told(
    secret: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(secret, "add", "--now") == 0
    old, new = keyring(secret).fingerprints
    shown = capsys.readouterr()
    assert shown.out == f"{old}  verifies\n{new}  signs\n"
    assert "by 2026-11-22T12:05:00Z" in shown.err
    assert "for 30 s" in shown.err


def test_a_key_that_waits_does_not_overtake_one_that_had_to_sign_at_once(secret: str) -> None:
    run(secret, "add")
    run(secret, "add", "--now", now=NOON + 60)
    at_once = keyring(secret, NOON + 60).fingerprints[-1]
    assert keyring(secret, NOON + 2 * KEY_PROPAGATION_SECONDS).fingerprints[-1] == at_once


@pytest.mark.usefixtures("campaigns")
def test_who_retires_a_key_right_after_is_told_that_it_is_still_in_use(
    secret: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(secret, "add", "--now")
    old, _ = keyring(secret).fingerprints
    run(secret, "retire", old, now=NOON + KEYRING_TTL_SECONDS - 1)
    assert "until 2026-11-22T12:05:00Z" in capsys.readouterr().err
    run(secret, "retire", old, now=NOON + KEYRING_TTL_SECONDS)
    assert "older key" not in capsys.readouterr().err


def test_no_key_is_ever_printed(secret: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(secret, "add")
    run(secret, "show")
    shown = capsys.readouterr()
    for key in json.loads(value(secret))["keys"]:
        assert key["secret"] not in shown.out + shown.err


def test_who_would_retire_a_key_is_told_how_many_links_that_breaks(
    secret: str, campaigns: CampaignRepository, capsys: pytest.CaptureFixture[str]
) -> None:
    run(secret, "add", "--now")
    old, new = keyring(secret).fingerprints
    sale, summer = derive_campaign_id("acme", "sale"), derive_campaign_id("acme", "summer")
    campaigns.add_deliveries(sale, 1_000, None, {old: 5_000})
    campaigns.add_deliveries(summer, 10, None, {old: 20, new: 7})
    assert run(secret, "retire", old) == 2
    assert "5,020 links in messages of 2 campaigns" in capsys.readouterr().err


def test_a_key_that_is_not_there_is_told_before_anything_is_counted(
    secret: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(secret, "retire", "00000000") == 2
    assert "no key 00000000" in capsys.readouterr().err


def test_where_links_cannot_be_counted_the_key_stays(
    secret: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(secret, "add", "--now")
    old, new = keyring(secret).fingerprints
    monkeypatch.setenv("CAMPAIGNS_TABLE", "no-such-table")
    assert run(secret, "retire", old) == 2
    assert "ResourceNotFoundException" in capsys.readouterr().err
    assert keyring(secret).fingerprints == (old, new)


@pytest.mark.usefixtures("campaigns")
def test_a_key_is_retired_only_by_one_who_is_sure(
    secret: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(secret, "add", "--now")
    old, new = keyring(secret).fingerprints
    assert run(secret, "retire", old) == 2
    assert "plain page" in capsys.readouterr().err
    assert keyring(secret).fingerprints == (old, new)
    assert run(secret, "retire", old, "--sure", old) == 0
    assert keyring(secret).fingerprints == (new,)


def test_the_key_that_signs_stays(secret: str, capsys: pytest.CaptureFixture[str]) -> None:
    (only,) = keyring(secret).fingerprints
    assert run(secret, "retire", only, "--sure", only) == 2
    assert "let another key sign first" in capsys.readouterr().err
    assert value(secret) == SEED


def test_an_unknown_environment_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="mars"):
        keys.main(["--env", "mars", "show"])
