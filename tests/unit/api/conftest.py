import json
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from tests.lambda_handlers import LambdaContext, build_api_event, load_function
from tests.workspace_harness import WorkspaceHarness

Answer: TypeAlias = tuple[int, Any]
Api: TypeAlias = Callable[..., Answer]


@pytest.fixture
def workspace() -> WorkspaceHarness:
    return WorkspaceHarness()


@pytest.fixture
def handler(workspace, monkeypatch) -> Callable[[dict[str, Any]], dict[str, Any]]:
    module = load_function("api")
    monkeypatch.setattr(module, "services", workspace.create_services())

    def handler(event: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = module.handler(event, LambdaContext())
        return answer

    return handler


@pytest.fixture
def api(handler) -> Api:
    """Call ``api(route, query=…, body=…, **names)``; return status and parsed JSON."""

    def api(route: str, query: dict[str, str] | None = None, body: object = None, **names: str):
        answer = handler(
            build_api_event(route, {"workspace": "acme"} | names, query=query, body=body)
        )
        return answer["statusCode"], json.loads(answer["body"])

    return api
