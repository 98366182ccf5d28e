"""Test the client against a fake function: its payloads, retries and results."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import typing
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, IncompleteReadError, ReadTimeoutError

from waypost.client import Client, batches
from waypost.client.types import Message
from waypost.client.types import Recipient as TypedRecipient
from waypost.errors import CallFailed, InvalidRequest, StoreUnavailable, TooLarge
from waypost.responses import problem_response
from waypost.rewrite.schemas import MessageRequest as CheckedMessage
from waypost.rewrite.schemas import RewriteRecipient, validate_rewrite_request

MESSAGE: Message = {"workspace": "acme", "campaign": "sale", "content": {"html": "<p>Hello</p>"}}


class Function:
    """Responds as the rewrite function; ``troubles`` are its first responses, one per call."""

    def __init__(self, *troubles, answer_limit=10**9):
        self.troubles = list(troubles)
        self.answer_limit = answer_limit
        self.payloads = []
        self.bodies = []

    def invoke(self, *, FunctionName, Payload):  # noqa: N803  boto3's names
        assert FunctionName == "waypost-us-rewrite:live"
        self.payloads.append(Payload)
        self.bodies.append(json.loads(Payload))
        trouble = self.troubles.pop(0) if self.troubles else None
        if isinstance(trouble, Exception):
            raise trouble
        told = trouble if trouble is not None else self.rewritten(Payload)
        error = {"FunctionError": "Unhandled"} if "errorMessage" in told else {}
        return {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(told).encode())} | error

    def rewritten(self, payload):
        try:
            request = validate_rewrite_request(json.loads(payload))
        except InvalidRequest as error:
            return refusal(error)
        content = request.content.get_forms()
        size = len(json.dumps(content)) * len(request.recipients)
        if size > self.answer_limit:
            return refusal(TooLarge("deliveries", size, self.answer_limit))
        return {
            "deliveries": [
                {"delivery": each.delivery, "content": content}
                for each in request.recipients
                if each.person != "nobody"
            ],
            "failed": [
                {"delivery": each.delivery, "field": "data", "reason": "lacks a name"}
                for each in request.recipients
                if each.person == "nobody"
            ],
            "links": [link("https://example.com/", 1)],
            "warnings": ["a warning"],
        }

    def deliveries(self):
        return [[one["delivery"] for one in body["recipients"]] for body in self.bodies]


def refusal(error):
    return json.loads(problem_response(error)["body"])


def link(url, position, **found):
    return {
        "link": "ab",
        "url": url,
        "position": position,
        "tracked": True,
        "reason": None,
        "destination": url,
        "round_trip": True,
    } | found


def refused(status, code):
    told: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(told, "Invoke")


def recipients(count, **fields):
    return [{"delivery": f"d{n}", **fields} for n in range(count)]


def rewritten(function, message=MESSAGE, to=None, waits=None):
    client = Client(
        "waypost-us-rewrite:live", function, sleep=[].append if waits is None else waits.append
    )
    return client.rewrite(message, to or recipients(3))


def test_deliveries_keep_the_order_of_recipients_across_batches():
    function = Function()
    run = rewritten(function, to=recipients(2_500))
    assert [each["delivery"] for each in run] == [f"d{n}" for n in range(2_500)]
    assert [len(batch) for batch in function.deliveries()] == [1_000, 1_000, 500]


def test_recipients_are_read_lazily():
    read = []

    def endless():
        for number in range(10_000):
            read.append(number)
            yield {"delivery": f"d{number}"}

    run = rewritten(Function(), to=endless())
    assert read == []
    assert next(run)["delivery"] == "d0"
    assert len(read) == batches.MAX_BATCH_RECIPIENTS + 1


def test_failures_links_and_warnings_are_collected_once_for_all_batches():
    to = recipients(1_500)
    to[3]["person"] = to[1_400]["person"] = "nobody"
    run = rewritten(Function(), to=to)
    assert len(list(run)) == 1_498
    assert [each["delivery"] for each in run.failed] == ["d3", "d1400"]
    assert run.links == [link("https://example.com/", 1)]
    assert run.warnings == ["a warning"]


def test_no_payload_is_over_the_limit():
    function = Function()
    to = recipients(100, data={"text": "ä" * 100_000})
    assert len(list(rewritten(function, to=to))) == 100
    assert max(map(len, function.payloads)) <= batches.MAX_PAYLOAD_BYTES
    assert len(function.payloads) == 4


def test_batches_are_small_enough_for_their_responses():
    function = Function()
    html = "x" * 500_000
    list(rewritten(function, {**MESSAGE, "content": {"html": html}}, recipients(20)))
    assert max(map(len, function.deliveries())) * len(html) < batches.MAX_PAYLOAD_BYTES


def test_batch_is_halved_if_its_response_is_too_large_and_later_batches_are_smaller():
    function = Function(answer_limit=300 * len(json.dumps(MESSAGE["content"])))
    run = rewritten(function, to=recipients(1_600))
    assert [each["delivery"] for each in run] == [f"d{n}" for n in range(1_600)]
    sizes = [len(batch) for batch in function.deliveries()]
    assert sizes == [1_000, 500, 250, 250, 500, 250, 250, 250, 250, 100]
    assert run.failed == []


def test_recipient_whose_message_is_too_large_fails_alone():
    to = recipients(3)
    to[1]["data"] = {"text": "x" * batches.MAX_PAYLOAD_BYTES}
    run = rewritten(Function(), to=to)
    assert [each["delivery"] for each in run] == ["d0", "d2"]
    assert [(each["delivery"], each["field"]) for each in run.failed] == [("d1", "data")]


def test_message_without_space_for_recipients_is_refused_before_any_call():
    with pytest.raises(TooLarge, match="content"):
        rewritten(Function(), {**MESSAGE, "content": {"mime": "x" * batches.MAX_PAYLOAD_BYTES}})


@pytest.mark.parametrize(
    "trouble",
    [
        refused(429, "TooManyRequestsException"),
        refused(500, "ServiceException"),
        ReadTimeoutError(endpoint_url="lambda"),
        IncompleteReadError(actual_bytes=7, expected_bytes=9),
        {"errorMessage": "Task timed out after 900.00 seconds"},
        refusal(StoreUnavailable("campaigns")),
    ],
)
def test_transient_failure_is_retried_with_the_same_payload(trouble):
    function = Function(trouble, trouble)
    waits: list[float] = []
    assert len(list(rewritten(function, waits=waits))) == 3
    assert len(function.payloads) == 3
    assert len(set(function.payloads)) == 1
    assert len(waits) == 2
    assert all(0 <= wait <= 20 for wait in waits)


def test_persistent_failure_raises_call_failed_with_the_reason():
    function = Function(*[{"errorMessage": "out of memory"}] * 6)
    with pytest.raises(CallFailed, match=r"waypost-us-rewrite:live: out of memory"):
        list(rewritten(function))
    assert len(function.payloads) == 6


def test_permanent_failure_is_not_retried():
    function = Function(refused(403, "AccessDeniedException"))
    with pytest.raises(CallFailed, match="AccessDenied") as caught:
        list(rewritten(function))
    assert caught.value.status == 403
    assert len(function.payloads) == 1


def failures(run):
    return [(each["delivery"], f"{each['field']}: {each['reason']}") for each in run.failed]


def test_refused_recipient_fails_alone_with_the_callers_index():
    to = recipients(1_005)
    to[1_004]["delivery"] = "d1003"
    run = rewritten(Function(), to=to)
    assert [each["delivery"] for each in run] == [f"d{n}" for n in range(1_004)]
    assert failures(run) == [("d1003", "recipients[1004].delivery: repeats recipients[1003]")]


@pytest.mark.parametrize(
    "value",
    [object(), float("nan"), float("-inf"), b"bytes", datetime.now(UTC), {(1, 2): 3}],
)
def test_recipient_that_is_not_json_fails_alone_with_its_field(value):
    to = recipients(3)
    to[1]["data"] = {"customer": [{"since": value}]}
    run = rewritten(Function(), to=to)
    assert [each["delivery"] for each in run] == ["d0", "d2"]
    field = "recipients[1].data.customer[0].since"
    assert failures(run) == [("d1", f"{field}: cannot be written as JSON")]


def test_recipient_that_contains_itself_fails_alone():
    endless: dict[str, Any] = {}
    endless["data"] = endless
    run = rewritten(Function(), to=[*recipients(1), {"delivery": "e", "data": endless}])
    assert [each["delivery"] for each in run] == ["d0"]
    assert [each["delivery"] for each in run.failed] == ["e"]


def test_failures_of_client_and_function_keep_the_order_of_recipients():
    to: list[Any] = recipients(8)
    to[1] = None
    to[2]["person"] = 7
    to[3]["data"] = {"since": b""}
    to[4]["person"] = "nobody"
    to[5]["persn"] = to[5]["plan"] = "x"
    to[6]["data"] = {"text": "x" * batches.MAX_PAYLOAD_BYTES}
    function = Function()
    run = rewritten(function, to=to)
    assert [each["delivery"] for each in run] == ["d0", "d7"]
    assert [(delivery, told.split(":")[0]) for delivery, told in failures(run)] == [
        ("", "recipients[1]"),
        ("d2", "recipients[2].person"),
        ("d3", "recipients[3].data.since"),
        ("d4", "data"),
        ("d5", "recipients[5].persn"),
        ("d6", "data"),
    ]


def test_delivery_name_that_looks_like_an_index_is_not_renumbered():
    to: list[Any] = [{"delivery": "d0", "recipients[99]": 1}, {"delivery": "d1"}]
    run = rewritten(Function(), to=to)
    assert [each["delivery"] for each in run] == ["d1"]
    assert failures(run) == [("d0", "recipients[0].recipients[99]: is not known")]


def test_batch_of_refused_recipients_does_not_stop_the_next():
    to: list[Any] = [*recipients(1_000, person=7), {"delivery": "last"}]
    run = rewritten(Function(), to=to)
    assert [each["delivery"] for each in run] == ["last"]
    assert [each["delivery"] for each in run.failed] == [f"d{n}" for n in range(1_000)]


def test_refused_recipients_and_halves_keep_the_order():
    to = recipients(1_000)
    for place in range(0, 1_000, 10):
        to[place]["person"] = 7
    for place in range(1, 1_000, 10):
        to[place]["data"] = {"since": b""}
    run = rewritten(Function(answer_limit=300 * len(json.dumps(MESSAGE["content"]))), to=to)
    made = [each["delivery"] for each in run]
    assert made == [f"d{n}" for n in range(1_000) if n % 10 > 1]
    assert [each["delivery"] for each in run.failed] == [
        f"d{n}" for n in range(1_000) if n % 10 <= 1
    ]


def test_refused_message_stops_the_run():
    with pytest.raises(InvalidRequest, match="campaign"):
        list(rewritten(Function(), {**MESSAGE, "campaign": ""}, recipients(2, person=7)))


def test_lone_surrogate_is_refused_with_its_field():
    with pytest.raises(InvalidRequest, match=r"content\.html"):
        list(rewritten(Function(), {**MESSAGE, "content": {"html": "\ud800"}}))


def test_repeated_run_has_the_same_idempotency_keys_which_differ_by_batch():
    def keys(run_key):
        function = Function()
        list(rewritten(function, {**MESSAGE, "idempotency_key": run_key}, recipients(2_000)))
        return [body["idempotency_key"] for body in function.bodies]

    assert keys("run") == keys("run")
    assert len(set(keys("run") + keys("another"))) == 4


def test_runs_without_a_key_count_separately():
    first, second = Function(), Function()
    list(rewritten(first))
    list(rewritten(second))
    assert first.bodies[0]["idempotency_key"] != second.bodies[0]["idempotency_key"]


def answers(*told):
    """Return responses of batches with different links and warnings."""
    whole = Function().rewritten(json.dumps({**MESSAGE, "recipients": recipients(1)}))
    return [whole | each for each in told]


def test_warning_whose_figures_differ_by_batch_appears_once():
    function = Function(
        *answers(
            {"warnings": ["link 1 is 2,100 characters; Outlook opens at most 2,048"]},
            {
                "warnings": [
                    "link 1 is 2,101 characters; Outlook opens at most 2,048",
                    "link 2 is 2,050 characters; Outlook opens at most 2,048",
                ]
            },
        )
    )
    run = rewritten(function, to=recipients(1_001))
    list(run)
    assert run.warnings == [
        "link 1 is 2,100 characters; Outlook opens at most 2,048",
        "link 2 is 2,050 characters; Outlook opens at most 2,048",
    ]


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        ({}, {"destination": "https://other/"}, {}),
        ({"destination": None, "round_trip": None}, {}, {}),
        ({}, {"round_trip": False}, {"round_trip": False}),
    ],
)
def test_first_entry_of_a_link_is_reported_unless_a_later_round_trip_fails(first, second, kept):
    function = Function(
        *answers({"links": [link("u", 1, **first)]}, {"links": [link("u", 1, **second)]})
    )
    run = rewritten(function, to=recipients(1_001))
    list(run)
    assert run.links == [link("u", 1, **kept)]


def test_segments_are_those_of_the_longest_message():
    answers = [
        Function().rewritten(json.dumps({**MESSAGE, "recipients": recipients(1)}))
        | {"segments": {"encoding": encoding, "before": before, "after": after}}
        for encoding, before, after in (("ucs-2", 1, 2), ("gsm-7", 3, 1))
    ]
    run = rewritten(Function(*answers), to=recipients(1_001))
    list(run)
    assert run.segments == {"encoding": "ucs-2", "before": 3, "after": 2}


def test_types_have_the_fields_that_the_function_validates():
    checked = {field.alias or name: field for name, field in CheckedMessage.model_fields.items()}
    assert set(Message.__annotations__) == set(checked)
    assert Message.__required_keys__ == {n for n, field in checked.items() if field.is_required()}
    assert set(TypedRecipient.__annotations__) == set(RewriteRecipient.model_fields)
    # Postponed annotations: the keys' types are resolved first.
    told = typing.get_type_hints(Message)
    assert set(typing.get_args(told["kind"])) == set(
        typing.get_args(CheckedMessage.model_fields["kind"].annotation)
    )
    assert set(typing.get_args(told["channel"])) == set(
        typing.get_args(CheckedMessage.model_fields["channel"].annotation)
    )


def test_importing_the_client_imports_neither_boto3_nor_pydantic():
    script = (
        "import sys, waypost.client\n"
        "print(sorted({'boto3', 'botocore', 'pydantic', 'rich', 'liquid'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert told.stdout.strip() == "[]", told.stderr
