"""What can be told of resources that are not made: names, and attributes that follow from them.

An attribute is a text in which ``{id}`` stands for the logical id, ``{name}`` for the resource's
name, and ``{host}`` for the logical id as a part of a host name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from local.account import ACCOUNT_ID, REGION, format_function_arn
from local.functions import resolve_function_name
from local.intrinsics import IntrinsicResolver
from local.template import Resource

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


def derive_attributes(
    resource: Resource, resolver: IntrinsicResolver, stack: str, api_url: str
) -> Mapping[str, str]:
    """The attributes, ``Ref`` among them; ``address`` is where the stack's APIs are served."""
    host = resource.logical_id.lower()
    if resource.type == "AWS::Serverless::HttpApi":
        return {"Ref": host, "ApiId": host, "ApiEndpoint": api_url}
    if resource.type == "AWS::Serverless::Function":
        name = resolve_function_name(resource, resolver, stack)
        return {"Ref": name, "Arn": format_function_arn(name)}
    names = {"id": resource.logical_id, "host": host, "name": f"{stack}-{resource.logical_id}"}
    known = _ATTRIBUTE_TEMPLATES.get(resource.type, {"Ref": "{name}"})
    return {attribute: text.format(**names) for attribute, text in known.items()}
