"""Which permissions requests need, and which statements give them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.errors import TemplateError
from local.iam_policies import find_allowing_statements, parse_policy
from local.required_permissions import PermissionRules, RequiredPermission

TABLE = "arn:aws:dynamodb:eu-west-1:1:table/t"
NEEDS = PermissionRules("eu-west-1", "1", lambda _: "pk")


def key(value: str) -> dict[str, Any]:
    return {"pk": {"S": value}, "sk": {"S": "x"}}


def keys(*values: str) -> frozenset[str]:
    return frozenset(values)


@pytest.mark.parametrize(
    ("operation", "request_", "needs"),
    [
        ("GetItem", {"Key": key("a")}, [RequiredPermission("dynamodb:GetItem", TABLE, keys("a"))]),
        ("PutItem", {"Item": key("a")}, [RequiredPermission("dynamodb:PutItem", TABLE, keys("a"))]),
        ("Scan", {}, [RequiredPermission("dynamodb:Scan", TABLE)]),
        ("Scan", {"IndexName": "i"}, [RequiredPermission("dynamodb:Scan", f"{TABLE}/index/i")]),
        (
            "Query",
            {
                "KeyConditionExpression": "#k = :k AND begins_with(sk, :s)",
                "ExpressionAttributeNames": {"#k": "pk"},
                "ExpressionAttributeValues": {":k": {"S": "a"}, ":s": {"S": "b"}},
            },
            [RequiredPermission("dynamodb:Query", TABLE, keys("a"))],
        ),
    ],
)
def test_a_request_needs_its_action_on_its_table(operation, request_, needs):
    assert NEEDS.list_requirements("dynamodb", operation, {"TableName": "t", **request_}) == needs


def test_a_transaction_needs_what_its_actions_need():
    actions = [
        {"Put": {"TableName": "t", "Item": key("a")}},
        {"Delete": {"TableName": "u", "Key": key("b")}},
        {"ConditionCheck": {"TableName": "t", "Key": key("c")}},
    ]
    needed = NEEDS.list_requirements("dynamodb", "TransactWriteItems", {"TransactItems": actions})
    assert [(need.action, need.resource[-1]) for need in needed] == [
        ("dynamodb:PutItem", "t"),
        ("dynamodb:DeleteItem", "u"),
        ("dynamodb:ConditionCheckItem", "t"),
    ]


def test_a_batch_needs_its_action_on_each_table():
    read = {"t": {"Keys": [key("a"), key("b")]}, "u": {"Keys": [key("c")]}}
    first, second = NEEDS.list_requirements("dynamodb", "BatchGetItem", {"RequestItems": read})
    assert first == RequiredPermission("dynamodb:BatchGetItem", TABLE, keys("a", "b"))
    assert second.leading_keys == {"c"}
    written = {"t": [{"PutRequest": {"Item": key("a")}}, {"DeleteRequest": {"Key": key("b")}}]}
    (need,) = NEEDS.list_requirements("dynamodb", "BatchWriteItem", {"RequestItems": written})
    assert need == RequiredPermission("dynamodb:BatchWriteItem", TABLE, keys("a", "b"))


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
def test_a_request_needs_its_resource(service, operation, request_, resource):
    assert NEEDS.list_requirements(service, operation, request_) == [
        RequiredPermission(f"{service}:{operation}", resource)
    ]


def statement(**changes: Any) -> str:
    plain = {"Sid": "S", "Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": TABLE}
    return json.dumps({"Statement": [plain | changes]})


def allowed(need: RequiredPermission, *documents: str) -> bool:
    return bool(
        find_allowing_statements([each for text in documents for each in parse_policy(text)], need)
    )


PUT = RequiredPermission("dynamodb:PutItem", TABLE, keys("C#1"))
OWN_KEYS = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["C#*", "I#*"]}}


@pytest.mark.parametrize(
    ("changes", "holds"),
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
def test_a_statement_gives_what_its_patterns_match(changes, holds):
    assert allowed(PUT, statement(**changes)) is holds


def test_every_key_of_a_request_has_to_be_among_those_that_lead():
    both = RequiredPermission("dynamodb:PutItem", TABLE, keys("C#1", "R#1"))
    assert not allowed(both, statement(Condition=OWN_KEYS))
    assert allowed(RequiredPermission("dynamodb:PutItem", TABLE), statement(Condition=OWN_KEYS))


def test_nothing_is_allowed_by_itself_and_a_denial_outweighs():
    assert not allowed(PUT)
    assert not allowed(PUT, statement(), statement(Effect="Deny", Resource="*"))


@pytest.mark.parametrize(
    "changes",
    [
        {"NotAction": "s3:*"},
        {"Condition": {"StringEquals": {"aws:SourceIp": "10.0.0.1"}}},
        {"Condition": {"ForAllValues:StringLike": {"dynamodb:Attributes": ["a"]}}},
    ],
)
def test_what_is_not_emulated_is_refused(changes):
    with pytest.raises(TemplateError, match="not emulated"):
        parse_policy(statement(**changes))
