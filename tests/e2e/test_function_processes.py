"""Test that functions of the embedded stack run isolated, with the template's environment."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from botocore.config import Config


@pytest.fixture
def lambda_client(small_stack):
    client = boto3.client(
        "lambda",
        endpoint_url=small_stack.url,
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(retries={"max_attempts": 1}),
    )
    yield client
    client.close()


def invoke_echo(small_stack, **event):
    outcome = small_stack.invoke("EchoFunction", event)
    assert outcome.error is None, outcome
    return json.loads(outcome.payload)


def test_function_has_only_the_variables_of_the_template_and_lambda(small_stack, monkeypatch):
    monkeypatch.setenv("FROM_THE_SHELL", "must not be seen")
    environment = invoke_echo(small_stack)["environment"]
    assert "FROM_THE_SHELL" not in environment
    assert "HOME" not in environment
    assert environment["GREETING"] == "hello, world"
    assert environment["LEDGER"] == small_stack.ref("Ledger")
    assert environment["PUBLIC_URL"] == f"{small_stack.url}/x"
    assert environment["ORIGIN"]
    assert "resolve" not in environment["ORIGIN"]
    assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert environment["AWS_ENDPOINT_URL"] == small_stack.cloud.url


def test_function_imports_the_layer_and_not_the_project(small_stack):
    seen = invoke_echo(small_stack)
    assert seen["shared"].endswith("small/layer/shared/__init__.py")
    assert seen["folder"].endswith("small/echo")
    assert not any(path.rstrip("/").endswith("layers/waypost") for path in seen["path"])


def test_process_serves_many_invocations(small_stack):
    first, second = invoke_echo(small_stack), invoke_echo(small_stack)
    assert second["pid"] == first["pid"]
    assert second["calls"] == first["calls"] + 1


def test_error_is_returned_and_the_process_keeps_running(small_stack):
    pid = invoke_echo(small_stack)["pid"]
    outcome = small_stack.invoke("EchoFunction", {"do": "fail"})
    assert outcome.error == "Unhandled"
    assert json.loads(outcome.payload)["errorType"] == "ValueError"
    assert invoke_echo(small_stack)["pid"] == pid


def test_crash_fails_its_invocation_and_the_next_one_gets_a_new_process(small_stack):
    pid = invoke_echo(small_stack)["pid"]
    outcome = small_stack.invoke("EchoFunction", {"do": "exit"})
    assert json.loads(outcome.payload)["errorType"] == "Runtime.ExitError"
    assert "status 7" in json.loads(outcome.payload)["errorMessage"]
    assert invoke_echo(small_stack)["pid"] != pid


def test_invocation_ends_at_its_timeout(small_stack):
    pid = invoke_echo(small_stack)["pid"]
    outcome = small_stack.invoke("EchoFunction", {"do": "sleep", "seconds": 60})
    assert json.loads(outcome.payload)["errorType"] == "Sandbox.Timedout"
    assert "timed out after 2.00 seconds" in json.loads(outcome.payload)["errorMessage"]
    assert invoke_echo(small_stack)["pid"] != pid


def test_function_knows_its_remaining_time(small_stack):
    assert 0 < invoke_echo(small_stack)["remaining"] <= 2_000


def test_response_over_the_lambda_limit_is_an_error(small_stack):
    outcome = small_stack.invoke("EchoFunction", {"do": "big", "bytes": 6 * 1024 * 1024 + 1})
    assert json.loads(outcome.payload)["errorType"] == "Function.ResponseSizeTooLarge"


def test_concurrent_invocations_take_turns_in_a_single_process(small_stack):
    with ThreadPoolExecutor(8) as threads:
        events = [{"do": "sleep", "seconds": 0.1}] * 8
        pids = list(threads.map(lambda event: invoke_echo(small_stack, **event)["pid"], events))
    assert len(pids) == 8
    assert len(set(pids)) == 1


def test_output_is_logged_with_the_function_name(small_stack):
    invoke_echo(small_stack, do="something to be found in the log")
    deadline = time.monotonic() + 5
    line = "EchoFunction | called something to be found in the log"
    while line not in small_stack.log_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert line in small_stack.log_text()


@pytest.mark.parametrize(
    "name",
    [
        "EchoFunction",
        "waypost-local-EchoFunction",
        "arn:aws:lambda:us-east-1:123456789012:function:waypost-local-EchoFunction",
        "EchoFunction:live",
    ],
)
def test_boto3_invokes_by_id_name_or_arn(lambda_client, name):
    answer = lambda_client.invoke(FunctionName=name, Payload=b'{"do": "x"}')
    assert answer["StatusCode"] == 200
    assert json.loads(answer["Payload"].read())["event"] == {"do": "x"}


def test_boto3_receives_errors_and_unknown_functions(lambda_client):
    answer = lambda_client.invoke(FunctionName="EchoFunction", Payload=b'{"do": "fail"}')
    assert answer["FunctionError"] == "Unhandled"
    assert json.loads(answer["Payload"].read())["errorMessage"] == "as told"
    with pytest.raises(lambda_client.exceptions.ResourceNotFoundException):
        lambda_client.invoke(FunctionName="Nobody")
    with pytest.raises(lambda_client.exceptions.InvalidRequestContentException):
        lambda_client.invoke(FunctionName="EchoFunction", Payload=b"no json")


def test_asynchronous_invocation_returns_first_and_runs_later(small_stack, lambda_client):
    answer = lambda_client.invoke(
        FunctionName="EchoFunction",
        InvocationType="Event",
        Payload=json.dumps({"do": "write", "pk": "later"}).encode(),
    )
    assert answer["StatusCode"] == 202
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = small_stack.cloud.client("dynamodb").get_item(
            TableName=small_stack.ref("Ledger"), Key={"pk": {"S": "later"}}
        )
        if "Item" in found:
            return
        time.sleep(0.05)
    pytest.fail("nothing was written")


def test_schedules_run_on_request(small_stack, http):
    outcomes = small_stack.run_schedule("EchoFunction")
    assert set(outcomes) == {"EchoFunction.Hourly", "EchoFunction.Nightly"}
    hourly = json.loads(outcomes["EchoFunction.Hourly"].payload)["event"]
    nightly = json.loads(outcomes["EchoFunction.Nightly"].payload)["event"]
    assert hourly == {"do": "schedule"}
    assert nightly["detail-type"] == "Scheduled Event"
    answer = http("POST", f"{small_stack.url}/_local/schedules/EchoFunction.Hourly")
    assert answer.json() == {"ran": ["EchoFunction.Hourly"], "errors": {}}
    assert http("POST", f"{small_stack.url}/_local/schedules/Nobody").status == 404
