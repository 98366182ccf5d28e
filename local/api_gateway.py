"""Which function a request goes to: the routes of the template's HTTP APIs.

Paths are matched as they came, undecoded, so that an escaped slash stays within its segment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final
from urllib.parse import unquote

from local.errors import TemplateError
from local.functions import LambdaFunction, Trigger, list_triggers
from local.intrinsics import IntrinsicResolver
from local.template import Template, Value, as_mapping

DEFAULT_ROUTE: Final = "$default"
_IMPLICIT_API: Final = "ServerlessHttpApi"  # what SAM makes where an event names none


@dataclass(frozen=True, slots=True)
class Route:
    """``key`` is API Gateway's route key (``GET /s/{code+}``), ``iam`` whether callers sign."""

    key: str
    api_id: str
    function_id: str
    requires_iam: bool

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """The path parameters, decoded; None when the route is not for such a request."""
        if self.key == DEFAULT_ROUTE:
            return {}
        wanted, pattern = self.key.split(" ", 1)
        found = _compile_path(pattern).fullmatch(path) if wanted in ("ANY", method) else None
        if found is None:
            return None
        return {name: unquote(value) for name, value in found.groupdict().items()}

    @property
    def precedence(self) -> tuple[bool, bool, int, bool]:
        """Greater wins: $default last, then greedy paths, then few literal segments, then ANY."""
        literals = sum("{" not in part for part in self.key.split("/"))
        return (
            self.key != DEFAULT_ROUTE,
            "+}" not in self.key,
            literals,
            not self.key.startswith("ANY "),
        )


def load_routes(
    template: Template, resolver: IntrinsicResolver, functions: Sequence[LambdaFunction]
) -> list[Route]:
    """The routes of every HTTP API in the template, those that win first."""
    found = [
        _load_route(template, resolver, function, event)
        for function, event in list_triggers(functions, "HttpApi")
    ]
    return sorted(found, key=lambda route: route.precedence, reverse=True)


def match_route(
    routes: Iterable[Route], method: str, path: str
) -> tuple[Route, dict[str, str]] | None:
    """The first of the routes that takes a request, with its path parameters."""
    for route in routes:
        parameters = route.match(method, path)
        if parameters is not None:
            return route, parameters
    return None


def _load_route(
    template: Template, resolver: IntrinsicResolver, function: LambdaFunction, event: Trigger
) -> Route:
    properties, where = event.properties, event.where
    method, path = properties.get("Method"), properties.get("Path")
    if (method is None) != (path is None):
        raise TemplateError(where, "has only one of Method and Path")
    if str(properties.get("PayloadFormatVersion", "2.0")) != "2.0":
        raise TemplateError(where, "only payload format 2.0 is emulated")
    api = str(properties.get("ApiId", _IMPLICIT_API))
    auth = as_mapping(properties.get("Auth"), f"{where}.Auth")
    authorizer = auth.get("Authorizer", _find_default_authorizer(template, resolver, api))
    if authorizer not in (None, "NONE", "AWS_IAM"):
        raise TemplateError(where, f"authorizer {authorizer!r} is not emulated")
    key = DEFAULT_ROUTE if path is None else f"{str(method).upper().replace('*', 'ANY')} {path}"
    return Route(key, api, function.logical_id, authorizer == "AWS_IAM")


def _find_default_authorizer(template: Template, resolver: IntrinsicResolver, api: str) -> Value:
    if api == _IMPLICIT_API:
        return None
    for name, resource in template.resources.items():
        if (
            resource.type == "AWS::Serverless::HttpApi"
            and resolver.resolve_text({"Ref": name}, api) == api
        ):
            auth = resolver.resolve_properties(resource.properties.get("Auth"), f"{name}.Auth")
            return auth.get("DefaultAuthorizer")
    raise TemplateError(f"ApiId {api}", "is no HTTP API of this template")


@cache
def _compile_path(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{([A-Za-z0-9_]+)(\+?)\}", path)
    expression = re.escape(parts[0])
    for name, greedy, after in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        expression += f"(?P<{name}>{'.+' if greedy else '[^/]+'}){re.escape(after)}"
    return re.compile(expression)
