"""Test the client against the embedded stack, through boto3's Lambda client."""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

import boto3
import pytest

from waypost.client import Client, Message, Recipient
from waypost.errors import CallFailed, InvalidRequest

MB = 1024 * 1024
QUOTED = '<a class="x" href="https://example.com/{{ n }}">go</a>'


@pytest.fixture
def invoker(stack):
    return boto3.client(
        "lambda",
        endpoint_url=stack.url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )


def message(campaign: str) -> Message:
    return {
        "workspace": "client",
        "campaign": campaign,
        "content": {"html": '<a href="https://example.com/{{ customer.page }}">go</a>'},
        "liquid": True,
        "idempotency_key": campaign,
    }


def recipients(count):
    return [
        {"delivery": f"d{n}", "person": f"p{n}", "data": {"customer": {"page": n}}}
        for n in range(count)
    ]


def test_batches_arrive_in_order_and_a_repeated_send_counts_once(stack, http, invoker):
    def send():
        client = Client(stack.ref("RewriteFunction") + ":live", invoker)
        run = client.rewrite(message("several"), recipients(1_200))
        return list(run), run

    for deliveries, run in (send(), send()):
        assert [each["delivery"] for each in deliveries] == [f"d{n}" for n in range(1_200)]
        assert [link["url"] for link in run.links] == ["https://example.com/{{ customer.page }}"]
        assert run.failed == []
    (link,) = re.findall('href="([^"]+)"', str(deliveries[1_100]["content"]["html"]))
    answer = http("GET", stack.url + urlsplit(link).path)
    assert answer.headers["location"].startswith("https://example.com/1100")
    assert stack.wait_until_counted()
    report = http("GET", f"{stack.url}/v1/workspaces/client/campaigns/several").json()
    assert report["deliveries"] == 1_200


def test_batch_larger_than_one_response_arrives_in_parts(stack, invoker):
    client = Client("RewriteFunction", invoker)
    long = "{% for n in (1..2000) %}" + "x" * 300 + "{% endfor %}"
    content = {"html": '<a href="https://example.com/">go</a>' + long}
    run = client.rewrite({**message("parts"), "content": content}, recipients(12))
    deliveries = list(run)
    assert [each["delivery"] for each in deliveries] == [f"d{n}" for n in range(12)]
    assert all(len(str(each["content"]["html"])) > 600_000 for each in deliveries)


def test_client_reports_field_and_reason_of_a_refused_request(stack, invoker):
    client = Client("RewriteFunction", invoker)
    run = client.rewrite(message("refused"), recipients(1) * 2)
    assert [each["delivery"] for each in run] == ["d0"]
    assert run.failed == [
        {
            "delivery": "d0",
            "field": "recipients[1].delivery",
            "reason": "repeats recipients[0]",
        }
    ]
    with pytest.raises(InvalidRequest, match=r"campaign: is empty"):
        list(client.rewrite(message(""), recipients(1)))
    with pytest.raises(CallFailed, match="Function not found"):
        list(Client("nothing", invoker).rewrite(message("refused"), recipients(1)))


def bodies(campaign, html, count, data):
    """Return a request of recipients with data, one of them without."""
    people = [{"delivery": f"d{n}", "data": {"n": n, "text": data}} for n in range(count)]
    people[count // 2] = {"delivery": "lacks"}
    return {**message(campaign), "content": {"html": html}, "recipients": people}


def outcomes(answer):
    return [each["delivery"] for each in answer["deliveries"]], [
        (each["delivery"], each["field"]) for each in answer["failed"]
    ]


def test_payload_just_under_the_limit_is_rewritten_except_its_failed_recipient(
    stack, http, invoker
):
    body = json.dumps(bodies("near-in", QUOTED, 59, "x" * 105_500))
    assert 5.8 * MB < len(body) < 6 * MB
    told = invoker.invoke(FunctionName="RewriteFunction", Payload=body.encode())
    answer = json.loads(told["Payload"].read())
    expected = [f"d{n}" for n in range(59) if n != 29], [("lacks", "content.html")]
    assert outcomes(answer) == expected
    over_http = http("POST", f"{stack.url}/v1/rewrite", body=json.loads(body))
    assert (over_http.status, outcomes(over_http.json())) == (200, expected)


def test_response_under_the_limit_arrives_and_a_larger_one_names_its_size(stack, http, invoker):
    def invoked(count, filler):
        body = bodies("near-out", QUOTED + filler, count, "")
        told = invoker.invoke(FunctionName="RewriteFunction", Payload=json.dumps(body).encode())
        return json.loads(told["Payload"].read()), http(
            "POST", f"{stack.url}/v1/rewrite", body=body
        )

    plain = "x" * 98_000
    answer, over_http = invoked(61, plain)
    assert over_http.status == 200
    assert outcomes(over_http.json()) == outcomes(answer)
    assert len(answer["deliveries"]) == 60
    assert len(over_http.body) > 5.6 * MB
    refused, over_http = invoked(70, plain)
    assert over_http.json() == refused
    assert (refused["status"], refused["field"]) == (413, "deliveries")
    assert refused["size"] > refused["limit"] > 5.8 * MB


def test_response_with_many_quotes_is_too_large_over_http(stack, http, invoker):
    body = bodies("quotes", QUOTED + '"' * 90_000, 25, "")
    told = invoker.invoke(FunctionName="RewriteFunction", Payload=json.dumps(body).encode())
    assert len(json.loads(told["Payload"].read())["deliveries"]) == 24
    refused = http("POST", f"{stack.url}/v1/rewrite", body=body)
    assert (refused.status, refused.json()["field"]) == (413, "deliveries")
    report = http("GET", f"{stack.url}/v1/workspaces/client/campaigns/quotes").json()
    assert report["deliveries"] == 24


@pytest.mark.parametrize("size", [7 * MB, 11 * MB])
def test_payload_over_the_limit_is_refused(stack, http, invoker, size):
    body = json.dumps(bodies("over", QUOTED, 2, "x" * size))
    assert http("POST", f"{stack.url}/v1/rewrite", body=body.encode()).status == 413
    with pytest.raises(invoker.exceptions.RequestTooLargeException):
        invoker.invoke(FunctionName="RewriteFunction", Payload=body.encode())


def test_content_over_its_limit_is_named(stack, http):
    body = {**message("part"), "recipients": recipients(1), "content": {"html": "x" * (2 * MB)}}
    refused = http("POST", f"{stack.url}/v1/rewrite", body=body)
    assert (refused.status, refused.json()["field"]) == (413, "content.html")


def test_client_splits_requests_and_responses_over_the_limit(stack, invoker):
    client = Client("RewriteFunction", invoker)
    wide: list[Recipient] = [
        {"delivery": f"d{n}", "data": {"customer": {"page": n}, "text": "x" * MB}}
        for n in range(14)
    ]
    wide[9] = {"delivery": "lacks"}
    run = client.rewrite(message("wide"), wide)
    assert [each["delivery"] for each in run] == [f"d{n}" for n in range(14) if n != 9]
    assert [(each["delivery"], each["field"]) for each in run.failed] == [("lacks", "content.html")]
