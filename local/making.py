"""Making one resource on moto from its resolved properties, and what can be told of it then.

Each maker takes the name that CloudFormation would make up, and returns the resource's attributes
with ``Ref`` among them.
"""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from local.account import ACCOUNT, REGION
from local.cloud import Cloud
from local.errors import TemplateError
from local.parameters import scalar
from local.permissions import parsed
from local.template import Properties, Value, mapping, sequence

if TYPE_CHECKING:
    from mypy_boto3_sqs.literals import QueueAttributeNameType

Maker: TypeAlias = Callable[[Cloud, str, Properties], dict[str, str]]

# What of a property set goes to the service's own create call; the rest (protection, encryption,
# backups, tags) changes nothing that a function could see here.
_TABLE = (
    "AttributeDefinitions",
    "KeySchema",
    "BillingMode",
    "ProvisionedThroughput",
    "LocalSecondaryIndexes",
)
_INDEX = ("IndexName", "KeySchema", "Projection", "ProvisionedThroughput")
_QUEUE = (
    "DelaySeconds",
    "VisibilityTimeout",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "MaximumMessageSize",
    "FifoQueue",
    "ContentBasedDeduplication",
    "RedrivePolicy",
)
_ROLE: Final = frozenset({"AssumeRolePolicyDocument", "Description", "Policies", "RoleName"})


def make_table(cloud: Cloud, name: str, properties: Properties) -> dict[str, str]:
    client = cloud.client("dynamodb")
    name = str(properties.get("TableName", name))
    table = client.create_table(TableName=name, **_table_arguments(properties))["TableDescription"]
    expiry = mapping(properties.get("TimeToLiveSpecification"), name)
    if expiry:
        attribute, enabled = str(expiry["AttributeName"]), scalar(expiry["Enabled"]) == "true"
        specification: Any = {"AttributeName": attribute, "Enabled": enabled}
        client.update_time_to_live(TableName=name, TimeToLiveSpecification=specification)
    stream = table.get("LatestStreamArn")
    return {"Ref": name, "Arn": table["TableArn"]} | ({"StreamArn": stream} if stream else {})


def _table_arguments(properties: Properties) -> dict[str, Any]:
    arguments: dict[str, Any] = {"BillingMode": "PROVISIONED"} | _only(properties, _TABLE)
    if indexes := sequence(properties.get("GlobalSecondaryIndexes"), "GlobalSecondaryIndexes"):
        arguments["GlobalSecondaryIndexes"] = [_only(index, _INDEX) for index in indexes]
    if stream := mapping(properties.get("StreamSpecification"), "StreamSpecification"):
        arguments["StreamSpecification"] = stream | {"StreamEnabled": True}
    return arguments


def make_queue(cloud: Cloud, name: str, properties: Properties) -> dict[str, str]:
    name = str(properties.get("QueueName", name))
    attributes = {
        cast("QueueAttributeNameType", key): _queue_attribute(properties[key])
        for key in _QUEUE
        if key in properties
    }
    url = cloud.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    return {"Ref": url, "QueueUrl": url, "QueueName": name, "Arn": arn}


def make_secret(cloud: Cloud, name: str, properties: Properties) -> dict[str, str]:
    generate = properties.get("GenerateSecretString")
    text = str(properties.get("SecretString", ""))
    if generate is not None:
        text = generated_secret(mapping(generate, name))
    client = cloud.client("secretsmanager")
    arn = client.create_secret(Name=str(properties.get("Name", name)), SecretString=text)["ARN"]
    return {"Ref": arn, "Id": arn}


def generated_secret(generate: Properties) -> str:
    """What CloudFormation's GenerateSecretString would make."""
    alphabet = string.ascii_letters + string.digits
    if scalar(generate.get("ExcludePunctuation", False)) != "true":
        alphabet += string.punctuation
    excluded = str(generate.get("ExcludeCharacters", ""))
    letters = [letter for letter in alphabet if letter not in excluded]
    length = int(scalar(generate.get("PasswordLength", 32)))
    text = "".join(secrets.choice(letters) for _ in range(length))
    key = generate.get("GenerateStringKey")
    if key is None:
        return text
    template: dict[str, str] = json.loads(str(generate.get("SecretStringTemplate", "{}")))
    return json.dumps(template | {str(key): text})


def make_event_bus(cloud: Cloud, name: str, properties: Properties) -> dict[str, str]:
    name = str(properties.get("Name", name))
    arn = cloud.client("events").create_event_bus(Name=name)["EventBusArn"]
    return {"Ref": name, "Name": name, "Arn": arn}


def make_bucket(cloud: Cloud, name: str, properties: Properties) -> dict[str, str]:
    name = str(properties.get("BucketName", name)).lower()
    cloud.client("s3").create_bucket(Bucket=name)
    return {"Ref": name, "Arn": f"arn:aws:s3:::{name}", "DomainName": f"{name}.s3.amazonaws.com"}


def make_role(cloud: Cloud, name: str, properties: Properties) -> dict[str, str]:
    """Raises TemplateError for a role with policies that stand elsewhere: they are not checked."""
    if unknown := set(properties) - _ROLE:
        raise TemplateError(name, f"{', '.join(sorted(unknown))} of a role is not emulated")
    name = str(properties.get("RoleName", name))
    inline = [mapping(each, name) for each in sequence(properties.get("Policies"), name)]
    policies = {str(each["PolicyName"]): json.dumps(each["PolicyDocument"]) for each in inline}
    trust = json.dumps(properties["AssumeRolePolicyDocument"])
    return {"Ref": name, "Arn": cloud.make_role(name, trust, policies)}


def make_role_policy(cloud: Cloud, name: str, properties: Properties) -> dict[str, str]:
    """A policy of a role that stands by itself. Raises TemplateError for what is not emulated."""
    document = json.dumps(properties["PolicyDocument"])
    parsed(document)
    cloud.client("iam").put_role_policy(
        RoleName=str(properties["RoleName"]),
        PolicyName=str(properties["PolicyName"]),
        PolicyDocument=document,
    )
    return {"Ref": name}


MAKERS: Final[Mapping[str, Maker]] = {
    "AWS::DynamoDB::Table": make_table,
    "AWS::IAM::Role": make_role,
    "AWS::IAM::RolePolicy": make_role_policy,
    "AWS::SQS::Queue": make_queue,
    "AWS::SecretsManager::Secret": make_secret,
    "AWS::Events::EventBus": make_event_bus,
    "AWS::S3::Bucket": make_bucket,
}


def _only(value: Value, keys: tuple[str, ...]) -> Properties:
    properties = mapping(value, "Properties")
    return {key: properties[key] for key in keys if key in properties}


def _queue_attribute(value: Value) -> str:
    """As the service takes it: texts, and policies as JSON."""
    return json.dumps(value) if isinstance(value, dict) else scalar(value)
