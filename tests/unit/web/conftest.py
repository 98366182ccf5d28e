from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from tests.lambda_handlers import LambdaContext, build_api_event, load_function
from tests.workspace_harness import WorkspaceHarness
from waypost.reports.share_links import ShareScope

Visit: TypeAlias = Callable[..., dict[str, Any]]


@pytest.fixture
def workspace() -> WorkspaceHarness:
    return WorkspaceHarness()


@pytest.fixture
def visit(workspace, monkeypatch) -> Visit:
    """``visit(page, *tokens, **query)``: a page, asked for with the cookies of these shares."""
    module = load_function("pages")
    monkeypatch.setattr(module, "page_service", workspace.create_page_service)

    def visit(page: str, *tokens: str, **query: str) -> dict[str, Any]:
        cookies = [
            f"__Host-share-{read_scope(workspace, token).scope_id}={token}" for token in tokens
        ]
        event = build_api_event(
            "GET /reports/{page+}", {"page": page}, query=query, cookies=cookies
        )
        answer: dict[str, Any] = module.handler(event, LambdaContext())
        return answer

    return visit


def read_scope(workspace: WorkspaceHarness, token: str) -> ShareScope:
    """Return the scope of a token, even of an expired one."""
    now, workspace.now = workspace.now, workspace.now.replace(year=2020)
    try:
        return workspace.create_share_signer().verify_token(token).scope
    finally:
        workspace.now = now
