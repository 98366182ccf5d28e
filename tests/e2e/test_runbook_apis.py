"""Play the entries of docs/runbook.md about the APIs, report pages, opens and archived messages."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from local.stack import EmbeddedStack
from tests.e2e.conftest import Http, HttpAnswer, write_changed_template
from tests.e2e.role_policies import load_role_policy, remove_statement
from tests.e2e.runbook_operator import Operator, runbook_entry
from tests.e2e.sender import Sender, create_sender
from waypost.composition import Repositories, TableNames
from waypost.ids import derive_campaign_id
from waypost.models.campaign import MessageAbsence, SentMessage


@pytest.fixture
def sender(running: EmbeddedStack, http: Http, request: pytest.FixtureRequest) -> Sender:
    return create_sender(running, http, request)


class Reader:
    """A reader of report pages, with the cookie of a share link."""

    def __init__(self, sender: Sender) -> None:
        self._http, self._stack = sender.http, sender.stack
        share = sender.call_api("POST", "shares", {"campaign": sender.campaign, "hours": 1})
        opened = self.open(urlsplit(share.json()["url"]).path)
        assert opened.status == 303
        self._cookie = opened.headers["set-cookie"].partition(";")[0]
        self._page = opened.headers["location"]

    def open(self, path: str, cookie: str = "") -> HttpAnswer:
        headers = {"cookie": cookie} if cookie else {}
        answer: HttpAnswer = self._http("GET", self._stack.url + path, headers)
        return answer

    def read_report(self) -> HttpAnswer:
        return self.open(self._page, self._cookie)


def read_log_after(stack: EmbeddedStack, start: int) -> str:
    return stack.log_text()[start:]


@runbook_entry("Management API errors")
def test_denied_read_of_the_api_is_answered_with_503_and_logged(
    running: EmbeddedStack, sender: Sender
) -> None:
    sender.send("ada")
    start = len(running.log_text())
    restore = remove_statement(running, "ApiFunction", "ReadReports")
    answer = sender.call_api("GET", f"campaigns/{sender.campaign}")
    assert (answer.status, "retry-after" in answer.headers) == (503, True)
    log = read_log_after(running, start)
    assert '"message":"Request failed"' in log
    assert "AccessDeniedException" in log
    restore()
    start = len(running.log_text())
    assert sender.call_api("GET", f"campaigns/{sender.campaign}").status == 200
    assert sender.call_api("GET", "campaigns/unknown").status == 404
    assert "Request failed" not in read_log_after(running, start)


@runbook_entry("Management API errors", "Pages errors")
@pytest.mark.parametrize(
    ("function", "path"),
    [("api", "/v1/workspaces/w/settings"), ("pages", "/reports/campaign?workspace=w&campaign=c")],
)
def test_function_of_another_version_than_the_template_logs_the_cause(
    tmp_path: Path, http: Http, no_aws_settings: None, function: str, path: str
) -> None:
    code = f"      CodeUri: functions/{function}\n"
    template = write_changed_template(
        tmp_path, "Resources:", code, f"{code}      Handler: app.renamed\n"
    )
    with EmbeddedStack(template) as broken:
        assert http("GET", broken.url + path).status >= 500
        assert "Handler 'renamed' missing on module 'app'" in broken.log_text()
    with EmbeddedStack() as repaired:
        assert http("GET", repaired.url + path).status < 500


@runbook_entry("Pages errors")
def test_denied_read_of_a_page_is_answered_with_503_and_logged(
    running: EmbeddedStack, sender: Sender
) -> None:
    sender.send("ada")
    reader = Reader(sender)
    assert reader.read_report().status == 200
    start = len(running.log_text())
    restore = remove_statement(running, "PagesFunction", "ReadReports")
    assert reader.read_report().status == 503
    log = read_log_after(running, start)
    assert '"message":"Request failed"' in log
    assert "AccessDeniedException" in log
    restore()
    assert reader.read_report().status == 200


@runbook_entry("Opens lost")
def test_open_without_the_keys_is_lost_and_the_next_one_is_counted(
    running: EmbeddedStack, sender: Sender
) -> None:
    operator = Operator(running)
    sender.call_api("PUT", "settings", {"track_opens": True})
    pixel = send_with_pixel(sender)
    restore = remove_statement(running, "RedirectFunction", "ReadKeyring")
    running.recycle("RedirectFunction")
    assert sender.click(pixel).status == 200  # the message shows no broken image
    assert operator.count_metric('"OpenLost":1') == 1
    log = running.log_text()
    assert "Unrecorded open" in log
    assert "ServiceError: GetSecretValue: AccessDeniedException" in log
    assert sender.load_report()["opens"]["total"] == 0
    restore()
    running.recycle("RedirectFunction")
    assert sender.click(pixel).status == 200
    assert sender.load_report()["opens"]["total"] == 1
    assert operator.count_metric('"OpenLost":1') == 1


def send_with_pixel(sender: Sender) -> str:
    """Send an HTML message and return its open-tracking pixel."""
    body = {
        "workspace": "e2e",
        "campaign": sender.campaign,
        "content": {"html": "<p>Hello</p>"},
        "recipients": [{"delivery": "ada", "person": "ada"}],
    }
    answer = sender.http("POST", f"{sender.stack.url}/v1/rewrite", body=body)
    (pixel,) = re.findall(r'src="([^"]+)"', answer.json()["deliveries"][0]["content"]["html"])
    return str(pixel)


@runbook_entry("Messages not kept")
def test_message_that_cannot_be_archived_is_sent_and_archived_by_the_next_call(
    running: EmbeddedStack, sender: Sender
) -> None:
    operator = Operator(running)
    restore = deny_put_item(running, "C#*")
    sender.send("ada", content="<p>Hello</p>")
    assert operator.count_metric('"MessageNotKept":1,"reason":"store"') == 1
    assert '"message":"Message not archived"' in running.log_text()
    assert read_archived_message(running, sender) is MessageAbsence.NOT_STORED
    restore()
    sender.send("ben", content="<p>Hello again</p>")
    assert operator.count_metric('"MessageNotKept":1') == 1
    archived = read_archived_message(running, sender)
    assert isinstance(archived, SentMessage)
    assert "Hello again" in archived.html


def deny_put_item(stack: EmbeddedStack, partitions: str) -> Callable[[], None]:
    """Deny the rewrite function to put items into partitions; return a function that allows it."""
    policy = load_role_policy(stack, "RewriteFunction")
    statements = policy["PolicyDocument"]["Statement"]
    denial = {
        "Sid": "Denied",
        "Effect": "Deny",
        "Action": "dynamodb:PutItem",
        "Resource": "*",
        "Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [partitions]}},
    }

    def put_statements(statements: list[Any]) -> None:
        document = json.dumps(policy["PolicyDocument"] | {"Statement": statements})
        stack.cloud.client("iam").put_role_policy(**policy | {"PolicyDocument": document})

    put_statements([*statements, denial])
    return lambda: put_statements(statements)


def read_archived_message(stack: EmbeddedStack, sender: Sender) -> SentMessage | MessageAbsence:
    tables = TableNames(campaigns=stack.ref("CampaignsTable"))
    client: Any = stack.cloud.client("dynamodb")
    messages = Repositories(client, tables).messages
    return messages.get(derive_campaign_id("e2e", sender.campaign))
