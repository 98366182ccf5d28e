"""Names and attributes of the template's resources, which are created on moto on first reference.

A resource without a factory still has a name (``Ref``), because most references need only that, and
the attributes in ``_ATTRIBUTE_TEMPLATES``. In these, ``{id}`` is the logical id, ``{host}`` the
same in lower case, and ``{name}`` the default name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from local.account import ACCOUNT_ID, REGION, format_function_arn
from local.cloud import MotoCloud
from local.errors import TemplateError
from local.functions import resolve_function_name
from local.intrinsics import IntrinsicResolver
from local.resource_factories import RESOURCE_FACTORIES
from local.template import Resource, Template

_ATTRIBUTE_TEMPLATES: Final[Mapping[str, Mapping[str, str]]] = {
    "AWS::CloudFront::ConnectionGroup": {
        "Ref": f"arn:aws:cloudfront::{ACCOUNT_ID}:connection-group/{{id}}",
        "Arn": f"arn:aws:cloudfront::{ACCOUNT_ID}:connection-group/{{id}}",
        "Id": "{id}",
        "RoutingEndpoint": "{host}.cloudfront.net",
    },
    "AWS::CloudFront::Distribution": {
        "Ref": "{id}",
        "Id": "{id}",
        "DomainName": "{host}.cloudfront.net",
    },
    "AWS::Logs::LogGroup": {
        "Ref": "{name}",
        "Arn": f"arn:aws:logs:{REGION}:{ACCOUNT_ID}:log-group:{{name}}:*",
    },
    "AWS::SNS::Topic": {
        "Ref": f"arn:aws:sns:{REGION}:{ACCOUNT_ID}:{{name}}",
        "TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT_ID}:{{name}}",
    },
}
_SECRET_REFERENCE: Final = re.compile(
    r"\{\{resolve:secretsmanager:((?:arn:[^:{}]+:[^:{}]+:[^:{}]*:[^:{}]*:[^:{}]*:)?[^:{}]+)"
    r"(?::SecretString(?::([^:{}]*)(?::[^{}]*)?)?)?\}\}"
)


def derive_attributes(
    resource: Resource, resolver: IntrinsicResolver, stack: str, api_url: str
) -> Mapping[str, str]:
    """Return the attributes of a resource that is not created, including ``Ref``."""
    host = resource.logical_id.lower()
    if resource.type == "AWS::Serverless::HttpApi":
        return {"Ref": host, "ApiId": host, "ApiEndpoint": api_url}
    if resource.type == "AWS::Serverless::Function":
        name = resolve_function_name(resource, resolver, stack)
        return {"Ref": name, "Arn": format_function_arn(name)}
    names = {"id": resource.logical_id, "host": host, "name": f"{stack}-{resource.logical_id}"}
    templates = _ATTRIBUTE_TEMPLATES.get(resource.type, {"Ref": "{name}"})
    return {attribute: text.format(**names) for attribute, text in templates.items()}


class StackResources:
    """Names and attributes of the template's resources, by logical id."""

    def __init__(self, template: Template, stack: str, cloud: MotoCloud, api_url: str) -> None:
        """``api_url`` is the base URL of the stack's APIs."""
        self._template = template
        self._stack = stack
        self._cloud = cloud
        self._api_url = api_url
        self._attributes_by_id: dict[str, Mapping[str, str]] = {}
        self.resolver: IntrinsicResolver

    def create_all(self) -> None:
        """Create every resource that has a factory and whose condition is true."""
        for resource in self._template.resources.values():
            if resource.type in RESOURCE_FACTORIES and self.resolver.is_condition_true(
                resource.condition
            ):
                self._get_attributes(resource.logical_id)

    def ref(self, logical_id: str) -> str:
        return self._get_attributes(logical_id)["Ref"]

    def list_refs(self) -> Mapping[str, str]:
        """Return the ``Ref`` of everything created or referred to, by logical id."""
        return {name: attributes["Ref"] for name, attributes in self._attributes_by_id.items()}

    def attribute(self, logical_id: str, name: str) -> str:
        attributes = self._get_attributes(logical_id)
        if name not in attributes:
            resource_type = self._template.resources[logical_id].type
            raise TemplateError(f"{logical_id}.{name}", f"not emulated for {resource_type}")
        return attributes[name]

    def resolve_secrets(self, text: str) -> str:
        """Replace dynamic references to secrets by the secrets' values."""

        def value(match: re.Match[str]) -> str:
            response = self._cloud.client("secretsmanager").get_secret_value(SecretId=match[1])
            secret = response["SecretString"]
            return str(json.loads(secret)[match[2]]) if match[2] else secret

        return _SECRET_REFERENCE.sub(value, text)

    def localize_urls(self, text: str) -> str:
        """Replace the AWS addresses of the stack's APIs by their local one."""
        for api in self._list_api_ids():
            text = text.replace(f"https://{api}.execute-api.{REGION}.amazonaws.com", self._api_url)
        return text

    def _list_api_ids(self) -> list[str]:
        return [
            resource.logical_id.lower()
            for resource in self._template.resources.values()
            if resource.type == "AWS::Serverless::HttpApi"
        ]

    def _get_attributes(self, logical_id: str) -> Mapping[str, str]:
        if logical_id not in self._attributes_by_id:
            resource = self._template.resources[logical_id]
            if not self.resolver.is_condition_true(resource.condition):
                raise TemplateError(
                    logical_id, f"does not exist: condition {resource.condition} is false"
                )
            self._attributes_by_id[logical_id] = self._create(resource)
        return self._attributes_by_id[logical_id]

    def _create(self, resource: Resource) -> Mapping[str, str]:
        logical_id = resource.logical_id
        if resource.type in RESOURCE_FACTORIES:
            properties = self.resolver.resolve_properties(resource.properties, logical_id)
            return RESOURCE_FACTORIES[resource.type](
                self._cloud, self._physical_name(logical_id), properties
            )
        return derive_attributes(resource, self.resolver, self._stack, self._api_url)

    def _physical_name(self, logical_id: str) -> str:
        return f"{self._stack}-{logical_id}"
