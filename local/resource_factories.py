"""Creation of one resource on moto from its resolved properties.

Each factory takes the resource's default name, and returns its attributes, including ``Ref``.
"""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from local.account import ACCOUNT_ID, REGION
from local.cloud import MotoCloud
from local.errors import TemplateError
from local.iam_policies import parse_policy
from local.intrinsics import format_scalar
from local.template import Properties, Value, as_list, as_mapping

if TYPE_CHECKING:
    from mypy_boto3_sqs.literals import QueueAttributeNameType

ResourceFactory: TypeAlias = Callable[[MotoCloud, str, Properties], dict[str, str]]

# Properties passed to the service. The others (protection, encryption, backups, tags) have no
# effect that a function could notice.
_TABLE_PROPERTIES = (
    "AttributeDefinitions",
    "KeySchema",
    "BillingMode",
    "ProvisionedThroughput",
    "LocalSecondaryIndexes",
)
_INDEX_PROPERTIES = ("IndexName", "KeySchema", "Projection", "ProvisionedThroughput")
_QUEUE_PROPERTIES = (
    "DelaySeconds",
    "VisibilityTimeout",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "MaximumMessageSize",
    "FifoQueue",
    "ContentBasedDeduplication",
    "RedrivePolicy",
)
_ROLE_PROPERTIES: Final = frozenset(
    {"AssumeRolePolicyDocument", "Description", "Policies", "RoleName"}
)


def create_table(cloud: MotoCloud, name: str, properties: Properties) -> dict[str, str]:
    """Create a table with its stream, indexes and TTL attribute."""
    client = cloud.client("dynamodb")
    name = str(properties.get("TableName", name))
    table = client.create_table(TableName=name, **_build_table_arguments(properties))[
        "TableDescription"
    ]
    expiry = as_mapping(properties.get("TimeToLiveSpecification"), name)
    if expiry:
        attribute, enabled = (
            str(expiry["AttributeName"]),
            format_scalar(expiry["Enabled"]) == "true",
        )
        specification: Any = {"AttributeName": attribute, "Enabled": enabled}
        client.update_time_to_live(TableName=name, TimeToLiveSpecification=specification)
    stream = table.get("LatestStreamArn")
    return {"Ref": name, "Arn": table["TableArn"]} | ({"StreamArn": stream} if stream else {})


def _build_table_arguments(properties: Properties) -> dict[str, Any]:
    arguments: dict[str, Any] = {"BillingMode": "PROVISIONED"} | _select_properties(
        properties, _TABLE_PROPERTIES
    )
    if indexes := as_list(properties.get("GlobalSecondaryIndexes"), "GlobalSecondaryIndexes"):
        arguments["GlobalSecondaryIndexes"] = [
            _select_properties(index, _INDEX_PROPERTIES) for index in indexes
        ]
    if stream := as_mapping(properties.get("StreamSpecification"), "StreamSpecification"):
        arguments["StreamSpecification"] = stream | {"StreamEnabled": True}
    return arguments


def create_queue(cloud: MotoCloud, name: str, properties: Properties) -> dict[str, str]:
    """Create a queue."""
    name = str(properties.get("QueueName", name))
    attributes = {
        cast("QueueAttributeNameType", key): _format_queue_attribute(properties[key])
        for key in _QUEUE_PROPERTIES
        if key in properties
    }
    url = cloud.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{name}"
    return {"Ref": url, "QueueUrl": url, "QueueName": name, "Arn": arn}


def create_secret(cloud: MotoCloud, name: str, properties: Properties) -> dict[str, str]:
    """Create a secret with its value, generated or not."""
    generate = properties.get("GenerateSecretString")
    text = str(properties.get("SecretString", ""))
    if generate is not None:
        text = generate_secret_string(as_mapping(generate, name))
    client = cloud.client("secretsmanager")
    arn = client.create_secret(Name=str(properties.get("Name", name)), SecretString=text)["ARN"]
    return {"Ref": arn, "Id": arn}


def generate_secret_string(options: Properties) -> str:
    """Generate a secret by the options of CloudFormation's GenerateSecretString."""
    alphabet = string.ascii_letters + string.digits
    if format_scalar(options.get("ExcludePunctuation", False)) != "true":
        alphabet += string.punctuation
    excluded = str(options.get("ExcludeCharacters", ""))
    letters = [letter for letter in alphabet if letter not in excluded]
    length = int(format_scalar(options.get("PasswordLength", 32)))
    text = "".join(secrets.choice(letters) for _ in range(length))
    key = options.get("GenerateStringKey")
    if key is None:
        return text
    template: dict[str, str] = json.loads(str(options.get("SecretStringTemplate", "{}")))
    return json.dumps(template | {str(key): text})


def create_event_bus(cloud: MotoCloud, name: str, properties: Properties) -> dict[str, str]:
    """Create an event bus."""
    name = str(properties.get("Name", name))
    arn = cloud.client("events").create_event_bus(Name=name)["EventBusArn"]
    return {"Ref": name, "Name": name, "Arn": arn}


def create_bucket(cloud: MotoCloud, name: str, properties: Properties) -> dict[str, str]:
    """Create a bucket."""
    name = str(properties.get("BucketName", name)).lower()
    cloud.client("s3").create_bucket(Bucket=name)
    return {"Ref": name, "Arn": f"arn:aws:s3:::{name}", "DomainName": f"{name}.s3.amazonaws.com"}


def create_role(cloud: MotoCloud, name: str, properties: Properties) -> dict[str, str]:
    """Create a role. Raises TemplateError for managed policies: they are not emulated."""
    if unknown := set(properties) - _ROLE_PROPERTIES:
        raise TemplateError(name, f"{', '.join(sorted(unknown))} is not emulated")
    name = str(properties.get("RoleName", name))
    inline = [as_mapping(each, name) for each in as_list(properties.get("Policies"), name)]
    policies = {str(each["PolicyName"]): json.dumps(each["PolicyDocument"]) for each in inline}
    trust = json.dumps(properties["AssumeRolePolicyDocument"])
    return {"Ref": name, "Arn": cloud.create_role(name, trust, policies)}


def create_role_policy(cloud: MotoCloud, name: str, properties: Properties) -> dict[str, str]:
    """Add a separate policy to a role. Raises TemplateError for unsupported conditions."""
    document = json.dumps(properties["PolicyDocument"])
    parse_policy(document)
    cloud.client("iam").put_role_policy(
        RoleName=str(properties["RoleName"]),
        PolicyName=str(properties["PolicyName"]),
        PolicyDocument=document,
    )
    return {"Ref": name}


RESOURCE_FACTORIES: Final[Mapping[str, ResourceFactory]] = {
    "AWS::DynamoDB::Table": create_table,
    "AWS::IAM::Role": create_role,
    "AWS::IAM::RolePolicy": create_role_policy,
    "AWS::SQS::Queue": create_queue,
    "AWS::SecretsManager::Secret": create_secret,
    "AWS::Events::EventBus": create_event_bus,
    "AWS::S3::Bucket": create_bucket,
}


def _select_properties(value: Value, keys: tuple[str, ...]) -> Properties:
    properties = as_mapping(value, "Properties")
    return {key: properties[key] for key in keys if key in properties}


def _format_queue_attribute(value: Value) -> str:
    """Format a value for the service: policies as JSON, the rest as text."""
    return json.dumps(value) if isinstance(value, dict) else format_scalar(value)
