"""Batches of a stream are retried, bisected, cut and given up as event source mappings do it."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace

import pytest

from local import stream_batches
from local.invocations import InvocationResult
from local.poller import parse_failures
from local.stream_batches import BatchDelivery
from local.stream_mapping import StreamMapping

MAPPING = StreamMapping(
    name="f",
    stream_arn="arn",
    starting_position="TRIM_HORIZON",
    batch_size=10,
    batching_seconds=0,
    max_retries=2,
    max_age_seconds=None,
    bisects_batches=False,
    partial_responses=False,
    parallelization_factor=1,
    patterns=(),
    destination_arn=None,
)


@pytest.fixture(autouse=True)
def no_backoff(monkeypatch):
    monkeypatch.setattr(stream_batches, "_BACKOFF_SECONDS", (0.0,))


def batch(*numbers, age=0.0):
    created = time.time() - age
    return [
        {"dynamodb": {"SequenceNumber": str(n), "ApproximateCreationDateTime": created}}
        for n in numbers
    ]


def numbers(records):
    return [int(record["dynamodb"]["SequenceNumber"]) for record in records]


class Function:
    """Fails batches with a bad record in them: by an error, or by naming the bad records."""

    def __init__(self, bad=(), *, heals_after=99, naming=False):
        self.bad, self.heals_after, self.naming = set(bad), heals_after, naming
        self.calls = []

    def __call__(self, payload):
        seen = numbers(payload["Records"])
        self.calls.append(seen)
        bad = sorted(self.bad & set(seen)) if len(self.calls) <= self.heals_after else []
        if bad and not self.naming:
            return InvocationResult(b"{}", "Unhandled")
        return InvocationResult(
            json.dumps({"batchItemFailures": [{"itemIdentifier": str(n)} for n in bad]}).encode()
        )


def run(function, records, **changes):
    """The calls made, and what was given up and why."""
    given_up = []
    mapping = replace(MAPPING, **changes)
    deliver = BatchDelivery(
        mapping,
        function,
        lambda rest, reason, invocations, _: given_up.append((numbers(rest), reason, invocations)),
        threading.Event(),
    )
    deliver.deliver(records)
    return function.calls, given_up


def test_a_batch_that_succeeds_is_delivered_once():
    assert run(Function(), batch(1, 2)) == ([[1, 2]], [])


def test_a_failing_batch_is_retried_whole_until_it_succeeds():
    calls, given_up = run(Function({2}, heals_after=2), batch(1, 2))
    assert calls == [[1, 2]] * 3
    assert given_up == []


def test_a_batch_is_given_up_after_its_retries():
    calls, given_up = run(Function({2}), batch(1, 2))
    assert calls == [[1, 2]] * 3
    assert given_up == [([1, 2], "RetryAttemptsExhausted", 3)]


def test_bisecting_isolates_the_bad_record_and_keeps_the_order():
    calls, given_up = run(Function({3}), batch(1, 2, 3, 4), bisects_batches=True, max_retries=1)
    assert given_up == [([3], "RetryAttemptsExhausted", 2)]
    assert calls == [[1, 2, 3, 4], [1, 2], [3, 4], [3], [3], [4]]


def test_named_failures_are_resumed_at_the_first_of_them():
    calls, given_up = run(
        Function({2, 4}, heals_after=1, naming=True), batch(1, 2, 3, 4), partial_responses=True
    )
    assert calls == [[1, 2, 3, 4], [2, 3, 4]]
    assert given_up == []


def test_named_failures_and_bisecting_give_up_the_bad_record_alone():
    calls, given_up = run(
        Function({2}, naming=True),
        batch(1, 2, 3, 4, 5),
        partial_responses=True,
        bisects_batches=True,
        max_retries=1,
    )
    assert given_up == [([2], "RetryAttemptsExhausted", 2)]
    assert calls[0] == [1, 2, 3, 4, 5]
    assert {n for call in calls for n in call} == {1, 2, 3, 4, 5}
    assert calls[-1] == [4, 5]


def test_without_the_response_type_named_failures_mean_nothing():
    calls, given_up = run(Function({1}, naming=True), batch(1, 2), partial_responses=False)
    assert (calls, given_up) == ([[1, 2]], [])


def test_records_that_are_too_old_are_given_up_at_their_first_failure():
    calls, given_up = run(
        Function({1}), batch(1, age=100.0), max_age_seconds=60.0, max_retries=None
    )
    assert calls == [[1]]
    assert given_up == [([1], "MaximumRecordAgeExceeded", 1)]


def test_endless_retries_end_when_the_stack_stops():
    stopping = threading.Event()
    calls = []

    def fails(payload):
        calls.append(payload)
        if len(calls) == 5:
            stopping.set()
        return InvocationResult(b"", "Unhandled")

    given_up = []
    endless = replace(MAPPING, max_retries=None)
    BatchDelivery(endless, fails, lambda *_: given_up.append(1), stopping).deliver(batch(1))
    assert len(calls) == 5
    assert given_up == []


@pytest.mark.parametrize(
    ("answer", "everything", "named"),
    [
        (b"", False, set()),
        (b"null", False, set()),
        (b"{}", False, set()),
        (b'{"batchItemFailures": null}', False, set()),
        (b'{"batchItemFailures": []}', False, set()),
        (b'{"batchItemFailures": [{"itemIdentifier": "1"}]}', False, {"1"}),
        (b'{"batchItemFailures": [{"itemIdentifier": ""}]}', True, set()),
        (b'{"batchItemFailures": [{"itemIdentifier": null}]}', True, set()),
        (b'{"batchItemFailures": [{"id": "1"}]}', True, set()),
        (b'{"batchItemFailures": [{"itemIdentifier": "9"}]}', True, set()),
        (b'"text"', True, set()),
        (b"not json", True, set()),
    ],
)
def test_answers_about_partial_batches_are_read_as_the_guide_has_it(answer, everything, named):
    found = parse_failures(InvocationResult(answer), ["1", "2"], partial_responses=True)
    assert (found.is_whole_batch, set(found.record_ids)) == (everything, named)
