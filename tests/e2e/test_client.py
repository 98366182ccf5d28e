"""The typed client against the embedded stack, through boto3's own Lambda client."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import boto3
import pytest

from waypost.client import Client, Message
from waypost.errors import CallFailed, InvalidRequest


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


def test_a_send_of_several_batches_arrives_in_order_and_made_again_counts_once(
    stack, http, invoker
):
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


def test_a_batch_larger_than_an_answer_arrives_in_parts(stack, invoker):
    client = Client("RewriteFunction", invoker)
    long = "{% for n in (1..2000) %}" + "x" * 300 + "{% endfor %}"
    content = {"html": '<a href="https://example.com/">go</a>' + long}
    run = client.rewrite({**message("parts"), "content": content}, recipients(12))
    deliveries = list(run)
    assert [each["delivery"] for each in deliveries] == [f"d{n}" for n in range(12)]
    assert all(len(str(each["content"]["html"])) > 600_000 for each in deliveries)


def test_what_the_function_refuses_names_field_and_reason(stack, invoker):
    client = Client("RewriteFunction", invoker)
    with pytest.raises(InvalidRequest, match=r"recipients\[1\].delivery: repeats recipients\[0\]"):
        list(client.rewrite(message("refused"), [{"delivery": "d"}, {"delivery": "d"}]))
    with pytest.raises(CallFailed, match="Function not found"):
        list(Client("nothing", invoker).rewrite(message("refused"), recipients(1)))
