"""Waypost's redirect behind powertools' resolver instead of Waypost's routing."""

from typing import Any

import app as waypost_app  # type: ignore[import-not-found,unused-ignore]
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

resolver = APIGatewayHttpResolver()


@resolver.get("/e/c/<payload>/<signature>")
def click(payload: str, signature: str) -> Response[str]:
    del payload, signature  # our own code takes them from the path
    answer = waypost_app.handler(resolver.current_event.raw_event, resolver.lambda_context)
    return Response(answer["statusCode"], body=answer.get("body"), headers=answer["headers"])


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    return resolver.resolve(event, context)
