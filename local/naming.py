"""What can be told of resources that are not made: names, and attributes that follow from them.

An attribute is a text in which ``{id}`` stands for the logical id, ``{name}`` for the resource's
name, and ``{host}`` for the logical id as a part of a host name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from local.account import ACCOUNT, REGION, function_arn
from local.functions import function_name
from local.intrinsics import Resolver
from local.template import Resource

_ATTRIBUTES: Final[Mapping[str, Mapping[str, str]]] = {
    "AWS::CloudFront::ConnectionGroup": {
        "Ref": f"arn:aws:cloudfront::{ACCOUNT}:connection-group/{{id}}",
        "Arn": f"arn:aws:cloudfront::{ACCOUNT}:connection-group/{{id}}",
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
        "Arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{{name}}:*",
    },
    "AWS::SNS::Topic": {
        "Ref": f"arn:aws:sns:{REGION}:{ACCOUNT}:{{name}}",
        "TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:{{name}}",
    },
}


def attributes(
    resource: Resource, resolver: Resolver, stack: str, address: str
) -> Mapping[str, str]:
    """The attributes, ``Ref`` among them; ``address`` is where the stack's APIs are served."""
    host = resource.logical_id.lower()
    if resource.type == "AWS::Serverless::HttpApi":
        return {"Ref": host, "ApiId": host, "ApiEndpoint": address}
    if resource.type == "AWS::Serverless::Function":
        name = function_name(resource, resolver, stack)
        return {"Ref": name, "Arn": function_arn(name)}
    names = {"id": resource.logical_id, "host": host, "name": f"{stack}-{resource.logical_id}"}
    known = _ATTRIBUTES.get(resource.type, {"Ref": "{name}"})
    return {attribute: text.format(**names) for attribute, text in known.items()}
