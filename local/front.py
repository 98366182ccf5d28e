"""The one port: routes of the HTTP APIs, CloudFront before them, Lambda's Invoke API, and doors of
the stack's own.

- ``/2015-03-31/functions/{name}/invocations``  Lambda's Invoke API
- ``/_local…``                                  what only exists here: see ``doors``
- a Host of ``{api id}.execute-api…``           that API itself, past CloudFront
- everything else                               the routes of all APIs, the most specific one first
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Final

from local.api_answers import response
from local.api_events import event
from local.asgi import Application, BodyTooLarge, Receive, Scope, Send, answer, read_body
from local.clock import Clock
from local.cloudfront import Edge
from local.distributions import Distribution
from local.http_api import BadAnswer, Refused, Request, Response
from local.invocations import PAYLOAD_BYTES
from local.invoke_api import PREFIX, InvokeApi
from local.lambdas import Pool
from local.processes import Log
from local.routes import Route, choose

_HEAD_BYTES: Final = 10_240  # an HTTP API's limit for request line and headers together
_BODY_BYTES: Final = 10 * 1024 * 1024
_INTEGRATION_SECONDS: Final = 30
DOORS: Final = "/_local"


class Front:
    """An ASGI application."""

    def __init__(
        self,
        routes: Sequence[Route],
        distributions: Mapping[str, Distribution],
        pools: Mapping[str, Pool],
        invoke_api: InvokeApi,
        doors: Application,
        log: Log,
        clock: Clock,
    ) -> None:
        """``distributions`` by the API behind them, ``pools`` by the function's logical id."""
        self._routes = routes
        self._distributions = distributions
        self._pools = pools
        self._invoke_api = invoke_api
        self._doors = doors
        self._log = log
        self._clock = clock
        self._edge = Edge(clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["raw_path"].decode("latin-1")
        if path.startswith(PREFIX):
            await self._invoke_api(scope, receive, send)
        elif path == DOORS or path.startswith(f"{DOORS}/"):
            await self._doors(scope, receive, send)
        else:
            await self._http_api(scope, receive, send)

    async def _http_api(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            request = _request(scope, await _body(receive), self._clock.milliseconds())
            result = await self._respond(request, scope["client"][1])
        except Refused as refused:
            body = json.dumps({"message": refused.message}).encode()
            await answer(send, refused.status, body)
        else:
            headers = [*result.headers, ("apigw-requestid", request.id)]
            await answer(send, result.status, result.body, headers)

    async def _respond(self, request: Request, port: int) -> Response:
        """The answer to a request from a viewer's ``port``. Raises Refused."""
        direct = self._addressed(request)
        routes = [route for route in self._routes if direct in (None, route.api)]
        chosen = choose(routes, request.method, request.path)
        if chosen is None:
            raise Refused(404, "Not Found")
        route, parameters = chosen
        distribution = None if direct else self._distributions.get(route.api)
        if distribution is not None:
            request = self._edge.origin_request(distribution, request, port)
        return await self._integrate(route, parameters, request)

    def _addressed(self, request: Request) -> str | None:
        """The API that the Host names, if it names one."""
        name, _, rest = (request.header("host") or "").partition(".")
        return (
            name
            if rest.startswith("execute-api") and any(r.api == name for r in self._routes)
            else None
        )

    async def _integrate(
        self, route: Route, parameters: Mapping[str, str], request: Request
    ) -> Response:
        if _head_bytes(request) > _HEAD_BYTES:
            raise Refused(431, "Request Header Fields Too Large")
        payload = json.dumps(event(route, parameters, request)).encode()
        if len(payload) > PAYLOAD_BYTES:
            raise Refused(413, "Request Entity Too Large")
        try:
            async with asyncio.timeout(_INTEGRATION_SECONDS):
                outcome = await self._pools[route.function].invoke(payload)
            if outcome.error is not None:
                raise BadAnswer(outcome.payload.decode("utf-8", "replace"))
            return response(outcome.payload)
        except TimeoutError as error:
            raise Refused(503, "Service Unavailable") from error
        except BadAnswer as error:
            self._log.line(route.function, f"{route.key}: 500: {error}")
            raise Refused(500, "Internal Server Error") from error


async def _body(receive: Receive) -> bytes:
    try:
        return await read_body(receive, _BODY_BYTES)
    except BodyTooLarge as error:
        raise Refused(413, "Request Entity Too Large") from error


def _request(scope: Scope, body: bytes, time: int) -> Request:
    return Request(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=[
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
        ],
        body=body,
        source_ip=scope["client"][0],
        time=time,
        protocol=f"HTTP/{scope['http_version']}",
    )


def _head_bytes(request: Request) -> int:
    line = len(request.method) + len(request.path) + len(request.query) + len("  HTTP/1.1\r\n")
    return line + sum(len(name) + len(value) + 4 for name, value in request.headers)
