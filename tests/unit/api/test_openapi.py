"""The OpenAPI document, and API responses to generated requests (schemathesis)."""

from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings

from tests.lambda_handlers import load_function
from tests.unit.api.wsgi import build_wsgi_app, load_api_routes
from tests.workspace_harness import WorkspaceHarness, build_link_definition

MODULE = load_function("api")
PATH = "/v1/openapi.json"
# API Gateway returns 404 for a method without a route, and the API refuses some zones, cursors and
# hosts that fit their schema.
EXCLUDED_CHECKS = ["unsupported_method", "positive_data_acceptance"]


def create_sample_workspace() -> WorkspaceHarness:
    """A workspace with short names, which generated requests often contain."""
    workspace = WorkspaceHarness("0")
    links = workspace.register_campaign(
        "0", [build_link_definition("https://example.com/a", "CTA")]
    )
    workspace.record_click(links[0], "1", person="0")
    return workspace


OPERATIONS = [route.key for route in load_api_routes() if route.key != f"GET {PATH}"]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    document: dict[str, Any] = MODULE.get_openapi_document()
    return document


def test_document_is_valid_openapi_and_contains_every_route(document):
    from openapi_spec_validator import validate  # slow import

    validate(document)
    described = [
        f"{method.upper()} {path}"
        for path, operations in document["paths"].items()
        for method in operations
    ]
    assert sorted(described) == sorted(OPERATIONS)


def test_operation_ids_are_unique(document):
    operations = [o for path in document["paths"].values() for o in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert all(operation["summary"] for operation in operations)


@settings(
    max_examples=settings().max_examples // 10,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def validate_response(case):
    from schemathesis.checks import CHECKS

    with patch.object(MODULE, "services", create_sample_workspace().create_services()):
        case.call_and_validate(excluded_checks=[CHECKS.get_one(n) for n in EXCLUDED_CHECKS])


@pytest.fixture(scope="module")
def response_checks():
    """A check for each operation.

    Generating the requests takes seconds, so only the test process that runs them does it.
    Schemathesis' own pytest integration would do it in each process that collects tests.
    """
    import schemathesis
    from schemathesis.checks import load_all_checks
    from schemathesis.core.result import Ok
    from schemathesis.pytest.lazy import get_all_tests

    load_all_checks()
    schema = schemathesis.openapi.from_wsgi(PATH, build_wsgi_app(MODULE.handler))
    results = get_all_tests(
        schema=schema, test_func=validate_response, settings=None, given_kwargs=None
    )
    tests = [each.ok() for each in results if isinstance(each, Ok)]
    return {operation.label: test for operation, test in tests}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_responses_to_generated_requests_follow_the_document(response_checks, operation):
    response_checks[operation]()
