"""Tables, queues, secrets, buses and buckets of the template, made on moto when something first refers to them.

A resource that the embedded stack does not make still has a name (``Ref``), since much of a template only names
things; of its attributes only those listed here can be told.
"""

from __future__ import annotations

import json
import re
import secrets
import string
from collections.abc import Callable, Mapping
from typing import Any, Final

from local.cloud import Cloud
from local.errors import TemplateError
from local.functions import function_name
from local.intrinsics import ACCOUNT, REGION, Resolver
from local.template import Properties, Resource, Template, Value

_SECRET_REFERENCE = re.compile(
    r"\{\{resolve:secretsmanager:((?:arn:[^:}]+:[^:}]+:[^:}]*:[^:}]*:[^:}]*:)?[^:}]+)"
    r"(?::SecretString(?::([^:}]*))?[^}]*)?\}\}"
)

# What of a property set goes to the service's own create call; the rest (protection, encryption, backups, tags)
# changes nothing that a function could see here.
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


class CloudResources:
    """Physical names and attributes of the template's resources, by logical id."""

    def __init__(self, template: Template, stack: str, cloud: Cloud, address: str) -> None:
        """``address`` is where the APIs of the stack are served."""
        self._template = template
        self._stack = stack
        self._cloud = cloud
        self._address = address
        self._made: dict[str, Mapping[str, str]] = {}
        self._makers: Final[dict[str, Callable[[str, Properties], dict[str, str]]]] = {
            "AWS::DynamoDB::Table": self._table,
            "AWS::SQS::Queue": self._queue,
            "AWS::SecretsManager::Secret": self._secret,
            "AWS::Events::EventBus": self._event_bus,
            "AWS::S3::Bucket": self._bucket,
        }
        self.resolver: Resolver

    def make_all(self) -> None:
        """Makes every resource that this module knows how to make and whose condition holds."""
        for resource in self._template.resources.values():
            if resource.type in self._makers and self.resolver.holds(resource.condition):
                self._attributes(resource.logical_id)

    def ref(self, logical_id: str) -> str:
        return self._attributes(logical_id)["Ref"]

    def attribute(self, logical_id: str, name: str) -> str:
        attributes = self._attributes(logical_id)
        if name not in attributes:
            kind = self._template.resources[logical_id].type
            raise TemplateError(f"{logical_id}.{name}", f"cannot be told of a {kind} here")
        return attributes[name]

    def secret_values(self, text: str) -> str:
        """The text with dynamic references to secrets replaced by the secrets' values."""

        def value(match: re.Match[str]) -> str:
            answer = self._cloud.client("secretsmanager").get_secret_value(SecretId=match[1])
            secret = answer["SecretString"]
            return str(json.loads(secret)[match[2]]) if match[2] else secret

        return _SECRET_REFERENCE.sub(value, text)

    def at_home(self, text: str) -> str:
        """The text with addresses of the stack's own APIs replaced by where they are served here."""
        return re.sub(
            rf"https://({'|'.join(self._apis()) or '(?!)'})\.execute-api\.[a-z0-9-]+\.amazonaws\.com",
            self._address,
            text,
        )

    def _apis(self) -> list[str]:
        return [
            resource.logical_id.lower()
            for resource in self._template.resources.values()
            if resource.type == "AWS::Serverless::HttpApi"
        ]

    def _attributes(self, logical_id: str) -> Mapping[str, str]:
        if logical_id not in self._made:
            resource = self._template.resources[logical_id]
            if not self.resolver.holds(resource.condition):
                raise TemplateError(
                    logical_id, f"does not exist: {resource.condition} does not hold"
                )
            self._made[logical_id] = self._make(resource)
        return self._made[logical_id]

    def _make(self, resource: Resource) -> Mapping[str, str]:
        logical_id = resource.logical_id
        if resource.type in self._makers:
            properties = self.resolver.properties(resource.properties, logical_id)
            return self._makers[resource.type](logical_id, properties)
        if resource.type == "AWS::Serverless::HttpApi":
            return {
                "Ref": logical_id.lower(),
                "ApiId": logical_id.lower(),
                "ApiEndpoint": self._address,
            }
        if resource.type == "AWS::Serverless::Function":
            name = function_name(resource, self.resolver, self._stack)
            return {"Ref": name, "Arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"}
        if resource.type == "AWS::CloudFront::Distribution":
            return {
                "Ref": logical_id,
                "Id": logical_id,
                "DomainName": f"{logical_id.lower()}.cloudfront.net",
            }
        return {"Ref": self._name(logical_id)}

    def _name(self, logical_id: str) -> str:
        return f"{self._stack}-{logical_id}"

    def _table(self, logical_id: str, properties: Properties) -> dict[str, str]:
        client = self._cloud.client("dynamodb")
        name = str(properties.get("TableName", self._name(logical_id)))
        arguments: dict[str, Any] = {key: properties[key] for key in _TABLE if key in properties}
        arguments.setdefault("BillingMode", "PROVISIONED")
        indexes = properties.get("GlobalSecondaryIndexes")
        if isinstance(indexes, list):
            arguments["GlobalSecondaryIndexes"] = [_only(index, _INDEX) for index in indexes]
        stream = properties.get("StreamSpecification")
        if isinstance(stream, dict):
            arguments["StreamSpecification"] = stream | {"StreamEnabled": True}
        table = client.create_table(TableName=name, **arguments)["TableDescription"]
        expiry = properties.get("TimeToLiveSpecification")
        if isinstance(expiry, dict):
            client.update_time_to_live(
                TableName=name,
                TimeToLiveSpecification={
                    "AttributeName": str(expiry["AttributeName"]),
                    "Enabled": str(expiry["Enabled"]).lower() == "true",
                },
            )
        made = {"Ref": name, "Arn": table["TableArn"]}
        if "LatestStreamArn" in table:
            made["StreamArn"] = table["LatestStreamArn"]
        return made

    def _queue(self, logical_id: str, properties: Properties) -> dict[str, str]:
        client = self._cloud.client("sqs")
        name = str(properties.get("QueueName", self._name(logical_id)))
        attributes = {key: _attribute(properties[key]) for key in _QUEUE if key in properties}
        url = client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return {
            "Ref": url,
            "QueueUrl": url,
            "QueueName": name,
            "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}",
        }

    def _secret(self, logical_id: str, properties: Properties) -> dict[str, str]:
        client = self._cloud.client("secretsmanager")
        name = str(properties.get("Name", self._name(logical_id)))
        generate = properties.get("GenerateSecretString")
        text = str(properties.get("SecretString", ""))
        if isinstance(generate, dict):
            text = generated_secret(generate)
        arn = client.create_secret(Name=name, SecretString=text)["ARN"]
        return {"Ref": arn, "Id": arn}

    def _event_bus(self, logical_id: str, properties: Properties) -> dict[str, str]:
        name = str(properties.get("Name", self._name(logical_id)))
        arn = self._cloud.client("events").create_event_bus(Name=name)["EventBusArn"]
        return {"Ref": name, "Name": name, "Arn": arn}

    def _bucket(self, logical_id: str, properties: Properties) -> dict[str, str]:
        name = str(properties.get("BucketName", self._name(logical_id))).lower()
        self._cloud.client("s3").create_bucket(Bucket=name)
        return {
            "Ref": name,
            "Arn": f"arn:aws:s3:::{name}",
            "DomainName": f"{name}.s3.amazonaws.com",
        }


def generated_secret(generate: Properties) -> str:
    """What CloudFormation's GenerateSecretString would make."""
    alphabet = string.ascii_letters + string.digits
    if not generate.get("ExcludePunctuation"):
        alphabet += string.punctuation
    excluded = str(generate.get("ExcludeCharacters", ""))
    letters = [letter for letter in alphabet if letter not in excluded]
    text = "".join(
        secrets.choice(letters) for _ in range(int(str(generate.get("PasswordLength", 32))))
    )
    key = generate.get("GenerateStringKey")
    if key is None:
        return text
    return json.dumps(
        json.loads(str(generate.get("SecretStringTemplate", "{}"))) | {str(key): text}
    )


def _only(value: Value, keys: tuple[str, ...]) -> dict[str, Value]:
    assert isinstance(value, dict)
    return {key: value[key] for key in keys if key in value}


def _attribute(value: Value) -> str:
    """A queue attribute as the service takes it: texts, and policies as JSON."""
    if isinstance(value, dict):
        return json.dumps(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
