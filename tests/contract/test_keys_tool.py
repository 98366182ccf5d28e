import json
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from tools import keys
from waypost.keys import parse_keyring

SEED = json.dumps({"seed": "s" * 64})


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


def run(secret: str, *arguments: str) -> int:
    return keys.main(["--env", "us", "--secret", secret, *arguments])


def test_a_rotation_adds_a_key_that_signs(secret: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(secret, "add") == 0
    keyring = parse_keyring(value(secret))
    assert keyring.keys[0] == parse_keyring(SEED).keys[0]
    old, new = keyring.fingerprints
    assert capsys.readouterr().out == f"{old}  verifies\n{new}  signs\n"


def test_no_key_is_ever_printed(secret: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(secret, "add")
    run(secret, "show")
    shown = capsys.readouterr()
    for key in json.loads(value(secret))["keys"]:
        assert key["secret"] not in shown.out + shown.err


def test_a_key_is_retired_only_by_one_who_is_sure(
    secret: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(secret, "add")
    old, new = parse_keyring(value(secret)).fingerprints
    assert run(secret, "retire", old) == 2
    assert "plain page" in capsys.readouterr().err
    assert parse_keyring(value(secret)).fingerprints == (old, new)
    assert run(secret, "retire", old, "--sure", old) == 0
    assert parse_keyring(value(secret)).fingerprints == (new,)


def test_the_key_that_signs_stays(secret: str, capsys: pytest.CaptureFixture[str]) -> None:
    (only,) = parse_keyring(SEED).fingerprints
    assert run(secret, "retire", only, "--sure", only) == 2
    assert "add another one first" in capsys.readouterr().err
    assert value(secret) == SEED


def test_an_unknown_environment_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="mars"):
        keys.main(["--env", "mars", "show"])
