"""The code of docs/integrate.md, run as it stands, in its order, against the embedded stack.

The AWS CLI is played: what its command says is done with boto3.
"""

from __future__ import annotations

import json
import re
import shlex
from email import message_from_string
from pathlib import Path
from typing import Any

import boto3
import pytest
import urllib3
from django.conf import settings
from django.core import mail

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "integrate.md").read_text(encoding="utf-8")
TRACKED = re.compile(r'href="(http[^"]+/e/c/[^"]+)"')


def blocks(heading: str, language: str) -> list[str]:
    """Return the code blocks of a section."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found


class Reader:
    """Runs the page: each section uses the names of the sections before."""

    def __init__(self, stack):
        self.stack = stack
        self.names: dict[str, Any] = {"__name__": "page"}
        self.printed: list[str] = []
        self.names["print"] = lambda *words: self.printed.append(" ".join(map(str, words)))
        for section in ("Python, with the client", "Plain boto3"):
            self.run(section)

    def run(self, heading, *, last=None):
        for block in blocks(heading, "python")[:last]:
            exec(self.deployed(block), self.names)

    def deployed(self, text):
        """Return the page with the function name of this stack."""
        return text.replace("waypost-us-rewrite", self.stack.ref("RewriteFunction"))

    def lands(self, html):
        """Return the destination of a message with one link."""
        (link,) = TRACKED.findall(html)
        answer = urllib3.request("GET", link, redirect=False)
        assert answer.status == 302
        return answer.headers["location"].partition("?")[0]


@pytest.fixture
def reader(account):
    return Reader(account)


@pytest.fixture
def sent(monkeypatch):
    """Return the messages that SES accepted."""
    asked = []
    make = boto3.client

    def client(service, **settings):
        made = make(service, **settings)
        if service == "sesv2":
            made.meta.events.register(
                "before-parameter-build.sesv2.SendEmail", lambda params, **_: asked.append(params)
            )
        return made

    monkeypatch.setattr(boto3, "client", client)
    return asked


def test_the_client(reader):
    first, second, failed, link = reader.printed[:4]
    assert first.startswith("spring-sale/1 ")
    assert reader.lands(first) == "https://acme.com/pro"
    assert reader.lands(second) == "https://acme.com/free"
    assert failed.startswith("spring-sale/3 failed: content.html customer.plan is missing")
    assert link == "tracked https://acme.com/{{ customer.plan }}"


def test_files_with_the_client(reader, account):
    account.cloud.client("s3").create_bucket(Bucket="acme-mailings")
    before = len(reader.printed)
    reader.run("Files, with the client")
    told, first, second, failed = reader.printed[before:]
    assert told == "2 of 3 messages, 1 failed"
    assert reader.lands(first) == "https://acme.com/pro"
    assert reader.lands(second) == "https://acme.com/free"
    assert failed.startswith("spring-sale/3 customer.plan is missing")


def test_values_from_users(reader):
    before = len(reader.printed)
    reader.run("Values from users")
    (html,) = reader.printed[before:]
    assert "Hello {\u200c% cio_link url:https://evil.example %}!" in html
    assert html.count("/e/c/") == 1


def test_every_example_turns_tags_off_or_escapes_values(reader):
    for code in re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        if '"content": {' in code:
            assert '"tags": False' in code or "escape_tags(" in code


def test_plain_boto3(reader):
    assert [reader.lands(line) for line in reader.printed[4:]] == [
        "https://acme.com/pro",
        "https://acme.com/free",
    ]


def test_plain_boto3_says_why_it_was_refused(reader):
    reader.names["recipients"] = []
    with pytest.raises(RuntimeError, match="recipients"):
        reader.run("Plain boto3")


def test_the_aws_cli(reader, account):
    (command,) = blocks("AWS CLI", "sh")
    words = shlex.split(reader.deployed(command).replace("\\\n", " "))
    assert words[:3] == ["aws", "lambda", "invoke"]
    assert words[-1] == "answer.json"
    options = dict(zip(words[3:-1:2], words[4:-1:2], strict=True))
    payload = ROOT / options["--payload"].removeprefix("file://")
    answer = boto3.client("lambda").invoke(
        FunctionName=options["--function-name"], Payload=payload.read_bytes()
    )
    assert json.load(answer["Payload"])["deliveries"]


def test_ses_sends_what_comes_back(reader, sent):
    reader.run("Amazon SES")
    simple = [each["Content"]["Simple"]["Body"]["Html"]["Data"] for each in sent[:2]]
    assert [reader.lands(html) for html in simple] == [
        "https://acme.com/pro",
        "https://acme.com/free",
    ]
    (raw,) = sent[2:]
    letter = message_from_string(raw["Content"]["Raw"]["Data"].decode())
    parts = [
        part.get_payload(decode=True).decode()  # type: ignore[union-attr]  # bytes, when decoded
        for part in letter.walk()
        if not part.is_multipart()
    ]
    assert parts[0].startswith("Your invoice is at https://acme.com/invoices/1")
    assert reader.lands(parts[1]) == "https://acme.com/invoices/1"


def test_django_sends_tracked_messages_through_its_own_backend(reader):
    if not settings.configured:
        settings.configure(
            WAYPOST_FUNCTION=reader.deployed("waypost-us-rewrite:live"),
            WAYPOST_SENDER="django.core.mail.backends.locmem.EmailBackend",
            WAYPOST_WORKSPACE="acme",
        )
    reader.run("Django", last=1)
    backend = reader.names["WaypostBackend"]
    block = blocks("Django", "python")[1].replace("email.send()", "")
    exec(block, reader.names)
    assert backend().send_messages([reader.names["email"]]) == 1
    (received,) = mail.outbox
    ((html, kind),) = received.alternatives
    assert kind == "text/html"
    assert reader.lands(html) == "https://acme.com/start"
    assert "Waypost" not in received.message().as_string()


def test_celery_sends_a_batch_as_tasks(reader, sent):
    (tasks, start) = blocks("Celery", "python")
    exec(reader.deployed(tasks), reader.names)
    reader.names["app"].conf.update(task_always_eager=True, task_eager_propagates=True)
    exec(start, reader.names)
    assert [each["Destination"]["ToAddresses"] for each in sent] == [
        ["ada@example.com"],
        ["grace@example.com"],
    ]
    html = sent[0]["Content"]["Simple"]["Body"]["Html"]["Data"]
    assert reader.lands(html) == "https://acme.com/pro"
