"""Half of a surrogate pair in a request's JSON affects only the field or recipient that has it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.message_harness import MessageHarness
from waypost.errors import InvalidRequest
from waypost.rewrite.schemas import RewriteRecipient, parse_rewrite_request
from waypost.validation import parse_json

HALVES = ("\ud83d", "\ude00", "\ude00\ud83d")


def build_body(**changes: Any) -> bytes:
    recipients = [{"delivery": "d1"}]
    content = {"html": '<a href="https://e.com/">{{ n }}</a>'}
    request = {"workspace": "acme", "campaign": "sale", "content": content, "liquid": True}
    return json.dumps({**request, "recipients": recipients, **changes}).encode()


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("source", ["{{ n }}", '<a href="https://e.com/{{ n }}">x</a>'])
def test_recipient_with_a_lone_surrogate_fails_alone(
    messages: MessageHarness, half: str, source: str
):
    people = [
        {"delivery": "d1", "data": {"n": f"cut {half}"}},
        {"delivery": "d2", "data": {"n": 1}},
    ]
    request = parse_rewrite_request(build_body(recipients=people, content={"html": source}))
    answer = messages.rewrite(**request.model_dump(exclude_unset=True, by_alias=True))
    assert [each["delivery"] for each in answer["deliveries"]] == ["d2"]
    assert answer["failed"] == [
        {"delivery": "d1", "field": "content.html", "reason": "renders to a lone surrogate"}
    ]
    json.dumps(answer, ensure_ascii=False).encode()


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"workspace": "HALF"}, "workspace"),
        ({"from": "HALF"}, "from"),
        ({"content": {"html": "HALF"}}, "content.html"),
        ({"recipients": [{"delivery": "d1"}, {"delivery": "HALF"}]}, "recipients[1].delivery"),
        ({"recipients": [{"delivery": "d1", "person": "HALF"}]}, "recipients[0].person"),
    ],
)
def test_field_with_a_lone_surrogate_is_named(half: str, changes: dict[str, Any], field: str):
    body = json.loads(json.dumps(changes).replace("HALF", json.dumps(half)[1:-1]))
    with pytest.raises(InvalidRequest) as caught:
        parse_rewrite_request(build_body(**body))
    assert [problem.field for problem in caught.value.problems] == [field]


def test_line_of_a_file_may_have_a_lone_surrogate_in_its_data():
    line = json.dumps({"delivery": "d1", "data": {"n": "\ud83d"}})
    assert parse_json(RewriteRecipient, line).data == {"n": "\ud83d"}


@pytest.mark.parametrize(
    "text",
    ['{"a": "\\ud83d"', '{"a": "\\ud83d", "b": NaN}', '"\\ud83d' + "[" * 9, b'"\\ud83d\xff"'],
)
def test_other_faults_beside_a_surrogate_are_no_json(text: str | bytes):
    with pytest.raises(InvalidRequest, match="is not JSON"):
        parse_json(RewriteRecipient, text)
