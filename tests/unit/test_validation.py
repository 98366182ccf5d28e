"""Invalid bodies are rejected with each field and a reason of Waypost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from string import Formatter
from typing import Annotated, Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationError
from pydantic_core._pydantic_core import list_all_errors

from waypost.api.workspace_settings import SettingsChange
from waypost.domains.schemas import AddDomainRequest, ChangeDomainRequest
from waypost.errors import InvalidRequest
from waypost.reports.share_links import ShareRequest
from waypost.rewrite.schemas import (
    MessageRequest,
    RewriteRecipient,
    RewriteRequest,
    parse_rewrite_request,
)
from waypost.rewrite_files.schemas import FileRequest
from waypost.validation import (
    DEFAULT_REASON,
    ERROR_REASONS,
    MAX_PROBLEMS,
    describe_error,
    parse_json,
    validate_value,
)
from waypost.web.access import PageQuery

MODELS = (
    *(MessageRequest, RewriteRecipient, RewriteRequest, FileRequest),
    *(SettingsChange, AddDomainRequest, ChangeDomainRequest, ShareRequest, PageQuery),
)
GOOD: dict[type[BaseModel], dict[str, Any]] = {
    MessageRequest: {"workspace": "w", "campaign": "c", "content": {"html": "x"}},
    RewriteRecipient: {"delivery": "d"},
    RewriteRequest: {
        "workspace": "w",
        "campaign": "c",
        "content": {"html": "x"},
        "recipients": [{"delivery": "d"}],
    },
    FileRequest: {"input": "s3://b/acme/k", "output": "s3://b/acme/o"},
    AddDomainRequest: {"host": "links.acme.com"},
    PageQuery: {"workspace": "w"},
}
SECRET = "sesame-0123456789-sesame"
WRONG: tuple[Any, ...] = (
    *(None, True, 7, -1, 10**30, 0.5, "", SECRET, "x" * 5_000, "\x00", "2026-02-30"),
    *([], [None], [SECRET], ["x"] * 500, {}, {"": 1}, {SECRET: SECRET}, [[[]]], [{}]),
    *({"ios": [SECRET]}, {"android": [{"package": SECRET, "fingerprints": []}]}, {"sms": 1}),
    *({"urls": ["ftp://x"]}, {"html": 7, "text": [], "variables": 3}, [{"delivery": 1, "x": 2}]),
    {"x" * 101: "y" * 1_001},
)


def refusals(model: type[BaseModel], body: object) -> Iterator[tuple[str, str, str]]:
    """List pydantic's error types, its texts, and Waypost's reasons for a body."""
    try:
        model.model_validate(body)
    except ValidationError as found:
        with pytest.raises(InvalidRequest) as told:
            validate_value(model, body)
        errors = found.errors()
        assert len(told.value.problems) == min(len(errors), MAX_PROBLEMS + 1)
        for error, problem in zip(errors, told.value.problems, strict=False):
            yield error["type"], error["msg"], problem.reason
    else:
        validate_value(model, body)


def assert_ours(model: type[BaseModel], body: object) -> None:
    for kind, text, told in refusals(model, body):
        assert told != DEFAULT_REASON, kind
        assert told.lower() != text.lower()
        assert "nput should" not in told
        assert "alue error" not in told
        if kind != "value_error":
            assert SECRET not in told


@pytest.mark.parametrize("model", MODELS)
def test_every_pydantic_error_has_a_reason(model: type[BaseModel]):
    good = GOOD.get(model, {})
    validate_value(model, good)
    for name, field in model.model_fields.items():
        for wrong in WRONG:
            assert_ours(model, good | {(field.alias or name): wrong})
    for wrong in WRONG:
        assert_ours(model, wrong)
        assert_ours(model, good | {"unknown": wrong})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=3 * settings().max_examples)
@given(st.sampled_from(MODELS), st.data())
def test_any_json_is_accepted_or_rejected_with_known_reasons(
    model: type[BaseModel], data: st.DataObject
):
    names = st.sampled_from(sorted(model.model_fields))
    body = data.draw(st.dictionaries(names, JSON, max_size=4) | JSON)
    assert_ours(model, body)


@pytest.mark.parametrize("error", list_all_errors(), ids=lambda error: error["type"])
def test_no_pydantic_text_is_returned(error: Any):
    text = error["message_template_python"]
    context = dict.fromkeys((name for _, name, _, _ in Formatter().parse(text) if name), 3)
    told = describe_error(error["type"], context, "Value error, is our own text")
    if error["type"] == "value_error":
        assert told == "is our own text"
    else:
        assert told == ERROR_REASONS.get(error["type"], DEFAULT_REASON).format_map(context)
        assert told.lower() != text.format_map(context).lower()


@pytest.mark.parametrize("kind", sorted(set(ERROR_REASONS) - {"invalid-json-value"}))
def test_every_error_type_with_a_reason_exists(kind: str):
    assert kind in {error["type"] for error in list_all_errors()}


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"a": }', b"\xff\xfe", b'"\\ud800"', b"[" * 10_000, b"NaN", b"nul"]
)
def test_invalid_json_is_the_only_problem(body: bytes):
    with pytest.raises(InvalidRequest) as told:
        parse_json(MessageRequest, body)
    assert {problem.reason for problem in told.value.problems} <= {
        "is not JSON",
        "is not an object",
    }


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            {"channel": "fax"},
            "channel: is not email, sms, whatsapp, push, in_app, webhook or slack",
        ),
        ({"workspace": ""}, "workspace: is empty"),
        ({"workspace": "x" * 256}, "workspace: is longer than 255 characters (256)"),
        ({"track": "yes"}, "track: is neither true nor false"),
        ({"recipients": []}, "recipients: is empty"),
        ({"recipients": [{"delivery": 7}]}, "recipients[0].delivery: is not a string"),
        (
            {"recipients": [{"delivery": "d", "person": "\U0001f600" * 251}]},
            "recipients[0].person: is longer than 1,000 bytes (1,004)",
        ),
        ({"recipients": [{"delivery": "d", "data": 7}]}, "recipients[0].data: is not an object"),
        ({"content": "<a>"}, "content: is not an object"),
        ({"content": {"html": "\ud800"}}, "content.html: holds half of a surrogate pair"),
        ({"x" * 200: 1}, "x" * 100 + "…: is not known"),
    ],
)
def test_field_and_reason(body: dict[str, Any], told: str):
    with pytest.raises(InvalidRequest) as refused:
        validate_value(RewriteRequest, GOOD[RewriteRequest] | body)
    assert str(refused.value) == told


@pytest.mark.parametrize(
    ("name", "told"), [("", "empty"), ("x" * 101, "longer than 100 characters (101)")]
)
def test_invalid_name_is_reported_on_its_object(name: str, told: str):
    with pytest.raises(InvalidRequest) as refused:
        validate_value(SettingsChange, {"url_params": {name: "x"}})
    assert str(refused.value) == f"url_params: has a name that is {told}"


def test_length_of_a_converted_string_is_in_characters():
    class Named(BaseModel):
        name: Annotated[str, BeforeValidator(unquote), Field(max_length=3)]
        host: Annotated[str, AfterValidator(str.lower), Field(max_length=3)]

    with pytest.raises(InvalidRequest) as refused:
        validate_value(Named, {"name": "long", "host": "long"})
    assert {each.reason for each in refused.value.problems} == {"is longer than 3 characters (4)"}


def test_response_names_a_hundred_problems_and_the_number_of_further_ones():
    body = GOOD[RewriteRequest] | {"recipients": [{"delivery": ""}] * 5_000}
    with pytest.raises(InvalidRequest) as refused:
        parse_rewrite_request(json.dumps(body))
    assert len(refused.value.problems) == MAX_PROBLEMS + 1
    assert str(refused.value.problems[-1]) == "body: has 4,900 more problems"
