import json
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from tests.handlers import Context, load, request
from tests.workspace import Workspace

Answer: TypeAlias = tuple[int, Any]
Api: TypeAlias = Callable[..., Answer]


@pytest.fixture
def workspace() -> Workspace:
    return Workspace()


@pytest.fixture
def handler(workspace, monkeypatch) -> Callable[[dict[str, Any]], dict[str, Any]]:
    module = load("api")
    monkeypatch.setattr(module, "services", workspace.services())

    def handler(event: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = module.handler(event, Context())
        return answer

    return handler


@pytest.fixture
def api(handler) -> Api:
    """``api(route, names…, query=…, body=…)``: the status and what its JSON says."""

    def api(route: str, query: dict[str, str] | None = None, body: object = None, **names: str):
        answer = handler(request(route, {"workspace": "acme"} | names, query=query, body=body))
        return answer["statusCode"], json.loads(answer["body"])

    return api
