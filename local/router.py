"""The stack's one port: HTTP APIs, CloudFront in front of them, and Lambda's Invoke API.

- ``/2015-03-31/functions/{name}/invocations``  Lambda's Invoke API
- ``/_local…``                                  the embedded stack's addresses: see ``admin_api``
- a Host of ``{api id}.execute-api…``           that API, without CloudFront
- everything else                               the routes of all APIs, the most specific one first
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Final

from local.api_gateway import (
    HttpError,
    HttpRequest,
    HttpResponse,
    InvalidFunctionResponse,
    Route,
    build_http_event,
    match_route,
    parse_response,
)
from local.asgi import Application, BodyTooLarge, Receive, Scope, Send, read_body, send_response
from local.clock import Clock
from local.cloudfront import CloudFrontEdge, Distribution
from local.invocations import PAYLOAD_BYTES
from local.invoke_api import INVOKE_PREFIX, InvokeApi
from local.processes import StackLog
from local.worker_pool import WorkerPool

_HEAD_BYTES: Final = 10_240  # an HTTP API's limit for request line and headers together
_BODY_BYTES: Final = 10 * 1024 * 1024
_INTEGRATION_SECONDS: Final = 30
ADMIN_PREFIX: Final = "/_local"


class RequestRouter:
    """The ASGI application of the port."""

    def __init__(
        self,
        routes: Sequence[Route],
        distributions: Mapping[str, Distribution],
        pools: Mapping[str, WorkerPool],
        invoke_api: InvokeApi,
        admin_api: Application,
        log: StackLog,
        clock: Clock,
    ) -> None:
        """``distributions`` by the API behind them, ``pools`` by the function's logical id."""
        self._routes = routes
        self._distributions = distributions
        self._pools = pools
        self._invoke_api = invoke_api
        self._admin_api = admin_api
        self._log = log
        self._clock = clock
        self._edge = CloudFrontEdge(clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["raw_path"].decode("latin-1")
        if path.startswith(INVOKE_PREFIX):
            await self._invoke_api(scope, receive, send)
        elif path == ADMIN_PREFIX or path.startswith(f"{ADMIN_PREFIX}/"):
            await self._admin_api(scope, receive, send)
        else:
            await self._handle_http(scope, receive, send)

    async def _handle_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            request = _parse_request(scope, await _read_body(receive), self._clock.now_ms())
            result = await self._route_request(request, scope["client"][1])
        except HttpError as error:
            body = json.dumps({"message": error.message}).encode()
            await send_response(send, error.status, body)
        else:
            headers = [*result.headers, ("apigw-requestid", request.id)]
            await send_response(send, result.status, result.body, headers)

    async def _route_request(self, request: HttpRequest, viewer_port: int) -> HttpResponse:
        """Return the response to a request. Raises HttpError."""
        api_id = self._find_api_by_host(request)
        routes = [route for route in self._routes if api_id in (None, route.api_id)]
        match = match_route(routes, request.method, request.decoded_path)
        if match is None:
            raise HttpError(404, "Not Found")
        route, parameters = match
        distribution = None if api_id else self._distributions.get(route.api_id)
        if distribution is not None:
            request = self._edge.build_origin_request(distribution, request, viewer_port)
        response = await self._invoke_function(route, parameters, request)
        if distribution is not None:
            self._edge.check_origin_response(response)
        return response

    def _find_api_by_host(self, request: HttpRequest) -> str | None:
        """Return the API in the Host header, if there is one."""
        name, _, rest = (request.get_header("host") or "").partition(".")
        return (
            name
            if rest.startswith("execute-api") and any(r.api_id == name for r in self._routes)
            else None
        )

    async def _invoke_function(
        self, route: Route, parameters: Mapping[str, str], request: HttpRequest
    ) -> HttpResponse:
        if _count_head_bytes(request) > _HEAD_BYTES:
            raise HttpError(431, "Request Header Fields Too Large")
        payload = json.dumps(build_http_event(route, parameters, request)).encode()
        if len(payload) > PAYLOAD_BYTES:
            raise HttpError(413, "Request Entity Too Large")
        try:
            async with asyncio.timeout(_INTEGRATION_SECONDS):
                result = await self._pools[route.function_id].invoke(payload)
            if result.error is not None:
                raise InvalidFunctionResponse(result.payload.decode("utf-8", "replace"))
            return parse_response(result.payload)
        except TimeoutError as error:
            raise HttpError(503, "Service Unavailable") from error
        except InvalidFunctionResponse as error:
            self._log.write_line(route.function_id, f"{route.key}: 500: {error}")
            raise HttpError(500, "Internal Server Error") from error


async def _read_body(receive: Receive) -> bytes:
    try:
        return await read_body(receive, _BODY_BYTES)
    except BodyTooLarge as error:
        raise HttpError(413, "Request Entity Too Large") from error


def _parse_request(scope: Scope, body: bytes, time_ms: int) -> HttpRequest:
    return HttpRequest(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=[
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
        ],
        body=body,
        source_ip=scope["client"][0],
        time_ms=time_ms,
        protocol=f"HTTP/{scope['http_version']}",
    )


def _count_head_bytes(request: HttpRequest) -> int:
    line = len(request.method) + len(request.path) + len(request.query) + len("  HTTP/1.1\r\n")
    return line + sum(len(name) + len(value) + 4 for name, value in request.headers)
