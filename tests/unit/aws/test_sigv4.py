"""SigV4 signatures equal those of botocore."""

import datetime as dt

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given
from hypothesis import strategies as st

from waypost.aws.minimal_client import AwsCredentials, SigV4Signer
from waypost.errors import ConfigurationError

KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCY",
}

MOMENTS = st.integers(0, 2**32).map(lambda second: dt.datetime.fromtimestamp(second, dt.UTC))


def sign_with_botocore(monkeypatch, credentials, region, service, headers, body, now):
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: now)
    request = AWSRequest("POST", f"https://{headers['Host']}/", headers=headers, data=body)
    SigV4Auth(BotoCredentials(*credentials), service, region).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


@pytest.mark.parametrize("token", ["", "IQoJb3JpZ2luX2VjE+/=="])
@pytest.mark.parametrize(
    ("service", "region", "target", "version"),
    [
        ("dynamodb", "eu-central-1", "DynamoDB_20120810.PutItem", "1.0"),
        ("secretsmanager", "us-east-1", "secretsmanager.GetSecretValue", "1.1"),
        ("sqs", "eu-west-1", "AmazonSQS.SendMessage", "1.0"),
    ],
)
@given(body=st.binary(max_size=200), now=MOMENTS)
def test_signed_headers_equal_those_of_botocore(token, service, region, target, version, body, now):
    environment = KEYS | {"AWS_SESSION_TOKEN": token}
    credentials = AwsCredentials.from_env(environment)
    host, content_type = f"{service}.{region}.amazonaws.com", f"application/x-amz-json-{version}"
    stamp = f"{now:%Y%m%dT%H%M%SZ}"
    signed = SigV4Signer(credentials, region, service).sign_headers(
        host, content_type, target, body, stamp
    )
    headers = {"Host": host, "Content-Type": content_type, "X-Amz-Target": target}
    with pytest.MonkeyPatch.context() as patch:
        keys = (credentials.key_id, credentials.secret, credentials.token or None)
        expected = sign_with_botocore(patch, keys, region, service, headers, body, now)
    assert signed == expected


def test_signer_uses_a_new_signing_key_after_midnight():
    credentials = AwsCredentials.from_env(KEYS)
    long_lived = SigV4Signer(credentials, "us-east-1", "dynamodb")
    fields = ("dynamodb.us-east-1.amazonaws.com", "application/x-amz-json-1.0", "D.PutItem", b"{}")
    before = long_lived.sign_headers(*fields, "20261121T235959Z")
    after = long_lived.sign_headers(*fields, "20261122T000000Z")
    fresh = SigV4Signer(credentials, "us-east-1", "dynamodb").sign_headers(
        *fields, "20261122T000000Z"
    )
    assert after == fresh != before


@pytest.mark.parametrize("variable", KEYS)
def test_missing_credential_error_names_the_variable(variable):
    with pytest.raises(ConfigurationError, match=variable):
        AwsCredentials.from_env({name: value for name, value in KEYS.items() if name != variable})


def test_credentials_are_hidden_in_their_repr():
    text = repr(AwsCredentials.from_env(KEYS | {"AWS_SESSION_TOKEN": "token"}))
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in text
    assert "token'" not in text
