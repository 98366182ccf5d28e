"""The API function and its routes as a WSGI application, for schemathesis."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from local.api_gateway import HttpRequest, Route, build_http_event, match_route, parse_response
from local.stack import TEMPLATE
from local.template import as_mapping, get_section, load_template
from tests.lambda_handlers import LambdaContext

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def load_api_routes() -> list[Route]:
    """Load the API function's routes, most specific first."""
    events = get_section(load_template(TEMPLATE).resources["ApiFunction"].properties, "Events")
    triggers = [
        get_section(as_mapping(event, name), "Properties") for name, event in events.items()
    ]
    keys = [f"{trigger['Method']} {trigger['Path']}" for trigger in triggers]
    routes = [Route(key, "managementapi", "ApiFunction", requires_iam=True) for key in keys]
    return sorted(routes, key=lambda route: route.precedence, reverse=True)


def build_wsgi_app(handler: Any) -> WSGIApplication:
    """Wrap a handler as API Gateway does."""
    routes = load_api_routes()

    def respond(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        request = _build_request(environ)
        match = match_route(routes, request.method, request.path)
        if match is None:
            start("404 Not Found", [("content-type", "application/json")])
            return [b'{"message":"Not Found"}']
        payload = handler(build_http_event(*match, request), LambdaContext())
        response = parse_response(json.dumps(payload).encode())
        start(f"{response.status} ", list(response.headers))
        return [response.body]

    return respond


def _build_request(environ: WSGIEnvironment) -> HttpRequest:
    path = str(environ["REQUEST_URI"]).partition("?")[0]
    names = {name: name[5:].lower().replace("_", "-") for name in environ if name[:5] == "HTTP_"}
    headers = [(name, str(environ[key])) for key, name in names.items()]
    if kind := environ.get("CONTENT_TYPE"):
        headers.append(("content-type", str(kind)))
    length = int(environ.get("CONTENT_LENGTH") or 0)
    return HttpRequest(
        method=environ["REQUEST_METHOD"],
        path=path,
        query=environ.get("QUERY_STRING", ""),
        headers=headers,
        body=environ["wsgi.input"].read(length),
        source_ip="127.0.0.1",
        time_ms=1_795_256_130_123,
    )
