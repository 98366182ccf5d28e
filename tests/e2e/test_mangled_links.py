"""Test links changed by mail clients over HTTP: encoded, decorated, wrapped, with parameters."""

from __future__ import annotations

import html
import re
from urllib.parse import quote, urlsplit

import pytest
import urllib3

TARGET = "https://example.com/a%2Fb?q=x+y#part"


@pytest.fixture(scope="module")
def link(stack):
    """Rewrite a message and return the path of its link."""
    body = {
        "workspace": "mail-clients",
        "campaign": "mangled",
        "kind": "newsletter",
        "channel": "email",
        "from": "news@mail.example.com",
        "content": {"html": f'<a href="{TARGET}">x</a>'},
        "recipients": [{"delivery": "d1", "data": {}}],
        "track": True,
        "url_params": False,
    }
    answer = urllib3.request(
        "POST", f"{stack.url}/v1/rewrite", json=body, retries=False, timeout=30
    )
    [delivery] = answer.json()["deliveries"]
    found = re.search(r'href="([^"]+)"', delivery["content"]["html"])
    assert found
    return urlsplit(html.unescape(found[1])).path


@pytest.mark.parametrize(
    "mangle",
    [
        lambda path: path,
        lambda path: path + "?fbclid=IwAR0&utm_source=elsewhere",
        lambda path: path + "?",
        lambda path: path + ".",
        lambda path: path + ")",
        lambda path: path + "%3E",
        lambda path: path + "%3D%3D",
        lambda path: path + "/",
        lambda path: path[:40] + "%0A" + path[40:],
        lambda path: path[:40] + "%3D%0D%0A" + path[40:],
        lambda path: path[:40] + "%20" + path[40:],
        lambda path: path[:5] + path[5:].replace("/", "%2F"),
        lambda path: "/" + quote(path[1:], safe=""),
        lambda path: "/" + quote(quote(path[1:], safe=""), safe=""),
    ],
)
def test_link_mangled_by_a_mail_client_redirects_to_its_destination(stack, http, link, mangle):
    answer = http("GET", stack.url + mangle(link))
    assert (answer.status, answer.headers.get("location")) == (302, TARGET)


@pytest.mark.parametrize(
    "mangle",
    [
        str.lower,
        lambda path: path[:-2],
        lambda path: path.rpartition("/")[0],
        lambda path: path[:20] + path[21:],
        lambda path: path.replace("/e/c/", "/E/C/"),
        lambda path: path[:-22] + "%0d%0alocation:%20https://evil.example/",
    ],
)
def test_link_with_lost_characters_gets_the_plain_page(stack, http, link, mangle):
    answer = http("GET", stack.url + mangle(link))
    assert answer.status == 404
    assert "location" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"


def test_link_redirects_with_an_upper_case_host(stack, http, link):
    answer = http("GET", stack.url + link, {"host": "LINKS.Example.COM"})
    assert (answer.status, answer.headers.get("location")) == (302, TARGET)
