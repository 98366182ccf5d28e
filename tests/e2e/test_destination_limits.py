"""The longest destination that is accepted passes through the whole stack; a longer one is not
tracked, and no request with one has to be retried.
"""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import urlsplit

from local.stack import EmbeddedStack
from tests.e2e.conftest import Http
from tests.e2e.sender import BROWSER
from waypost.urls import MAX_DESTINATION_LENGTH, MAX_LOCATION_LENGTH

WORKSPACE = "e2e-limits"
PERSON = "\u00e9" * 255
PARAMETERS = {"utm_source": "s" * 980, "utm_term": "t" * 980}


def put_parameters(stack: EmbeddedStack, http: Http, parameters: dict[str, str]) -> Any:
    body = {"url_params": parameters, "cio_id": True, "track_opens": False}
    return http("PUT", f"{stack.url}/v1/workspaces/{WORKSPACE}/settings", body=body)


def rewrite(stack: EmbeddedStack, http: Http, source: str) -> Any:
    return http(
        "POST",
        f"{stack.url}/v1/rewrite",
        body={
            "workspace": WORKSPACE,
            "campaign": "longest",
            "content": {"html": source},
            "recipients": [{"delivery": "d1", "person": PERSON}],
        },
    )


def test_longest_accepted_destination_redirects_with_its_exact_location(
    stack: EmbeddedStack, http: Http
) -> None:
    assert put_parameters(stack, http, PARAMETERS).status == 200
    added = "&".join(f"{name}={value}" for name, value in PARAMETERS.items())
    # Random-looking text, which is stored, and a run of one character, which is in the link.
    for filler in ("".join(f"{n:x}g" for n in range(2_000)), "a" * 5_000):
        url = f"https://example.com/?q={filler}"[: MAX_DESTINATION_LENGTH - len(added) - 1]
        answer = rewrite(stack, http, f'<a href="{url}">x</a>')
        assert answer.status == 200, answer
        assert not any("parameters" in warning for warning in answer.json()["warnings"])
        (link,) = re.findall(r'href="([^"]+)"', answer.json()["deliveries"][0]["content"]["html"])
        path = urlsplit(html.unescape(link)).path
        clicked = http("GET", stack.url + path, {"user-agent": BROWSER})
        person = "%C3%A9" * 255
        assert clicked.status == 302
        assert clicked.headers["location"] == f"{url}&_cio_id={person}&{added}"
        assert clicked.headers["location"] == answer.json()["links"][0]["destination"]
        assert len(clicked.headers["location"]) <= MAX_LOCATION_LENGTH


def test_too_long_href_is_reported_and_the_message_is_delivered(
    stack: EmbeddedStack, http: Http
) -> None:
    source = f'<a href="https://example.com/{"a" * 500_000}">x</a>'
    answer = rewrite(stack, http, source)
    assert answer.status == 200
    assert answer.json()["deliveries"][0]["content"]["html"] == source
    assert [each["reason"] for each in answer.json()["links"]] == [
        "is longer than 5,000 characters"
    ]


def test_too_long_tag_and_parameters_are_refused_with_field_size_and_limit(
    stack: EmbeddedStack, http: Http
) -> None:
    tag = "T" * 2_000
    answer = rewrite(stack, http, f'<a data-cio-tag="{tag}" href="https://example.com/">x</a>')
    assert answer.status == 400
    (problem,) = answer.json()["errors"]
    assert problem["field"] == "content.html"
    assert "more than 255 characters (2,000" in problem["reason"]
    answer = put_parameters(stack, http, {f"p{n:02}": "x" * 990 for n in range(50)})
    assert answer.status == 400
    assert answer.json()["errors"] == [
        {
            "field": "url_params",
            "reason": "adds more than 2,000 characters to a URL (49,750)",
        }
    ]
