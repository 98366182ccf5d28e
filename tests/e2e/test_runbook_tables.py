"""What docs/runbook.md says about functions and tables that fail, done to stacks that have it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.stack import EmbeddedStack
from tests.e2e.conftest import Http, write_changed_template, write_template_without_ledger
from tests.e2e.runbook_operator import Operator, count_clicks, entry, wait_until
from tests.e2e.test_click_tracking import URLS, Sender
from waypost.ids import derive_campaign_id, derive_workspace_id


@pytest.fixture(scope="module")
def running(no_aws_settings: None) -> Iterator[EmbeddedStack]:
    """A stack whose roles and tables are broken and mended here."""
    with EmbeddedStack() as stack:
        yield stack


@pytest.fixture
def sender(running: EmbeddedStack, http: Http, request: pytest.FixtureRequest) -> Sender:
    return Sender(running, http, request.node.name.replace("_", "-")[:60])


def denied(stack: EmbeddedStack, function: str, sid: str) -> Callable[[], None]:
    """Takes a statement out of a function's role; what is returned puts it in again."""
    iam, role = stack.cloud.client("iam"), stack.ref(f"{function}Role")
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document: Any = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]

    def put(statements: list[Any]) -> None:
        text = json.dumps(document | {"Statement": statements})
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=text)

    statements = document["Statement"]
    put([each for each in statements if each["Sid"] != sid])
    return lambda: put(statements)


@entry("Redirect errors")
def test_function_without_a_required_variable_logs_its_name(
    tmp_path: Path, http: Http, no_aws_settings: None
) -> None:
    variable = "          PARK_QUEUE_URL: !Ref ParkQueue\n"
    with EmbeddedStack(
        write_changed_template(tmp_path, "  RedirectFunction:", variable, "")
    ) as broken:
        sender = Sender(broken, http, "broken")
        ((link, *_),) = sender.send("ada")
        assert sender.click(link).status >= 500
        log = broken.log_text()
        assert "Traceback" in log
        assert "environment variable PARK_QUEUE_URL is not set" in log


@entry("Parked too long")
def test_queued_click_waits_until_the_drain_function_works(
    tmp_path: Path, http: Http, no_aws_settings: None
) -> None:
    with EmbeddedStack(write_template_without_ledger(tmp_path)) as stack:
        desk, sender = Operator(stack), Sender(stack, http, "stuck")
        mended = denied(stack, "DrainFunction", "StoreClick")
        _give_again_soon(desk, "ParkQueue")
        ((link, *_),) = sender.send("ada")
        assert sender.click(link).headers["location"] == URLS[0]
        assert wait_until(lambda: '"reasons":["AccessDeniedException"]' in stack.log_text())
        assert desk.count_messages("ParkQueue") == 1
        mended()
        assert wait_until(lambda: count_clicks(sender) == 1)
        assert desk.count_messages("ParkQueue") == 0


def _give_again_soon(desk: Operator, queue: str) -> None:
    """What a function did not take comes again in seconds instead of minutes."""
    attributes: Any = {"VisibilityTimeout": "3"}
    url = desk.stack.ref(queue)
    desk.client("sqs").set_queue_attributes(QueueUrl=url, Attributes=attributes)


@entry("Rewrite errors")
def test_invalid_rewrite_is_refused_and_an_unreadable_keyring_is_an_error(
    running: EmbeddedStack, http: Http, sender: Sender
) -> None:
    rewrite = f"{running.url}/v1/rewrite"
    assert http("POST", rewrite, body={"workspace": "e2e"}).status == 400
    mended = denied(running, "RewriteFunction", "ReadKeyring")
    running.recycle("RewriteFunction")
    body = {"workspace": "e2e", "campaign": "c", "from": "a@mail.example.com"}
    body |= {"content": {"html": "<a href='https://e.com/'>e</a>"}, "recipients": []}  # type: ignore[dict-item]
    message = body | {"recipients": [{"delivery": "d", "person": "p"}]}
    assert http("POST", rewrite, body=message).status >= 500
    mended()
    assert http("POST", rewrite, body=message).status == 200


@entry("Short links guessed")
def test_unknown_short_codes_are_counted_and_answered_with_404(
    running: EmbeddedStack, http: Http
) -> None:
    desk = Operator(running)
    for n in range(2, 7):
        assert http("GET", f"{running.url}/s/{str(n) * 19}", {"user-agent": "x"}).status == 404
    assert desk.count_metric('"ShortLinkUnknown":1') == 5
    assert str(2) * 19 not in running.log_text()  # no codes, on purpose


def text_message(sender: Sender) -> str:
    """The path of a short link, as it stands in a text message."""
    sender.call("PUT", "settings", {"shorten": {"sms": True}})
    body = {
        "workspace": "e2e",
        "campaign": f"{sender.campaign}-sms",
        "kind": "campaign",
        "channel": "sms",
        "from": "news@mail.example.com",
        "content": {"text": "Now: https://example.com/short"},
        "recipients": [{"delivery": "d", "person": "p", "data": {}}],
    }
    answer = sender.http("POST", f"{sender.stack.url}/v1/rewrite", body=body)
    assert answer.status == 200, answer
    (path,) = re.findall(r"/s/\w+", answer.body.decode())
    return str(path)


@entry("Short links unread")
def test_short_links_respond_503_without_their_table_and_other_links_redirect(
    running: EmbeddedStack, http: Http, sender: Sender
) -> None:
    short = text_message(sender)
    ((link, *_),) = sender.send("ada")
    mended = denied(running, "RedirectFunction", "ReadShortLinks")
    answer = http("GET", running.url + short, {"user-agent": "x"})
    assert (answer.status, "retry-after" in answer.headers) == (503, True)
    assert sender.click(link).headers["location"] == URLS[0]
    assert '"LookupFailed":1' in running.log_text()
    mended()
    assert http("GET", running.url + short, {"user-agent": "x"}).status == 302


@entry("Rows damaged")
def test_corrupt_settings_are_named_and_replaced_by_a_put_or_a_restored_item(
    running: EmbeddedStack, http: Http, sender: Sender
) -> None:
    sender.call("PUT", "settings", {"retention_days": 90})
    ((link, *_),) = sender.send("ada")
    dynamodb, table = Operator(running).client("dynamodb"), running.ref("WorkspacesTable")
    dynamodb.restore_table_to_point_in_time(
        SourceTableName=table, TargetTableName="before", UseLatestRestorableTime=True
    )
    key = {"pk": {"S": f"W#{derive_workspace_id('e2e')}"}, "sk": {"S": "W"}}
    whole = dynamodb.get_item(TableName="before", Key=key)["Item"]
    damaged = {"settings": {"S": '{"retention_days": "90"}'}}
    address = f"{running.url}/v1/workspaces/e2e/settings"

    def mended(mend: Callable[[], object]) -> None:
        dynamodb.put_item(TableName=table, Item=whole | damaged)
        assert b"'retention_days'" in http("GET", address).body
        assert http("POST", f"{running.url}/v1/rewrite", body=_message("e2e")).status == 500
        assert http("POST", f"{running.url}/v1/rewrite", body=_message("other")).status == 200
        mend()
        assert http("POST", f"{running.url}/v1/rewrite", body=_message("e2e")).status == 200

    dynamodb.put_item(TableName=table, Item=whole | damaged)
    for function in ("RedirectFunction", "TallyFunction"):
        running.recycle(function)  # neither has read them when they were whole
    assert sender.click(link).headers["location"] == URLS[0]
    assert wait_until(lambda: count_clicks(sender) == 1)
    assert "Corrupt item" in running.log_text()
    assert http("PUT", address, body={"cio_id": True}).status == 400
    mended(lambda: http("PUT", address, body={"retention_days": 90}))
    mended(lambda: dynamodb.put_item(TableName=table, Item=whole))


def _message(workspace: str) -> dict[str, object]:
    return {
        "workspace": workspace,
        "campaign": "damaged",
        "from": "a@mail.example.com",
        "content": {"html": "<a href='https://e.com/'>e</a>"},
        "recipients": [{"delivery": "d", "person": "p"}],
    }


@entry("Restore a table")
def test_lost_items_are_copied_from_a_restored_table(
    running: EmbeddedStack, http: Http, sender: Sender
) -> None:
    desk, kept = Operator(running), text_message(sender)
    dynamodb, table = desk.client("dynamodb"), running.ref("ShortLinksTable")
    dynamodb.restore_table_to_point_in_time(
        SourceTableName=table, TargetTableName="restored", UseLatestRestorableTime=True
    )
    later = text_message(sender)  # is not in the restored table, and must not be lost
    for item in dynamodb.scan(TableName="restored")["Items"]:
        dynamodb.delete_item(TableName=table, Key={"pk": item["pk"]})
    assert http("GET", running.url + kept, {"user-agent": "x"}).status == 404
    filled = ("tables", "--table", "ShortLinksTable", "--from", "restored")
    assert re.fullmatch(r"(\d+) items read, \1 written\n", desk.run_tool(*filled))
    for path in (kept, later):
        assert http("GET", running.url + path, {"user-agent": "x"}).status == 302
    assert desk.run_tool(*filled).endswith(" 0 written\n")


@entry("Move to another region or account")
def test_links_reports_and_people_move_to_another_stack(
    running: EmbeddedStack, http: Http, sender: Sender, no_aws_settings: None
) -> None:
    short = text_message(sender)
    ((link, *_),) = sender.send("ada")
    sender.click(link)
    assert count_clicks(sender) == 1
    with EmbeddedStack() as new:
        moved, secrets = Operator(new), new.cloud.client("secretsmanager")
        keys = running.cloud.client("secretsmanager").get_secret_value(
            SecretId=running.ref("Keyring")
        )
        secrets.put_secret_value(SecretId=new.ref("Keyring"), SecretString=keys["SecretString"])
        new.recycle("RedirectFunction")
        for table in ("CampaignsTable", "WorkspacesTable", "ShortLinksTable", "ClicksTable"):
            _bring(running, new, table)
            moved.run_tool("tables", "--table", table, "--from", f"old-{table}")
        there = Sender(new, http, sender.campaign)
        assert there.click(link).headers["location"] == URLS[0]
        assert http("GET", new.url + short, {"user-agent": "x"}).status == 302
        assert there.report()["clicks"]["total"] == 2  # the one before, counted once, and this one
        assert "every counter is correct" in moved.run_tool(
            "clicks", "recount", "e2e", sender.campaign
        ), derive_campaign_id("e2e", sender.campaign)


def _bring(old: EmbeddedStack, new: EmbeddedStack, table: str) -> None:
    """The old stack's table, within the new one's reach: another account's, on AWS."""
    source, target = old.cloud.client("dynamodb"), new.cloud.client("dynamodb")
    keys: Any = target.describe_table(TableName=new.ref(table))["Table"]
    target.create_table(
        TableName=f"old-{table}",
        KeySchema=keys["KeySchema"],
        AttributeDefinitions=keys["AttributeDefinitions"],
        BillingMode="PAY_PER_REQUEST",
    )
    for item in source.scan(TableName=old.ref(table))["Items"]:
        target.put_item(TableName=f"old-{table}", Item=item)
