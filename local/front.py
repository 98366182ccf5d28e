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

from local.asgi import Application, BodyTooLarge, Receive, Scope, Send, answer, read_body
from local.clock import Clock
from local.cloudfront import URL_BYTES, Distribution, Edge
from local.http_api import BadAnswer, Request, event, response
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
            body = await read_body(receive, _BODY_BYTES)
        except BodyTooLarge:
            await _refuse(send, 413, "Request Entity Too Large")
            return
        request = _request(scope, body, self._clock.milliseconds())
        direct = self._addressed(request)
        routes = [route for route in self._routes if direct in (None, route.api)]
        chosen = choose(routes, request.method, request.path)
        if chosen is None:
            await _refuse(send, 404, "Not Found")
            return
        route, parameters = chosen
        distribution = None if direct else self._distributions.get(route.api)
        if distribution is not None:
            if request.method not in distribution.methods:
                await _refuse(
                    send,
                    403,
                    "This distribution is not configured to allow the HTTP request method.",
                )
                return
            if len(request.path) + len(request.query) > URL_BYTES:
                await _refuse(send, 414, "The request could not be satisfied: the URL is too long.")
                return
            request = self._edge.origin_request(distribution, request, scope["client"][1])
        await self._integrate(route, parameters, request, send)

    def _addressed(self, request: Request) -> str | None:
        """The API that the Host names, if it names one."""
        name, _, rest = (request.header("host") or "").partition(".")
        return (
            name
            if rest.startswith("execute-api") and any(r.api == name for r in self._routes)
            else None
        )

    async def _integrate(
        self, route: Route, parameters: Mapping[str, str], request: Request, send: Send
    ) -> None:
        if _head_bytes(request) > _HEAD_BYTES:
            await _refuse(send, 431, "Request Header Fields Too Large")
            return
        payload = json.dumps(event(route, parameters, request)).encode()
        if len(payload) > PAYLOAD_BYTES:
            await _refuse(send, 413, "Request Entity Too Large")
            return
        try:
            async with asyncio.timeout(_INTEGRATION_SECONDS):
                outcome = await self._pools[route.function].invoke(payload)
            if outcome.error is not None:
                raise BadAnswer(outcome.payload.decode("utf-8", "replace"))
            result = response(outcome.payload)
        except TimeoutError:
            await _refuse(send, 503, "Service Unavailable")
        except BadAnswer as error:
            self._log.line(route.function, f"{route.key}: 500: {error}")
            await _refuse(send, 500, "Internal Server Error")
        else:
            await answer(
                send, result.status, result.body, [*result.headers, ("apigw-requestid", request.id)]
            )


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


async def _refuse(send: Send, status: int, message: str) -> None:
    await answer(send, status, json.dumps({"message": message}).encode())
