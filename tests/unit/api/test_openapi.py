"""The OpenAPI document, and that the API keeps what it says: schemathesis makes up the requests."""

from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings

from tests.handlers import load_function
from tests.unit.api.wsgi import build_wsgi_app, load_api_routes
from tests.workspace import WorkspaceHarness, build_link_definition

MODULE = load_function("api")
PATH = "/v1/openapi.json"
# 404 by API Gateway for a method that no route has; and what a type cannot say (zones, cursors,
# hosts) is refused although it fits.
LEFT_OUT = ["unsupported_method", "positive_data_acceptance"]


def stocked() -> WorkspaceHarness:
    """A workspace of the name that requests are steered to, so that not all of them miss."""
    workspace = WorkspaceHarness("0")
    links = workspace.register_campaign(
        "0", [build_link_definition("https://example.com/a", "CTA")]
    )
    workspace.record_click(links[0], "1", person="0")
    return workspace


OPERATIONS = [route.key for route in load_api_routes() if route.key != f"GET {PATH}"]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    made: dict[str, Any] = MODULE.get_openapi_document()
    return made


def test_the_description_is_valid_openapi_and_names_every_route(document):
    from openapi_spec_validator import validate  # it takes long, in each process of tests

    validate(document)
    described = [
        f"{method.upper()} {path}"
        for path, operations in document["paths"].items()
        for method in operations
    ]
    assert sorted(described) == sorted(OPERATIONS)


def test_operations_have_names_of_their_own(document):
    operations = [o for path in document["paths"].values() for o in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert all(operation["summary"] for operation in operations)


@settings(
    max_examples=settings().max_examples // 10,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def answered_as_described(case):
    from schemathesis.checks import CHECKS

    with patch.object(MODULE, "services", stocked().create_services()):
        case.call_and_validate(excluded_checks=[CHECKS.get_one(n) for n in LEFT_OUT])


@pytest.fixture(scope="module")
def answers():
    """A test for each operation. Its requests take seconds to make up: that is left to the process
    that runs them, where schemathesis' own way would have each of them do it that collects tests.
    Its plugin of pytest, which imports all of it everywhere, is not used either.
    """
    import schemathesis
    from schemathesis.checks import load_all_checks
    from schemathesis.core.result import Ok
    from schemathesis.pytest.lazy import get_all_tests

    load_all_checks()
    schema = schemathesis.openapi.from_wsgi(PATH, build_wsgi_app(MODULE.handler))
    made = get_all_tests(
        schema=schema, test_func=answered_as_described, settings=None, given_kwargs=None
    )
    tests = [each.ok() for each in made if isinstance(each, Ok)]
    return {operation.label: test for operation, test in tests}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_whatever_is_asked_is_answered_as_described(answers, operation):
    answers[operation]()
