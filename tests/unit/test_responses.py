import importlib
import json
import pkgutil

import pytest

import waypost
from waypost import errors
from waypost.responses import json_response, plain_page_response, problem_response


def walk(kind: type[errors.WaypostError]) -> list[type[errors.WaypostError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in walk(child))]


def test_a_problem_names_every_field_and_reason() -> None:
    error = errors.InvalidRequest(
        errors.Problem("recipients", "at least one is needed"),
        errors.Problem("campaign", "is missing"),
    )
    response = problem_response(error)
    assert response["statusCode"] == 400
    assert response["headers"]["content-type"] == "application/problem+json"
    assert json.loads(response["body"])["errors"] == [
        {"field": "recipients", "reason": "at least one is needed"},
        {"field": "campaign", "reason": "is missing"},
    ]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.NotFound("campaign", "x"), 404),
        (errors.AlreadyExists("workspace", "x", "is taken"), 409),
        (errors.ConcurrentModification("settings of workspace", "x"), 409),
        (errors.TooLarge("content.html", 2_000_000, 1_000_000), 413),
        (errors.UnsafeDestination("javascript:x", "the scheme is not allowed"), 422),
        (errors.StoreUnavailable("clicks"), 503),
        (errors.WriteConflict("row"), 503),
        (errors.ConfigurationError("CLICKS_TABLE"), 500),
        (errors.BadSignature("x"), 404),
    ],
)
def test_each_error_has_its_status(error: errors.WaypostError, status: int) -> None:
    response = problem_response(error)
    assert response["statusCode"] == status
    assert json.loads(response["body"])["status"] == status
    assert ("retry-after" in response["headers"]) == (status == 503)


def test_error_tree_of_the_docstring_matches_the_classes() -> None:
    for module in pkgutil.walk_packages(waypost.__path__, "waypost."):
        importlib.import_module(module.name)  # an error is known once its module is
    drawn = errors.__doc__ or ""
    for kind in walk(errors.WaypostError):
        assert kind.__name__ in drawn


def test_responses_are_never_cached() -> None:
    for response in (json_response(200, {}), plain_page_response(404, "t", "x")):
        assert response["headers"]["cache-control"] == "no-store"


def test_a_page_shows_text_as_text() -> None:
    page = plain_page_response(404, "<script>", "a & b")
    assert "<script>" not in page["body"]
    assert "a &amp; b" in page["body"]
