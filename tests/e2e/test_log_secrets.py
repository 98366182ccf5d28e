"""Test the leak search, and that errors and logs contain no secrets.

conftest.py searches the log of the whole run again.
"""

from __future__ import annotations

import html
import re
import time

import pytest

from tests.leak_patterns import find_leaks, list_stack_keys

PERSON = "ada@people.example"
TOKEN = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/AAAAAAAAAAAAAAAAAAAAAA"

SHARE = "WzEsImFjbWUiLG51bGwsZmFsc2UsNzJd.awKvEA.RM_SvRPq6ySAAti_egNJfsqTZJLFDyE6mUTg9-TnDy0"


@pytest.mark.parametrize(
    "line",
    [
        "203.0.113.7",
        '{"ip": "198.51.100.23"}',
        "::ffff:203.0.113.7",
        "2001:db8:1234:5678:9abc::1",
        '"ip":"2001:DB8::1"',
        "[2001:db8:1234::1]:443",
        "2001:db8:1234:0:0:0:0:1/128",
        f"/e/c/{TOKEN}",
        TOKEN,
        "https://l.acme.example/s/23456789abcdefghjkm",
        f"/reports/open/{SHARE}",
        f"person {PERSON} clicked",
        "ada+news@mail.acme.co.uk",
        "the key is sesame-sesame-sesame",
        "AKIAIOSFODNN7EXAMPLE",
        "Authorization: AWS4-HMAC-SHA256 Credential=x/20261122/us-east-1/sqs/aws4_request",
        "X-Amz-Security-Token=IQoJ",
        "{'AWS_SECRET_ACCESS_KEY': 'wJalr'}",
        f'{{"unrecorded_click":{{"person":"{PERSON}","ip":"203.0.113.7"}}}}',
    ],
)
def test_leak_search_finds_every_secret(line):
    assert list(find_leaks(line, {"sesame-sesame-sesame"}))


@pytest.mark.parametrize(
    "line",
    [
        "203.0.113.0",
        "2001:db8:1234::",
        "::1",
        "2026-11-22T09:00:00.000Z 12:34:56",
        "tests/e2e/test_log_secrets.py::test_abc",
        "02:42:ac:11:00:02",
        "Chrome/131.0.6778.86 Safari/537.36",
        "127.0.0.1",
        "/e/c/cut",
        "/s/nobody",
        "1.2.3",
        "arn:aws:sqs:us-east-1:123456789012:waypost-local-ParkQueue",
        "mail.acme.example",
        '{"unrecorded_click":{"person":"ada@people.example","ip":"203.0.113.0"}}',
    ],
)
def test_leak_search_ignores_harmless_text(line):
    assert not list(find_leaks(line, {"sesame-sesame-sesame"}))


def test_error_responses_and_their_logs_contain_no_secrets(stack, http):
    body = {
        "workspace": "secrets",
        "campaign": "mail",
        "kind": "newsletter",
        "channel": "email",
        "from": "news@mail.example.com",
        "content": {"html": '<a href="https://example.com/">x</a>'},
        "recipients": [{"delivery": "d1", "person": PERSON}],
    }
    api, answers = f"{stack.url}/v1/workspaces/secrets", []

    def ask(*asked, **more):
        answers.append(http(*asked, **more))
        return answers[-1]

    sent = http("POST", f"{stack.url}/v1/rewrite", body=body).json()
    [link] = re.findall(r'href="([^"]+/e/c/[^"]+)"', sent["deliveries"][0]["content"]["html"])
    link = html.unescape(link)
    agent = {"user-agent": "Mozilla/5.0 Chrome/131.0.0.0"}
    came_from = agent | {"cloudfront-viewer-address": "203.0.113.77:4711"}
    assert http("GET", link, came_from).status == 302
    for wrong in (link[:-1], link + "A", link.lower(), link.replace("/e/c/", "/e/o/"), link + "B"):
        ask("GET", wrong, came_from)
    ask("POST", f"{stack.url}/v1/rewrite", body=body | {"kind": PERSON})
    ask("POST", f"{stack.url}/v1/rewrite", body=b"{" + PERSON.encode())
    ask("POST", f"{stack.url}/v1/rewrite", body=body | {"liquid": True, "track": link})
    ask("GET", f"{api}/people/nobody/activity?cursor=x")
    ask("PUT", f"{api}/settings", body={"unknown": 1})
    ask("GET", f"{stack.url}/reports/open/{TOKEN.replace('/', '.')}")
    ask("GET", f"{stack.url}/s/{'2' * 19}")
    assert stack.wait_until_counted()
    time.sleep(0.2)  # the last lines of functions arrive in the log
    keys = list_stack_keys(stack)
    assert keys
    for answer in answers:
        assert answer.status >= 400 or b"GIF" in answer.body, answer
        assert not list(find_leaks(answer.body.decode("utf-8", "replace"), keys))
    assert not list(find_leaks(stack.log_text(), keys))
