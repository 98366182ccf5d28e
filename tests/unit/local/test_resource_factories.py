"""Secrets are generated as CloudFormation generates them."""

from __future__ import annotations

import json

from local.resource_factories import generate_secret_string
from local.template import Properties


def test_a_generated_secret_is_inserted_into_its_template():
    secret = json.loads(
        generate_secret_string(
            {"SecretStringTemplate": '{"a": 1}', "GenerateStringKey": "seed", "PasswordLength": 64}
        )
    )
    assert secret["a"] == 1
    assert len(secret["seed"]) == 64


def test_a_generated_secret_has_no_excluded_characters():
    secret = generate_secret_string(
        {"PasswordLength": 200, "ExcludePunctuation": True, "ExcludeCharacters": "abc"}
    )
    assert len(secret) == 200
    assert secret.isalnum()
    assert not set(secret) & set("abc")


def test_two_generated_secrets_differ():
    options: Properties = {"PasswordLength": 200, "ExcludePunctuation": True}
    assert generate_secret_string(options) != generate_secret_string(options)
