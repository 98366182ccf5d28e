"""Test the destination in the parameter example of docs/rewriting.md."""

from __future__ import annotations

import re

import urllib3

from local.stack import EmbeddedStack
from tools.docs.pages import ROOT

SECTION = (ROOT / "docs" / "rewriting.md").read_text("utf-8").partition("## URL parameters\n")[2]


def test_parameters_of_the_example_come_out_as_shown(stack: EmbeddedStack):
    path, settings = re.findall(r"^PUT (\S+) +(\{.*\})$", SECTION, re.MULTILINE)[0]
    (link,) = re.findall(r"makes `(\S+)`", SECTION, re.MULTILINE)
    (shown,) = re.findall(r"^(https://\S+)$", SECTION, re.MULTILINE)
    headers = {"content-type": "application/json"}
    urllib3.request("PUT", stack.url + path, body=settings, headers=headers, timeout=60)
    message = {
        "workspace": "acme",
        "campaign": "spring-sale",
        "content": {"html": f'<a href="{link}">a</a>'},
        "recipients": [{"delivery": "d1", "person": "p1"}],
        "dry_run": True,
    }
    answer = urllib3.request("POST", f"{stack.url}/v1/rewrite", json=message, timeout=60)
    assert [each["destination"] for each in answer.json()["links"]] == [shown]
