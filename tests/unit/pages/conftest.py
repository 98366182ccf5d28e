from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from tests.handlers import Context, load, request
from tests.workspace import Workspace
from waypost.reports.share_links import Scope

Visit: TypeAlias = Callable[..., dict[str, Any]]


@pytest.fixture
def workspace() -> Workspace:
    return Workspace()


@pytest.fixture
def visit(workspace, monkeypatch) -> Visit:
    """``visit(page, *tokens, **query)``: a page, asked for with the cookies of these shares."""
    module = load("pages")
    monkeypatch.setattr(module, "visits", workspace.visits)

    def visit(page: str, *tokens: str, **query: str) -> dict[str, Any]:
        cookies = [f"__Host-share-{scope_of(workspace, token).code}={token}" for token in tokens]
        event = request("GET /reports/{page+}", {"page": page}, query=query, cookies=cookies)
        answer: dict[str, Any] = module.handler(event, Context())
        return answer

    return visit


def scope_of(workspace: Workspace, token: str) -> Scope:
    """What a token says, however old it is."""
    now, workspace.now = workspace.now, workspace.now.replace(year=2020)
    try:
        return workspace.sharer().opened(token).scope
    finally:
        workspace.now = now
