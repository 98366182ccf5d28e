"""Requests need permissions, and statements of policies allow them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.errors import TemplateError
from local.iam_policies import find_allowing_statements, parse_policy
from local.required_permissions import PermissionRules, RequiredPermission, require_s3

TABLE = "arn:aws:dynamodb:eu-west-1:1:table/t"
RULES = PermissionRules("eu-west-1", "1", lambda _: "pk")


def build_key(value: str) -> dict[str, Any]:
    return {"pk": {"S": value}, "sk": {"S": "x"}}


def build_keys(*values: str) -> frozenset[str]:
    return frozenset(values)


@pytest.mark.parametrize(
    ("operation", "request_", "expected"),
    [
        (
            "GetItem",
            {"Key": build_key("a")},
            [RequiredPermission("dynamodb:GetItem", TABLE, build_keys("a"))],
        ),
        (
            "PutItem",
            {"Item": build_key("a")},
            [RequiredPermission("dynamodb:PutItem", TABLE, build_keys("a"))],
        ),
        ("Scan", {}, [RequiredPermission("dynamodb:Scan", TABLE)]),
        ("Scan", {"IndexName": "i"}, [RequiredPermission("dynamodb:Scan", f"{TABLE}/index/i")]),
        (
            "Query",
            {
                "KeyConditionExpression": "#k = :k AND begins_with(sk, :s)",
                "ExpressionAttributeNames": {"#k": "pk"},
                "ExpressionAttributeValues": {":k": {"S": "a"}, ":s": {"S": "b"}},
            },
            [RequiredPermission("dynamodb:Query", TABLE, build_keys("a"))],
        ),
    ],
)
def test_a_request_needs_its_action_on_its_table(operation, request_, expected):
    assert (
        RULES.list_requirements("dynamodb", operation, {"TableName": "t", **request_}) == expected
    )


def test_a_transaction_needs_the_permissions_of_its_actions():
    actions = [
        {"Put": {"TableName": "t", "Item": build_key("a")}},
        {"Delete": {"TableName": "u", "Key": build_key("b")}},
        {"ConditionCheck": {"TableName": "t", "Key": build_key("c")}},
    ]
    required = RULES.list_requirements("dynamodb", "TransactWriteItems", {"TransactItems": actions})
    assert [(need.action, need.resource[-1]) for need in required] == [
        ("dynamodb:PutItem", "t"),
        ("dynamodb:DeleteItem", "u"),
        ("dynamodb:ConditionCheckItem", "t"),
    ]


def test_a_batch_request_needs_its_action_on_each_table():
    read = {"t": {"Keys": [build_key("a"), build_key("b")]}, "u": {"Keys": [build_key("c")]}}
    first, second = RULES.list_requirements("dynamodb", "BatchGetItem", {"RequestItems": read})
    assert first == RequiredPermission("dynamodb:BatchGetItem", TABLE, build_keys("a", "b"))
    assert second.leading_keys == {"c"}
    written = {
        "t": [{"PutRequest": {"Item": build_key("a")}}, {"DeleteRequest": {"Key": build_key("b")}}]
    }
    (need,) = RULES.list_requirements("dynamodb", "BatchWriteItem", {"RequestItems": written})
    assert need == RequiredPermission("dynamodb:BatchWriteItem", TABLE, build_keys("a", "b"))


@pytest.mark.parametrize(
    ("service", "operation", "request_", "resource"),
    [
        ("dynamodb", "GetRecords", {"ShardIterator": f"{TABLE}/stream/1|1|x"}, f"{TABLE}/stream/1"),
        ("dynamodb", "DescribeStream", {"StreamArn": "arn:s"}, "arn:s"),
        ("dynamodb", "ListStreams", {"TableName": "t"}, "*"),
        ("sqs", "SendMessage", {"QueueUrl": "http://q/1/jobs"}, "arn:aws:sqs:eu-west-1:1:jobs"),
        ("secretsmanager", "GetSecretValue", {"SecretId": "arn:x"}, "arn:x"),
        ("ses", "GetEmailIdentity", {"EmailIdentity": "a.b"},
         "arn:aws:ses:eu-west-1:1:identity/a.b"),
        ("events", "PutEvents", {"Entries": [{"EventBusName": "b"}]},
         "arn:aws:events:eu-west-1:1:event-bus/b"),
        ("acm", "ListCertificates", {}, "*"),
    ],
)  # fmt: skip
def test_a_request_needs_its_action_on_its_resource(service, operation, request_, resource):
    assert RULES.list_requirements(service, operation, request_) == [
        RequiredPermission(f"{service}:{operation}", resource)
    ]


def build_statement(**changes: Any) -> str:
    statement = {"Sid": "S", "Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": TABLE}
    return json.dumps({"Statement": [statement | changes]})


def is_allowed(need: RequiredPermission, *documents: str) -> bool:
    return bool(
        find_allowing_statements([each for text in documents for each in parse_policy(text)], need)
    )


PUT = RequiredPermission("dynamodb:PutItem", TABLE, build_keys("C#1"))
OWN_KEYS = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["C#*", "I#*"]}}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"Action": ["dynamodb:GetItem", "dynamodb:putitem"]}, True),
        ({"Action": "dynamodb:Get*"}, False),
        ({"Action": "dynamodb:Put?tem"}, True),
        ({"Resource": [f"{TABLE}x", "arn:aws:dynamodb:*:*:table/t"]}, True),
        ({"Resource": TABLE + "*"}, True),
        ({"Resource": TABLE[:-1] + "."}, False),
        ({"Condition": OWN_KEYS}, True),
        ({"Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": "R#1"}}}, False),
    ],
)
def test_a_statement_allows_the_permissions_that_its_patterns_match(changes, expected):
    assert is_allowed(PUT, build_statement(**changes)) is expected


def test_every_partition_key_of_a_request_must_match_leading_keys():
    both = RequiredPermission("dynamodb:PutItem", TABLE, build_keys("C#1", "R#1"))
    assert not is_allowed(both, build_statement(Condition=OWN_KEYS))
    assert is_allowed(
        RequiredPermission("dynamodb:PutItem", TABLE), build_statement(Condition=OWN_KEYS)
    )


def test_nothing_is_allowed_by_default_and_a_denial_overrides():
    assert not is_allowed(PUT)
    assert not is_allowed(PUT, build_statement(), build_statement(Effect="Deny", Resource="*"))


@pytest.mark.parametrize(
    "changes",
    [
        {"NotAction": "s3:*"},
        {"Condition": {"StringEquals": {"aws:SourceIp": "10.0.0.1"}}},
        {"Condition": {"ForAllValues:StringLike": {"dynamodb:Attributes": ["a"]}}},
    ],
)
def test_an_unsupported_statement_is_refused(changes):
    with pytest.raises(TemplateError, match="not emulated"):
        parse_policy(build_statement(**changes))


OBJECT = "arn:aws:s3:::files/acme/out"
CREATE = build_statement(
    Action="s3:PutObject", Resource=OBJECT, Condition={"Null": {"s3:if-none-match": "false"}}
)
UPLOAD = build_statement(
    Action="s3:PutObject",
    Resource=OBJECT,
    Condition={"Bool": {"s3:ObjectCreationOperation": "false"}},
)
REPLACE = build_statement(
    Action="s3:PutObject", Resource=OBJECT, Condition={"Null": {"s3:if-match": "false"}}
)


@pytest.mark.parametrize(
    ("query", "headers", "allowing"),
    [
        ("", {}, set()),
        ("", {"If-None-Match": "*"}, {CREATE}),
        ("", {"If-Match": '"tag"'}, {REPLACE}),
        ("uploads", {}, {UPLOAD}),
        ("partNumber=1&uploadId=u", {}, {UPLOAD}),
        ("uploadId=u", {}, set()),
        ("uploadId=u", {"If-None-Match": "*"}, {CREATE}),
    ],
)
def test_conditions_of_s3_match_the_conditional_writes_of_a_request(query, headers, allowing):
    need = require_s3("PutObject", "files/acme/out", query, headers)
    assert {text for text in (CREATE, UPLOAD, REPLACE) if is_allowed(need, text)} == allowing


def test_condition_that_a_key_is_absent_matches_its_absence():
    absent = build_statement(
        Action="s3:*", Resource=OBJECT, Condition={"Null": {"s3:if-match": "true"}}
    )
    assert is_allowed(require_s3("DeleteObject", "files/acme/out", "", {}), absent)
    assert not is_allowed(
        require_s3("DeleteObject", "files/acme/out", "", {"If-Match": "x"}), absent
    )


@pytest.mark.parametrize(
    "condition", [{"Null": {"aws:SourceIp": "true"}}, {"StringEquals": {"s3:if-match": "x"}}]
)
def test_unknown_condition_is_refused(condition):
    with pytest.raises(TemplateError, match="is not emulated"):
        parse_policy(build_statement(Condition=condition))
