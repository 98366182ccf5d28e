"""Read the roles' policies from the transformed template, with example ARNs of its resources."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from local.account import ACCOUNT_ID, REGION
from local.intrinsics import IntrinsicResolver
from local.template import Resource, Template, parse_yaml
from tools.transform_template import translate_template

_ARNS: Final[Mapping[str, str]] = {
    "AWS::CloudFront::Distribution.Ref": "E2EXAMPLE",
    "AWS::CloudFront::ConnectionGroup.Id": "cg_2EXAMPLE",
    "AWS::DynamoDB::Table.Arn": "arn:aws:dynamodb:{region}:{account}:table/{id}",
    "AWS::DynamoDB::Table.StreamArn": (
        "arn:aws:dynamodb:{region}:{account}:table/{id}/stream/2026-12-01T00:00:00.000"
    ),
    "AWS::Events::EventBus.Arn": "arn:aws:events:{region}:{account}:event-bus/{id}",
    "AWS::Logs::LogGroup.Arn": "arn:aws:logs:{region}:{account}:log-group:{id}:*",
    "AWS::S3::Bucket.Arn": "arn:aws:s3:::{id}",
    "AWS::SQS::Queue.Arn": "arn:aws:sqs:{region}:{account}:{id}",
    "AWS::SecretsManager::Secret.Ref": (
        "arn:aws:secretsmanager:{region}:{account}:secret:{id}-AbCdEf"
    ),
}
_POLICY_TYPES: Final = ("AWS::IAM::Role", "AWS::IAM::RolePolicy")
_PARAMETERS: Final = {"FilesBucket": "acme-files"}  # otherwise a role has no access to files


@dataclass(frozen=True, slots=True)
class RolePolicies:
    """The policy of each role by logical id, and a resolver of texts with ``${…}``."""

    documents: Mapping[str, Mapping[str, Any]]
    resolver: IntrinsicResolver

    def resolve_arn(self, text: str) -> str:
        """Replace ``${ClicksTable.Arn}`` and the like by example ARNs.

        :raises TemplateError: for an unknown resource or attribute.
        """
        return self.resolver.resolve_text({"Fn::Sub": text}, text)


@dataclass(frozen=True, slots=True)
class _ExampleNames:
    types: Mapping[str, str]

    def ref(self, logical_id: str) -> str:
        return self._format(logical_id, "Ref") or logical_id

    def attribute(self, logical_id: str, name: str) -> str:
        arn = self._format(logical_id, name)
        if arn is None:
            raise KeyError(f"{logical_id}.{name}: no example ARN; add its type to _ARNS")
        return arn

    def _format(self, logical_id: str, name: str) -> str | None:
        pattern = _ARNS.get(f"{self.types[logical_id]}.{name}")
        return pattern and pattern.format(region=REGION, account=ACCOUNT_ID, id=logical_id)


@cache
def load_role_policies() -> RolePolicies:
    """Load the inline policies of every role, one document for each role."""
    body = parse_yaml(translate_template(REGION))
    template = _build_template(body)
    names = _ExampleNames({name: each.type for name, each in template.resources.items()})
    resolver = IntrinsicResolver(template, "waypost", _PARAMETERS, names)
    statements = defaultdict[str, list[Any]](list)
    for logical_id, resource in template.resources.items():
        if resource.type not in _POLICY_TYPES or not resolver.is_condition_true(resource.condition):
            continue
        properties: Any = resolver.resolve_properties(resource.properties, logical_id)
        if resource.type == "AWS::IAM::Role" and "Policies" in properties:
            for policy in properties["Policies"]:
                statements[logical_id] += policy["PolicyDocument"]["Statement"]
        if resource.type == "AWS::IAM::RolePolicy":
            statements[properties["RoleName"]] += properties["PolicyDocument"]["Statement"]
    documents = {
        role: {"Version": "2012-10-17", "Statement": rows} for role, rows in statements.items()
    }
    return RolePolicies(documents, resolver)


def _build_template(body: Mapping[str, Any]) -> Template:
    resources = {
        name: Resource(name, each["Type"], each.get("Properties", {}), each.get("Condition"))
        for name, each in body["Resources"].items()
    }
    return Template(Path(), body["Parameters"], body["Conditions"], resources)
