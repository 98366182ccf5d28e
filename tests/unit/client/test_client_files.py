"""Test files through the client, against a fake function."""

from __future__ import annotations

import io
import json

import pytest

from waypost.client import Client
from waypost.errors import AlreadyExists, CallFailed, InvalidRequest, StoreUnavailable, TooLarge
from waypost.responses import problem_response

MESSAGE = {"workspace": "acme", "campaign": "sale", "content": {"html": "<p>Hello</p>"}}
SOURCE, TARGET = "s3://files/acme/in.ndjson", "s3://files/acme/out.ndjson"


def told(read, **more):
    return {"done": read == 100, "lines": read, "delivered": read, "read": read, "size": 100} | more


REPORT = told(100, links=[], warnings=["a warning"])


class Function:
    """Returns its responses, one per call."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.bodies = []

    def invoke(self, *, FunctionName, Payload):  # noqa: N803  boto3's names
        self.bodies.append(json.loads(Payload))
        answer = self.answers.pop(0)
        failed = {"FunctionError": "Unhandled"} if "errorMessage" in answer else {}
        return {"Payload": io.BytesIO(json.dumps(answer).encode())} | failed


def refusal(error):
    return json.loads(problem_response(error)["body"])


def rewritten(*answers, message=None):
    function = Function(*answers)
    client = Client("waypost-us-rewrite:live", function, sleep=lambda _: None)
    return client.rewrite_file(message, input=SOURCE, output=TARGET), function


def test_file_is_continued_until_it_is_done_and_returns_its_report():
    report, function = rewritten(told(30), told(60), REPORT, message=MESSAGE)
    assert report == REPORT
    first, *others = function.bodies
    assert (first["input"], first["output"], first["message"]) == (SOURCE, TARGET, MESSAGE)
    assert others == [first, first]


def test_request_without_message_uses_the_first_line_of_the_file():
    _, function = rewritten(REPORT)
    assert "message" not in function.bodies[0]


@pytest.mark.parametrize(
    "trouble",
    [
        {"errorMessage": "Task timed out after 900.00 seconds"},
        refusal(StoreUnavailable("no answer")),
    ],
)
def test_transient_failure_is_retried_and_the_work_continues(trouble):
    report, function = rewritten(*[trouble] * 5, told(50), *[trouble] * 5, REPORT)
    assert report == REPORT
    assert len(function.bodies) == 12


def test_persistent_failure_raises_call_failed():
    with pytest.raises(CallFailed, match="out of memory"):
        rewritten(*[{"errorMessage": "out of memory"}] * 6)


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (InvalidRequest.from_field("input", "is not there"), InvalidRequest, "input: is not there"),
        (TooLarge("content.html", 9, 8), TooLarge, "content.html is 9 bytes"),
        (AlreadyExists("output", TARGET, "exists already"), CallFailed, "exists already"),
    ],
)
def test_refusal_raises_its_error_with_the_reason(answer, error, text):
    with pytest.raises(error, match=text):
        rewritten(refusal(answer))


def test_message_that_is_not_json_is_refused_before_any_call():
    with pytest.raises(InvalidRequest, match="message: cannot be written as JSON"):
        rewritten(message={**MESSAGE, "since": object()})
